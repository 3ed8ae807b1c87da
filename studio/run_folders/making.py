"""A new run's folder: filled under a hidden name beside its place, and renamed when it is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pipelines.storage.unfinished import leftovers, remove_leftover, unfinished_folder
from studio.errors import RunError


@contextlib.contextmanager
def new_run_folder(folder: str | Path) -> Iterator[Path]:
    """Make the folder of a run: there is all of it when the block ends, or nothing when it fails or the process dies.

    Args:
        folder: where the run is to lie; nothing, or an empty folder.

    Yields:
        The hidden folder to fill; nothing in it may be open when the block ends.

    Raises:
        RunError: there is something in `folder` already.
    """
    target = Path(folder).resolve()
    refuse_occupied(Path(folder))
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished(target.parent)
    with unfinished_folder(target) as hidden:
        yield hidden
        _to_disk(hidden)
        refuse_occupied(Path(folder))
        if target.exists():
            target.rmdir()  # empty; not every system renames onto it
        os.rename(hidden, target)


def refuse_occupied(folder: Path) -> None:
    """Refuse a folder for a new run.

    Raises:
        RunError: it is a file, or there is something in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(
            "{folder} is not empty. Expected a new folder; resume the run in it, or choose another name.", folder=folder
        )


def remove_unfinished(runs: Path) -> list[Path]:
    """Remove the hidden folders that died while they were filled; those that a process fills are left alone.

    Returns:
        What was removed.
    """
    removed = []
    for leftover in leftovers(runs, below=False):
        with contextlib.suppress(OSError):  # somebody else removes it
            remove_leftover(leftover)
            removed.append(leftover.path)
    return removed


def _to_disk(folder: Path) -> None:
    """Have the system write files to the disk before their folder gets its name: a power cut leaves none half there."""
    if os.name != "posix":
        return
    for path in (*sorted(folder.rglob("*")), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
