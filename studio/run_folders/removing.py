"""A run is removed: out of sight at once, then from the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipelines.errors import Phrase
from pipelines.storage.unfinished import unfinished_path
from studio.jobs.process import hold_lock
from studio.runs.status import RUN_LOCK


def run_size(folder: Path) -> int:
    """Add up the bytes of all files of a run."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def remove_run(folder: Path) -> None:
    """Remove a run with all that lies in its folder.

    It is renamed first, to a name of what is not finished: a process that dies on the way leaves no half of a run, but
    a leftover that the next run, or `m2n2 clean`, removes.

    Raises:
        RunError: a process carries the run.
        OSError: it cannot be removed.
    """
    refusal = Phrase("Run {run} is going on. End it, or pause it, before it is deleted.", run=folder.name)
    with hold_lock(folder / RUN_LOCK, refusal):
        hidden = unfinished_path(folder)
        os.rename(folder, hidden)
    shutil.rmtree(hidden)
