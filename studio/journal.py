"""An append-only file of JSON objects, a line each: what people said, never edited, from which the rest is computed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock


class Journal:
    """The events of one kind, oldest first. Several processes may append; a line that was cut short is skipped."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: Mapping[str, Any]) -> None:
        """Write an event; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = (json.dumps(dict(event), ensure_ascii=False, separators=(",", ":")) + "\n").encode()
        with filelock.FileLock(self.path.with_suffix(".lock")), open(self.path, "ab+", buffering=0) as file:
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
        """Read every event, oldest first; none where nobody said anything yet."""
        if not self.path.is_file():
            return []
        events = []
        for line in self.path.read_bytes().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                events.append(event)
        return events


def _ends_whole(descriptor: int, size: int) -> bool:
    return os.pread(descriptor, 1, size - 1) == b"\n"
