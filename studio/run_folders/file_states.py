"""Whether the files of a run's folder changed: what was read of them is kept as long as they did not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

DATABASE_FILES = ("run.db", "run.db-wal")  # the files of a run's individuals, scores and state
FileStates = tuple[tuple[int, int] | None, ...]


def file_states(folder: Path, names: Iterable[str]) -> FileStates:
    """Return of each file when it was changed, in nanoseconds, and its size in bytes; `None` where it is not there."""
    return tuple(_state_of(folder / name) for name in names)


def _state_of(file: Path) -> tuple[int, int] | None:
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size
