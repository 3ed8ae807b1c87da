"""YAML, JSON and text that others wrote: limited before the work, and nothing in them can end the process.

The C library behind YAML recurses for every bracket while it builds nodes, and overflows the stack at a hundred
thousand of them; its event stream does not. So values are built here from events, one after the other:

    limits    bytes, depth, values in all, letters of a text, digits of a number
    refused   anchors, aliases, merge keys and tags: nothing that this program writes has them, and few lines of them
              stand for gigabytes
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import InvalidValue, Phrase

from .errors import unreadable


@dataclass(frozen=True)
class Limits:
    """How much of a document is read: what is larger is refused before memory or time are spent on it."""

    bytes: int = 16 << 20
    depth: int = 64
    values: int = 1_000_000
    letters: int = 1 << 20  # of a key or a text


DOCUMENT = Limits()  # what people write, or a program writes for them
DATABASE = Limits(bytes=256 << 20, values=16_000_000, letters=64 << 20)  # a run's own state grows with the run
MOST_DIGITS = 400  # of a number: more than any float has; whole numbers are read in quadratic time


class UnreadableDocument(InvalidValue):
    """A text that is no YAML or JSON, or exceeds a limit; its message quotes nothing of what the text holds."""


def read_bytes(path: str | Path, most: int = DOCUMENT.bytes) -> bytes:
    """Read a file that is not larger than `most` bytes.

    Raises:
        OSError: it is not there, or cannot be read.
        UnreadableDocument: it is larger; its path is none.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except ValueError as error:  # a NUL, or half of a surrogate pair
        raise UnreadableDocument("the path holds a character that no path can") from error
    if len(content) > most:
        raise UnreadableDocument("more than {size}", size=_size(most))
    return content


def read_text(path: str | Path, most: int = DOCUMENT.bytes) -> str:
    """Read a text in UTF-8; raises as `read_bytes`, and where it is not UTF-8."""
    return _decoded(read_bytes(path, most))


def read_yaml(path: str | Path, limits: Limits = DOCUMENT) -> Any:
    """Read a YAML file; raises as `read_bytes` and `parse_yaml`."""
    return parse_yaml(read_text(path, limits.bytes), limits)


def read_json(path: str | Path, limits: Limits = DOCUMENT) -> Any:
    """Read a JSON file; raises as `read_bytes` and `parse_json`."""
    return parse_json(read_bytes(path, limits.bytes), limits)


def parse_yaml(text: str, limits: Limits = DOCUMENT) -> Any:
    """Return the value of a YAML document; `None` where it is empty.

    Raises:
        UnreadableDocument: no YAML, more than one document, what is refused here, or more than the limits.
    """
    _check_size(len(text), limits)
    try:
        values = _Builder(limits).values_of(yaml.parse(text, Loader=_LOADER))
        return values[0] if values else None
    except (yaml.YAMLError, UnicodeError) as error:
        raise UnreadableDocument("{problem}", problem=unreadable(error)) from error


def parse_yaml_documents(text: str, limits: Limits = DOCUMENT) -> list[Any]:
    """Return the values of the YAML documents in a text, in order; raises as `parse_yaml` does but for a second one."""
    _check_size(len(text), limits)
    try:
        return _Builder(limits, several=True).values_of(yaml.parse(text, Loader=_LOADER))
    except (yaml.YAMLError, UnicodeError) as error:
        raise UnreadableDocument("{problem}", problem=unreadable(error)) from error


def parse_json(text: str | bytes, limits: Limits = DOCUMENT) -> Any:
    """Return the value of a JSON text.

    Raises:
        UnreadableDocument: no JSON, halves of surrogate pairs, or more than the limits.
    """
    if not isinstance(text, str | bytes):  # a cell of a database may be anything
        raise UnreadableDocument("no text")
    _check_size(len(text), limits)
    text = _decoded(text) if isinstance(text, bytes) else text
    opened = text.count("[") + text.count("{")
    if text.count(",") + opened > limits.values:
        raise UnreadableDocument("more than {most:,} values", most=limits.values)
    if opened > limits.depth:
        _check_depth(text, limits.depth)
    try:
        content = json.loads(text, parse_int=_whole_number)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise UnreadableDocument("half of a surrogate pair, which is no letter") from error
    except json.JSONDecodeError as error:
        raise UnreadableDocument(
            "no JSON at line {line}, column {column}", line=error.lineno, column=error.colno
        ) from error
    except RecursionError as error:
        raise UnreadableDocument("{problem}", problem=unreadable(error)) from error
    return content


