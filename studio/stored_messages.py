"""Messages that were kept as English text, in a run's database or by another process: which of the program's they are.

A run says in English why it failed, whoever looks at it. Its page finds the template that the text was made of, and
says it in its own language.
"""

from __future__ import annotations

import ast
import functools
import string
from collections.abc import Sequence
from typing import NamedTuple

from pipelines.errors import Phrase
from studio.i18n import sentences

_TELLING = 12  # letters that a template has beside its gaps; one of fewer fits what it was not made for


class _Gap(NamedTuple):
    """A gap of a template, and the text in front of it."""

    before: str
    name: str
    spec: str
    quoted: bool


class _Template(NamedTuple):
    text: str
    gaps: tuple[_Gap, ...]
    end: str


def stored_phrase(text: str) -> str:
    """The phrase that a text was made as, with what is a message among its values; the text itself where it is none."""
    for template in _templates():
        if (values := _values(template, text)) is not None:
            phrase = Phrase(template.text, **values)
            if phrase == text:
                return phrase
    return text


@functools.cache
def _templates() -> Sequence[_Template]:
    """Templates that tell something, those with most words of their own first."""
    found = []
    for text in sentences("ja"):
        gaps, before = [], ""
        for literal, name, spec, conversion in string.Formatter().parse(text):
            before += literal
            if name is not None:
                gaps.append(_Gap(before, name, spec or "", conversion == "r"))
                before = ""
        found.append((sum(map(str.isalpha, "".join([*(gap.before for gap in gaps), before]))), text, gaps, before))
    telling = sorted((one for one in found if one[0] >= _TELLING), key=lambda one: -one[0])
    return tuple(_Template(text, tuple(gaps), end) for _, text, gaps, end in telling)


def _values(template: _Template, text: str) -> dict[str, object] | None:
    """What fills a template's gaps so that it says a text, each as short as can be; `None` where it does not fit."""
    if not template.gaps:
        return {} if text == template.text else None
    first = template.gaps[0].before
    if not (text.startswith(first) and text.endswith(template.end)):
        return None
    values: dict[str, object] = {}
    place, last = len(first), len(text) - len(template.end)
    for gap, after in zip(template.gaps, [*(gap.before for gap in template.gaps[1:]), None], strict=True):
        until = last if after is None else text.find(after, place, last)
        if until < place:
            return None
        if (value := _read(gap, text[place:until])) is None:
            return None
        values.setdefault(gap.name, value)
        place = until + len(after or "")
    return values


def _read(gap: _Gap, text: str) -> object | None:
    """The value that a gap's text stands for; `None` where it is none that the gap can show."""
    try:
        if gap.quoted:
            return ast.literal_eval(text)
        if gap.spec:
            number = float(text.replace(",", "").removesuffix("%"))
            return number / 100 if text.endswith("%") else int(number) if gap.spec == "," else number
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return stored_phrase(text) if text else text
