"""Processes that outlive the one that started them, and locks that tell whether they live."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import filelock

from pipelines.errors import Phrase
from studio.errors import RunError


class Stopped(Exception):
    """Raised in work that a person asked to stop."""


def is_locked(lock: Path) -> bool:
    """Whether a process holds a lock file at this moment."""
    try:
        with filelock.FileLock(lock).acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True


@contextlib.contextmanager
def hold_lock(lock: Path, refusal: Phrase) -> Iterator[None]:
    """Hold a lock file against other processes.

    Raises:
        RunError: another one has it; says `refusal`.
    """
    file = filelock.FileLock(lock)
    try:
        file.acquire(timeout=1)  # `is_locked` has it for a moment
    except filelock.Timeout:
        raise RunError(refusal) from None
    try:
        yield
    finally:
        file.release()


def spawn(arguments: Sequence[str], log: Path) -> None:
    """Start a command of `m2n2` in a process of its own, which outlives this one; what it prints goes to `log`."""
    with open(log, "ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "studio.cli.app", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # an ended child nobody waits for stays as a zombie