# The C library's parser is several times as fast, where it is there; both give events without recursion.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# Whole strings, or what is left of one that is not closed, so that no letter is looked at twice; and all else between.
_BETWEEN_BRACKETS = re.compile(r'(?:"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++)++', re.DOTALL)
_ONE_KIND = str.maketrans("{}", "[]")
_CORE = "tag:yaml.org,2002:"
_MERGE, _TEXT, _NUMBERS = f"{_CORE}merge", f"{_CORE}str", (f"{_CORE}int", f"{_CORE}float")
_MISSING = object()


class _Builder:
    """Builds the values of documents from their events: lists and mappings that are open lie on a stack."""

    def __init__(self, limits: Limits, *, several: bool = False) -> None:
        self._limits = limits
        self._several = several
        self._rules = yaml.SafeLoader("")  # what a plain text means: a number, a date, true, nothing
        self._open: list[list[Any] | dict[Any, Any]] = []
        self._keys: list[Any] = []  # of the open mappings: the key that waits for its value
        self._roots: list[Any] = []
        self._count = 0

    def values_of(self, events: Any) -> list[Any]:
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._check(event)
                self._put(self._scalar(event), event)
            elif kind is yaml.SequenceStartEvent or kind is yaml.MappingStartEvent:
                self._check(event)
                if event.tag is not None:
                    raise _refused(Phrase("a tag"), event)
                self._enter([] if kind is yaml.SequenceStartEvent else {}, event)
            elif kind is yaml.SequenceEndEvent or kind is yaml.MappingEndEvent:
                if isinstance(self._open.pop(), dict):
                    self._keys.pop()
            elif kind is yaml.AliasEvent:
                raise _refused(Phrase("an alias"), event)
            elif kind is yaml.DocumentStartEvent and self._roots and not self._several:
                raise _refused(Phrase("a second document"), event)
        return self._roots

    def _check(self, event: Any) -> None:
        if event.anchor is not None:
            raise _refused(Phrase("an anchor"), event)
        self._count += 1
        if self._count > self._limits.values:
            raise UnreadableDocument("more than {most:,} values", most=self._limits.values)

    def _enter(self, value: list[Any] | dict[Any, Any], event: Any) -> None:
        self._put(value, event)
        self._open.append(value)
        if isinstance(value, dict):
            self._keys.append(_MISSING)
        if len(self._open) > self._limits.depth:
            raise _refused(Phrase("brackets in brackets, more than {most} deep", most=self._limits.depth), event)

    def _put(self, value: Any, event: Any) -> None:
        if not self._open:
            self._roots.append(value)
            return
        around = self._open[-1]
        if isinstance(around, list):
            around.append(value)
        elif self._keys[-1] is _MISSING:
            if isinstance(value, list | dict):
                raise _refused(Phrase("a list or a mapping as a key"), event)
            self._keys[-1] = value
        else:
            around[self._keys[-1]] = value
            self._keys[-1] = _MISSING

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if len(text) > self._limits.letters:
            raise _refused(Phrase("a text of more than {most:,} letters", most=self._limits.letters), event)
        if event.tag is not None and event.tag != _TEXT:
            raise _refused(Phrase("a tag"), event)
        if event.tag is not None or not event.implicit[0]:
            return text
        tag = self._rules.resolve(yaml.ScalarNode, text, (True, False))
        if tag == _TEXT:
            return text
        if tag == _MERGE:
            raise _refused(Phrase("a merge key"), event)
        if tag in _NUMBERS and len(text) > MOST_DIGITS:
            raise _refused(Phrase("a number of more than {most} digits", most=MOST_DIGITS), event)
        try:
            return self._rules.construct_object(yaml.ScalarNode(tag, text))
        except (ValueError, OverflowError, yaml.YAMLError) as error:
            raise _refused(
                Phrase("no number and no date, though it looks like one (put it in quotes)"), event
            ) from error


def _refused(what: Phrase, event: Any) -> UnreadableDocument:
    mark = event.start_mark
    return UnreadableDocument(
        "{what} at line {line}, column {column}", what=what, line=mark.line + 1, column=mark.column + 1
    )


def _check_depth(text: str, most: int) -> None:
    """Refuse brackets in brackets that are more than `most` deep, those within texts not counted."""
    brackets = _BETWEEN_BRACKETS.sub("", text).translate(_ONE_KIND)
    for _ in range(most):  # the innermost pairs go, a level at a time
        around = brackets.replace("[]", "")
        if around == brackets:
            break
        brackets = around
    if "[]" in brackets or brackets.count("[") > most:
        raise UnreadableDocument("brackets in brackets, more than {most} deep", most=most)


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise UnreadableDocument("a number of more than {most} digits", most=MOST_DIGITS)
    return int(digits)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")  # editors of Windows put a mark before the first letter
    except UnicodeDecodeError as error:
        raise UnreadableDocument("{problem}", problem=unreadable(error)) from error


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.bytes:
        raise UnreadableDocument("more than {size}", size=_size(limits.bytes))


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >> 20 else f"{count} bytes"
