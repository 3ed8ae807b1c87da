"""The studio's words in English and Japanese: `t(lang, key)` over `locales/*.json`, flat files with the same keys."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Literal, get_args

from pipelines.errors import M2N2Error, Phrase

Lang = Literal["en", "ja"]
LANGUAGES: tuple[Lang, ...] = get_args(Lang)
_LOCALES = Path(__file__).resolve().parent / "locales"


@functools.cache
def words(lang: Lang) -> dict[str, str]:
    """Read every phrase of a language, by key."""
    content: dict[str, str] = json.loads((_LOCALES / f"{lang}.json").read_text("utf-8"))
    return content


def t(lang: Lang, key: str, **values: object) -> str:
    """Say a phrase with its `{placeholders}` filled in; an unknown key, a mistake in the program, raises KeyError."""
    phrase = words(lang)[key]
    return phrase.format(**values) if values else phrase


def phrase(key: str, **values: object) -> Phrase:
    """A phrase of the pages as errors carry it, in no language yet; see `worded`."""
    return Phrase(words("en")[key], **values)


@functools.cache
def sentences(lang: Lang) -> dict[str, str]:
    """Templates of messages in a language, by the English ones: those of errors, and those of the pages."""
    errors: dict[str, str] = json.loads((_LOCALES / f"errors.{lang}.json").read_text("utf-8"))
    return {english: words(lang)[key] for key, english in words("en").items()} | errors


def worded(lang: Lang, message: object) -> str:
    """Say a message in a language: an error, or a phrase, with those among its values; all else as it stands."""
    said = message.phrase if isinstance(message, M2N2Error) else message
    if lang == "en" or not isinstance(said, Phrase):
        return str(said)
    values = {
        name: worded(lang, value) if isinstance(value, Phrase | M2N2Error) else value
        for name, value in said.values.items()
    }
    return sentences(lang).get(said.template, said.template).format(**values)


def category_label(lang: Lang, name: str) -> str:
    """Name a prompt category: translated where it is one of the embedded prompt sets', else as it was written."""
    return words(lang).get(f"category_{name}", name)


def chromosome_label(lang: Lang, name: str) -> str:
    """Name a chromosome: translated where the studio made it, else as the run file names it."""
    return words(lang).get(f"chromosome_{name}", name)


def preferred_language(accept_language: str | None) -> Lang:
    """Choose the language that a browser's Accept-Language header prefers; English where it names neither.

    Args:
        accept_language: such as `ja,en-US;q=0.7,en;q=0.3`.
    """
    candidates: list[tuple[float, int, Lang]] = []
    for place, entry in enumerate((accept_language or "").split(",")):
        tag, _, quality = entry.strip().partition(";q=")
        for lang in LANGUAGES:
            if tag.lower().split("-")[0] == lang:
                candidates.append((-_number(quality), place, lang))
    return min(candidates)[2] if candidates else "en"


def _number(quality: str) -> float:
    try:
        return float(quality or 1)
    except ValueError:
        return 0.0
