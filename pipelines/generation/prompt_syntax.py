"""How a prompt is to be read: as it stands, or with the weights and breaks that A1111's users write.

    (word)          weight 1.1; ((word)) 1.21
    (word:1.3)      weight 1.3
    [word]          weight 1 / 1.1
    \\( \\) \\[ \\]     brackets that are meant as letters; a backslash alone is left out
    BREAK           what follows goes into a chunk of its own
    <lora:x:0.8>    left out

Weights within weights multiply. A bracket that is never closed reaches to the end; one that was never opened is a
letter. Text only: `prompt_chunks` cuts what is read here into chunks of tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

PromptSyntax = Literal["plain", "a1111"]
PLAIN: PromptSyntax = "plain"
A1111: PromptSyntax = "a1111"

_ROUND, _SQUARE = 1.1, 1 / 1.1  # what a pair of brackets multiplies by
_BREAK = "BREAK"
_BREAK_WEIGHT = -1.0  # multiplied within brackets, where a break is then drawn as the word: so does A1111
_NETWORK = re.compile(r"<\w{1,64}:[^<>]{1,256}>")
_WORD = re.compile(r"\bBREAK\b")
_AND = re.compile(r"\bAND\b")
_PIECE = re.compile(
    r"(?P<escaped>\\[()\[\]\\]?+)"
    r"|(?P<mark>[()\[\]])"
    r"|:\s*+(?P<weight>[-+]?(?:\d++(?:\.\d*+)?+|\.\d++))\s*+\)"
    r"|[^\\()\[\]:]++|:"
)


@dataclass(frozen=True)
class WeightedText:
    """A stretch of a prompt, and how much it is to count; 1 is as usual."""

    text: str
    weight: float = 1.0


@dataclass
class _Reading:
    """What has been read of a prompt so far.

    Attributes:
        texts: stretches of text; a break is one that says BREAK.
        weights: theirs; that of a break is -1, and another within brackets.
        opened: by kind, brackets that are open: the number of texts before each, and its place in the prompt.
        signs: places of the prompt, from and to, that are syntax and not letters.
        editing: those of them that A1111 draws as something that changes from step to step.
    """

    texts: list[str] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    opened: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {"(": [], "[": []})
    signs: list[tuple[int, int]] = field(default_factory=list)
    editing: list[tuple[int, int]] = field(default_factory=list)

    def add(self, text: str, weight: float = 1.0) -> None:
        """Add a stretch of text."""
        self.texts.append(text)
        self.weights.append(weight)

    def multiply(self, since: int, by: float) -> None:
        """Multiply the weights of the texts from number `since` on."""
        self.weights[since:] = [weight * by for weight in self.weights[since:]]

    def close(self, bracket: str, by: float, stop: int) -> int | None:
        """Close the bracket of a kind that was opened last; returns its place, `None` where none is open."""
        if not self.opened[bracket]:
            return None
        since, start = self.opened[bracket].pop()
        self.multiply(since, by)
        self.signs.append((start, stop))
        return start


def parse_prompt(prompt: str) -> tuple[tuple[WeightedText, ...], ...]:
    """Read a prompt in A1111's syntax.

    Args:
        prompt: as it is written.

    Returns:
        The parts between breaks, each as stretches of text with their weights, neighbours of equal weight in one. A
        part may be empty.
    """
    reading = _read(_NETWORK.sub("", prompt))
    parts: list[list[WeightedText]] = [[]]
    for text, weight in zip(reading.texts, reading.weights, strict=True):
        if (text, weight) == (_BREAK, _BREAK_WEIGHT):
            parts.append([])
        elif parts[-1] and parts[-1][-1].weight == weight:
            parts[-1][-1] = WeightedText(parts[-1][-1].text + text, weight)
        else:
            parts[-1].append(WeightedText(text, weight))
    return tuple(map(tuple, parts))


def caption_of(prompt: str, syntax: PromptSyntax) -> str:
    """Return what a prompt says in words, for those who read no weights: scorers, and people.

    Args:
        prompt: as it is written; a plain one stays what it is.
        syntax: how it is read.
    """
    if syntax == PLAIN:
        return prompt
    texts = _read(_NETWORK.sub("", prompt)).texts
    return " ".join("".join(" " if text == _BREAK else text for text in texts).split())


def unread_syntax(prompt: str, syntax: PromptSyntax) -> tuple[str, ...]:
    """Return the places of a prompt that look like A1111's syntax and do not do what they do there.

    Plain, these are all its signs, which are drawn as letters. Read as A1111's, these are what changes from one step to
    the next (`[cat:dog:0.5]`, `[cat|dog]`), prompts joined by AND, breaks within brackets, all drawn as letters, and
    `<lora:x:1>`, which is left out.

    Args:
        prompt: as it is written.
        syntax: how it is read.

    Returns:
        Each place as it is written, outermost brackets only, in the order of the prompt.
    """
    reading = _read(prompt)
    breaks = [found.span() for found in _WORD.finditer(prompt)]  # as many as there are texts that say so
    places = [found.span() for pattern in (_NETWORK, _AND) for found in pattern.finditer(prompt)]
    if syntax == PLAIN:
        places += [*reading.signs, *breaks]
    else:
        weights = [weight for text, weight in zip(reading.texts, reading.weights, strict=True) if text == _BREAK]
        places += reading.editing
        places += [place for place, weight in zip(breaks, weights, strict=True) if weight != _BREAK_WEIGHT]
    return tuple(prompt[start:stop] for start, stop in _outermost(places))


def _read(prompt: str) -> _Reading:
    """Read a prompt, `<lora:x:1>` as letters."""
    reading = _Reading()
    for piece in _PIECE.finditer(prompt):
        start, stop = piece.span()
        mark = piece["mark"]
        rounded = float(piece["weight"]) if piece["weight"] else _ROUND if mark == ")" else None
        if piece["escaped"]:
            reading.add(piece[0][1:])
            reading.signs.append((start, stop))
        elif mark in ("(", "["):
            reading.opened[mark].append((len(reading.texts), start))
        elif rounded is not None and reading.close("(", rounded, stop) is not None:
            pass
        elif mark == "]" and (opened := reading.close("[", _SQUARE, stop)) is not None:
            if _is_editing(prompt[opened + 1 : stop - 1]):
                reading.editing.append((opened, stop))
        else:
            _add_text(reading, piece[0])
    for bracket, by in (("(", _ROUND), ("[", _SQUARE)):
        for since, start in reading.opened[bracket]:
            reading.multiply(since, by)
            reading.signs.append((start, start + 1))
    return reading


def _is_editing(inside: str) -> bool:
    """Return whether a square bracket holds `from:to:when`, `to:when`, or texts that take turns."""
    _, colon, number = inside.rpartition(":")
    return "|" in inside or bool(colon and number.strip().replace(".", "", 1).isdecimal())


def _add_text(reading: _Reading, text: str) -> None:
    """Add a stretch of text, with a break wherever it has the word."""
    first, *others = _WORD.split(text)
    reading.add(first.rstrip() if others else first)
    for number, other in enumerate(others, start=1):
        after = other.lstrip()
        reading.add(_BREAK, _BREAK_WEIGHT)
        reading.add(after.rstrip() if number < len(others) else after)


def _outermost(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the places that lie in no other, in order."""
    kept: list[tuple[int, int]] = []
    for start, stop in sorted(set(places), key=lambda place: (place[0], -place[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, stop))
    return kept
