"""Types, limits and defaults in words."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml

from studio.i18n import Lang
from studio.runs.run_keys import RunKey

from .phrases import NONE, code, say

_PLAIN = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path"}


def type_words(lang: Lang, annotation: Any) -> str:
    """What a value is, in words; lists and mappings as YAML would have them."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(lang, parts[0])
    if origin in (Union, types.UnionType):  # None stands for a key that may be left out
        return say(lang, " or ").join(type_words(lang, part) for part in parts if part is not type(None))
    if origin is Literal:
        return say(lang, " or ").join(code(str(part)) for part in parts)
    if origin in (tuple, list):
        return f"[{type_words(lang, parts[0])}, …]"
    if origin is dict:
        key, value = (type_words(lang, part) for part in parts)
        return f"{{{key}: {value}}}"
    return say(lang, _PLAIN.get(annotation, "keys of its own, see below"))


def limits_words(lang: Lang, row: RunKey) -> str:
    """Which values a key takes, of those that its type has."""
    return ", ".join(_limits(lang, row)) or NONE


def _limits(lang: Lang, row: RunKey) -> Iterator[str]:
    for sign, limit in (("≥", row.at_least), (">", row.above), ("≤", row.at_most)):
        if limit is not None:
            yield f"{sign} {limit:g}"
    if row.multiple_of is not None:
        yield say(lang, "a multiple of {n}", n=row.multiple_of)
    if row.fewest is not None and row.most is not None:
        yield say(lang, "{fewest} to {most} entries", fewest=row.fewest, most=row.most)
    elif row.fewest is not None:
        yield say(lang, "{fewest} or more entries", fewest=row.fewest)


def default_words(lang: Lang, row: RunKey) -> str:
    """What holds where a key is not given."""
    if row.required:
        return say(lang, "required")
    return NONE if row.default is None or row.holds_keys else code(as_yaml(row.default))


def as_yaml(value: Any) -> str:
    """A value as a run file has it, on one line."""
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("...\n").strip()
