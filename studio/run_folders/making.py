"""A new run's folder: filled under a hidden name beside its place, and renamed when it is whole."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import filelock

from studio.errors import RunError
from studio.jobs.process import is_locked

UNFINISHED = ".m2n2-unfinished-"  # how the hidden name begins
_LOCK = "run.lock"
_SECONDS_TO_LOCK = 60  # a folder that is younger may be about to be locked


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
    hidden = target.parent / f"{UNFINISHED}{target.name[:64]}-{uuid.uuid4().hex[:8]}"
    hidden.mkdir()
    try:
        with filelock.FileLock(hidden / _LOCK):
            yield hidden
        (hidden / _LOCK).unlink(missing_ok=True)
        _to_disk(hidden)
        refuse_occupied(Path(folder))
        if target.exists():
            target.rmdir()  # empty; not every system renames onto it
        os.rename(hidden, target)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise


def refuse_occupied(folder: Path) -> None:
    """Refuse a folder for a new run.

    Raises:
        RunError: it is a file, or there is something in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} is not empty. Expected a new folder; resume the run in it, or choose another name.")


def remove_unfinished(runs: Path) -> list[Path]:
    """Remove the hidden folders that died while they were filled; those that a process fills are left alone.

    Returns:
        What was removed.
    """
    removed = []
    for hidden in sorted(runs.glob(f"{UNFINISHED}*")):
        with contextlib.suppress(OSError):  # somebody else removes it, or it has just been renamed
            if time.time() - hidden.stat().st_mtime > _SECONDS_TO_LOCK and not is_locked(hidden / _LOCK):
                shutil.rmtree(hidden)
                removed.append(hidden)
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
