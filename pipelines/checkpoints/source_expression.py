"""The little language in which a source is written: `NAME = BASE + 0.8 * LORA - 0.5 * LORA as v-prediction`.

Text only; what the parts name is opened elsewhere. Signs and digits may be full-width, as Japanese keyboards give them:
`写真 ＋ ０．８ ＊ 墨`. A path that exists under the whole text is that path, whatever signs are in it. A word after the
number takes a part of the adapter alone: `BASE + 0.8 unet * LORA + 0.5 clip * LORA`.
"""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.architectures.prediction import STATED_PREDICTIONS
from pipelines.errors import Phrase, SourceError

FORMS = Phrase(
    "Expected a diffusers folder, a .safetensors or .ckpt file, a hub id (owner/name, owner/name@revision, "
    "owner/name/path/file.safetensors), or LoRAs on one of these (BASE + 0.8 * LORA, with spaces around + and *)"
)
MOST_LETTERS = 1 << 14  # of a source; four paths of the longest kind
_AS = " as "
_LONGEST_NAME = 255  # bytes of a file's name, on any system
# Each repeat keeps what it took, and none begins within blanks that another began: a person's line is read once.
_NUMBER = r"[-+－＋−]?(?:\d++(?:[.．]\d*+)?|[.．]\d++)(?:[eEｅＥ][-+－＋−]?\d++)?"
_PART = r"(?:\s++(?:unet|clip)|)"
_TIMES = r"(?:\s++\*\s++|\s*+[＊×]\s*+)"
_SIGN = re.compile(rf"(?:(?<!\s)\s++([-+])\s++|(?<=\S)\s*+([－＋−])\s*+)(?={_NUMBER}{_PART}(?:\s++\*\s|\s*+[＊×]))")
_TERM = re.compile(rf"({_NUMBER})({_PART}){_TIMES}(.+)", re.DOTALL)
_NAMED = re.compile(r"([^=＝/\\*＊×]++)(?:(?<=\s)=\s++|＝\s*+)(.+)", re.DOTALL)


@dataclass(frozen=True)
class SourceExpression:
    """A source as it is written.

    Attributes:
        name: what the writer calls it; `None` where nothing is said.
        base: the checkpoint, as it is written.
        adapters: scale and adapter, both as they are written; a sign in front is the scale's, and so is a word behind
            it that names a part.
        prediction: what it is said to predict, one of `STATED_PREDICTIONS`; `None` where its file says it.
    """

    name: str | None
    base: str
    adapters: tuple[tuple[str, str], ...] = ()
    prediction: str | None = None

    @property
    def uri(self) -> str:
        """The source without its name, in the form that recipes keep."""
        terms = " + ".join([self.base, *(f"{scale} * {adapter}" for scale, adapter in self.adapters)])
        return f"{terms}{_AS}{self.prediction}" if self.prediction else terms

    @property
    def text(self) -> str:
        """The source with its name, in the form that run files keep."""
        return f"{self.name} = {self.uri}" if self.name else self.uri

    def moved_to(self, places: Sequence[str]) -> SourceExpression:
        """Return the same with its base, then its adapters in their order, at other places."""
        base, *adapters = places
        scales = [scale for scale, _ in self.adapters]
        return replace(self, base=base, adapters=tuple(zip(scales, adapters, strict=True)))


def parse_source(text: str, folder: Path | None = None) -> SourceExpression:
    """Read what a person wrote.

    Args:
        text: see above.
        folder: where relative paths start; the working directory if left out.

    Raises:
        SourceError: no base, no adapter after a number, a number that is not finite, letters that no path can hold,
            more than `MOST_LETTERS`.
    """
    _check_letters(text)
    text = text.strip()
    if _exists(text, folder):
        return SourceExpression(None, text)
    named = _NAMED.fullmatch(text)
    name, rest = (named[1].strip(), named[2]) if named else (None, text)
    if named and _exists(rest, folder):
        return SourceExpression(name, rest)
    rest, prediction = _stated(rest)
    base, *others = _SIGN.split(rest)  # of each sign both spellings, one of them None, then what follows it
    if not base:
        raise SourceError("A source is named by nothing. {forms}.", forms=FORMS)
    adapters = []
    for plain, wide, other in zip(others[0::3], others[1::3], others[2::3], strict=True):
        term = _TERM.fullmatch(other)
        scale = _scale(term[1], _narrow(plain or wide)) if term else ""
        if term is None or not math.isfinite(float(scale)):
            raise SourceError("{text!r} cannot be read at {other!r}. {forms}.", text=text, other=other, forms=FORMS)
        adapters.append((" ".join([scale, *term[2].split()]), term[3]))
    for part in (base, *(adapter for _, adapter in adapters)):
        if any(len(os.fsencode(one)) > _LONGEST_NAME for one in part.split("/")):
            raise SourceError(
                "A source is named by a file of more than {longest_name} bytes. {forms}.",
                longest_name=_LONGEST_NAME,
                forms=FORMS,
            )
    return SourceExpression(name, base, tuple(adapters), prediction)


def parse_terms(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Split a source into its base and the adapters on it, each with its scale; see `parse_source`."""
    parsed = parse_source(text)
    return parsed.base, list(parsed.adapters)


def expression_predicting(uri: str, prediction_type: str) -> str:
    """Return what names a source that is said to predict something; whatever was said before is left out.

    Args:
        uri: the source as it is named now.
        prediction_type: as diffusers' schedulers call it.
    """
    return replace(parse_source(uri), prediction=prediction_type.replace("_", "-")).uri


def _stated(text: str) -> tuple[str, str | None]:
    """Split off what a source is said to predict."""
    rest, _, said = text.rpartition(_AS)
    prediction = unicodedata.normalize("NFKC", said).strip().lower()
    return (rest.rstrip(), prediction) if rest and prediction in STATED_PREDICTIONS else (text, None)


def _check_letters(text: str) -> None:
    """Refuse a text that is too long to be written by a person, or holds a zero or half of a letter."""
    if len(text) > MOST_LETTERS:
        raise SourceError(
            "A source is named by {letters} letters. Expected at most {most_letters}. {forms}.",
            letters=len(text),
            most_letters=MOST_LETTERS,
            forms=FORMS,
        )
    try:
        sound = b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        sound = False
    if not sound:
        raise SourceError("A source is named by letters that no path can hold. {forms}.", forms=FORMS)


def _exists(text: str, folder: Path | None) -> bool:
    """Return whether a path lies under a whole text; a text that no path can be lies nowhere."""
    try:
        return bool(text) and os.path.exists((folder or Path()) / os.path.expanduser(text))
    except ValueError:  # a zero in it
        return False


def _scale(number: str, sign: str) -> str:
    """Return a scale in ASCII, with the sign that stands before it."""
    number = _narrow(number)
    if sign == "+":
        return number
    return number[1:] if number.startswith("-") else f"-{number.removeprefix('+')}"


def _narrow(text: str) -> str:
    """Return full-width digits and signs as ASCII has them."""
    return unicodedata.normalize("NFKC", text).replace("−", "-")
