"""An append-only file of JSON objects, a line each: what people said, never edited, from which the rest is computed."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import filelock
from pydantic import AfterValidator, TypeAdapter, ValidationError

from pipelines.untrusted import Limits, UnreadableDocument, parse_json, read_bytes
from studio.errors import RunError

MOST_BYTES = 256 << 20  # of a journal; a vote has 300, a measurement of a thousand prompts 100 kB
_LINE = Limits(bytes=4 << 20)
logger = logging.getLogger(__name__)


def _checked_moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Moment = Annotated[str, AfterValidator(_checked_moment)]  # a time in ISO 8601, as an event has it


class Journal:
    """The events of one kind, oldest first. Several processes may append.

    A line that was cut short, or that is no event of this kind, is skipped, and a warning says how many were. One that
    is being written is waited for.
    """

    def __init__(self, path: Path, kind: Any = dict[str, Any]) -> None:
        """Open the journal in a file; `kind` is the type of its events, such as a `TypedDict`; more keys are kept."""
        self.path = path
        self._kind = kind

    def append(self, event: Mapping[str, Any]) -> None:
        """Write an event; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = (json.dumps(dict(event), ensure_ascii=False, separators=(",", ":")) + "\n").encode("utf-8", "replace")
        with self._lock(), open(self.path, "ab+", buffering=0) as file:
            size = file.tell()
            if size and not _ends_whole(file.fileno(), size):
                line = b"\n" + line  # somebody was cut short here; what comes now is a line of its own
            rest = memoryview(line)
            try:
                while rest:  # a write may take less than it is given
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:  # a full disk: whoever is told that it failed may say it again
                os.ftruncate(file.fileno(), size)
                raise

    def events(self) -> list[dict[str, Any]]:
        """Read every event, oldest first; none where nobody said anything yet.

        Raises:
            RunError: the file cannot be read, or is larger than `MOST_BYTES`.
        """
        if not self.path.is_file():
            return []
        try:
            lines = self._read().splitlines()
        except (OSError, UnreadableDocument) as error:
            raise RunError(
                "{path} cannot be read ({error}). Expected a journal; put a copy in its place.",
                path=self.path,
                error=error,
            ) from error
        kind, events, skipped = _adapter(self._kind), [], 0
        for line in filter(bytes.strip, lines):
            try:
                event = parse_json(line, _LINE)
                kind.validate_python(event)
            except (UnreadableDocument, ValidationError):
                skipped += 1
            else:
                events.append(event)
        if skipped:
            _warn_once(self.path, skipped)
        return events

    def _lock(self) -> filelock.BaseFileLock:
        return filelock.FileLock(self.path.with_suffix(".lock"))

    def _read(self) -> bytes:
        found = read_bytes(self.path, MOST_BYTES)
        if found and not found.endswith(b"\n"):  # a line across two pages of memory can be seen before it is whole
            with contextlib.suppress(OSError), self._lock():  # a folder that cannot be written to is no longer written
                found = read_bytes(self.path, MOST_BYTES)
        return found


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@functools.lru_cache(maxsize=1024)  # pages read journals again and again
def _warn_once(path: Path, skipped: int) -> None:
    logger.warning("%s: %d lines are no events and were skipped", path, skipped)


def _ends_whole(descriptor: int, size: int) -> bool:
    return os.pread(descriptor, 1, size - 1) == b"\n"
