"""The error tree of the house.

Every error a user can meet descends from `M2N2Error`; its message says what was expected, what was found and what to
do about it. A message is a template in English, which is its key, and the values of its gaps: a page says it in its own
language (studio/i18n.py), the command line as it stands.

    M2N2Error
    ├── SourceError          a checkpoint that cannot be opened, or cannot be merged with the others
    ├── RecipeError          a recipe file that cannot be read, or does not fit its sources
    ├── PictureError         a picture file that cannot be read, or is larger than this program opens
    ├── GenerationError      a picture that could not be made
    ├── DeviceError          a device that has not got the memory; says nothing about the model
    ├── DiskError            a disk that has not got the room; nothing was written
    ├── ExportError          a checkpoint that could not be written
    │   └── LicenceError     (studio/errors.py) licences stand against it
    ├── EvalError            (eval/errors.py)   prompt sets and scorers
    ├── EvolutionError       (studio/evolution/errors.py) scores and archives that M2N2 is not defined for
    ├── ConfigError          (studio/errors.py) what a run is asked to do
    ├── RunError             (studio/errors.py) runs and their store
    └── AccessError          (studio/errors.py) who may come into the studio
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

_SHORT = 16  # letters of a word that a message may quote: names of formats are shorter, keys and tokens longer


class Phrase(str):
    """A piece of an English message that still knows its template and values, for whoever says it in another language.

    Values may be phrases or errors themselves.
    """

    def __new__(cls, template: str, /, **values: object) -> Self:
        """Fill the gaps, as `str.format` does."""
        return super().__new__(cls, template.format(**values))

    def __init__(self, template: str, /, **values: Any) -> None:
        self.template, self.values = template, values

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        """What pickling and copying make it again of."""
        return (self.template,), self.values


def joined(separator: str, phrases: Iterable[str]) -> Phrase:
    """Join phrases, and text that is the same in every language, into one that can still be said in another."""
    values = {f"part_{number}": one for number, one in enumerate(phrases)}
    return Phrase(separator.join(f"{{{name}}}" for name in values), **values)


class M2N2Error(Exception):
    """Root of all errors raised on purpose; `str(error)` is fit to be shown to a person.

    Args:
        template: the message in English, a literal, with gaps such as `{path}`; or a phrase that is the whole of it.
        values: what fills the gaps.
    """

    def __init__(self, template: str | Phrase, /, **values: object) -> None:
        super().__init__(template if isinstance(template, Phrase) else Phrase(template, **values))

    @property
    def phrase(self) -> Phrase:
        """The message with its template and values."""
        phrase: Phrase = self.args[0]
        return phrase


class InvalidValue(ValueError):
    """A value that a model of pydantic's does not take, raised in its validators; arguments as of `M2N2Error`."""

    def __init__(self, template: str, /, **values: object) -> None:
        self.phrase = Phrase(template, **values)
        super().__init__(str(self.phrase))


class SourceError(M2N2Error):
    """A checkpoint that cannot be opened, is damaged, or cannot be merged with the others."""


class RecipeError(M2N2Error):
    """A recipe that cannot be read, contradicts itself, or does not fit the sources it names."""


class PictureError(M2N2Error):
    """A picture file that cannot be read, or is larger than this program opens."""


class GenerationError(M2N2Error):
    """A picture that could not be made; never counted as a score."""


class DeviceError(M2N2Error):
    """A device ran out of memory: no fault of the individual in hand, so a run stops and can be resumed."""


class DiskError(M2N2Error):
    """A disk that has not got the room for what is to be written; nothing was written."""


class ExportError(M2N2Error):
    """A checkpoint that could not be written; nothing half-written is left behind."""


def unreadable(error: Exception) -> str:
    """What kept a file from being read, without a word of what the file holds: its path may have come from anywhere."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:  # str(error) quotes the line that it stumbled over, and some problems what was found there
        problem = str(getattr(error, "problem", None) or "'")
        where = Phrase("line {line}, column {column}", line=mark.line + 1, column=mark.column + 1)
        return (
            Phrase("no YAML at {where}", where=where)
            if "'" in problem or '"' in problem
            else Phrase("{problem} at {where}", problem=problem, where=where)
        )
    if isinstance(error, InvalidValue):
        return error.phrase
    if isinstance(error, UnicodeDecodeError):
        return Phrase("no {encoding} at byte {start}", encoding=error.encoding, start=error.start)
    if isinstance(error, RecursionError):
        return Phrase("brackets in brackets, deeper than can be read")
    return " ".join(str(error).split())


def validator_phrase(problem: Mapping[str, Any]) -> str:
    """What a validator said, one of pydantic's `ValidationError.errors()`: its phrase, where it raised one."""
    raised = problem.get("ctx", {}).get("error")
    if isinstance(raised, InvalidValue):
        return raised.phrase
    return str(problem["msg"]).removeprefix("Value error, ")


def disk_trouble(error: OSError) -> Phrase:
    """What kept a file or folder from being read or written, with what to do: a full disk, no permission."""
    found = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return Phrase("{found}. Expected a place that may be read and written, with room left.", found=found)


def short(value: object) -> str:
    """A plain value of a file as a message may say it: of a long text, and of what holds others, its kind alone."""
    if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _SHORT):
        return repr(value)
    return f"a {type(value).__name__}"
