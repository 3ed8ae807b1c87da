"""The process that carries a run: one at a time, stopped after what is in hand, with its state left in the store."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import filelock

from pipelines.errors import M2N2Error
from studio.errors import RunError
from studio.runs.store import C, RunStore

from .device_queue import turn

logger = logging.getLogger(__name__)


class Stopped(Exception):
    """Someone asked the run to stop."""


def carry(store: RunStore[C], work: Callable[[], None]) -> None:
    """Do the work of a run as soon as a device is free, and keep in the store how it stands.

    Args:
        store: a new, stopped or interrupted run.
        work: carries it from where the store stands to its end; raises `Stopped` where it was asked to stop.

    Raises:
        RunError: another process carries this run already.
        M2N2Error: the run cannot go on; the reason is in the store too.
    """

    def waiting(before: int) -> None:
        if store.get("stop"):
            raise Stopped
        if store.get("before") != before:
            logger.info("waiting for %d other run(s) on this machine", before)
            store.put(status="queued", before=before)

    with locked(store), stop_on_signal(store):
        store.put(stop=False, error=None, before=0)
        try:
            with turn(waiting):
                store.put(status="running", before=0)
                work()
            store.put(status="done")
        except Stopped:
            store.put(status="stopped")
            logger.info("stopped; resume with --resume")
        except BaseException as error:
            store.put(status="failed", error=str(error) if isinstance(error, M2N2Error) else repr(error))
            raise


def standing(store: RunStore[C]) -> str:
    """How a run stands: its status, or `interrupted` where its process is gone."""
    said: str = store.get("status", "new")
    return "interrupted" if said in ("queued", "running", "reporting") and not is_running(store) else said


def is_running(store: RunStore[C]) -> bool:
    """Whether a process carries this run now; a killed one does not, whatever it last wrote."""
    return is_held(store.folder / "run.lock")


def ask_to_stop(store: RunStore[C]) -> None:
    """Ask the process that carries this run to stop after what is in hand."""
    store.put(stop=True)


@contextlib.contextmanager
def locked(store: RunStore[C]) -> Iterator[None]:
    """Hold the run against other processes.

    Raises:
        RunError: another one has it.
    """
    refusal = f"{store.folder} is being carried out by another process; watch it, or stop it first."
    with held(store.folder / "run.lock", refusal):
        yield


def is_held(lock: Path) -> bool:
    """Whether a process holds a lock file now."""
    try:
        with filelock.FileLock(lock).acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True


@contextlib.contextmanager
def held(lock: Path, refusal: str) -> Iterator[None]:
    """Hold a lock file against other processes.

    Raises:
        RunError: another one has it; says `refusal`.
    """
    file = filelock.FileLock(lock)
    try:
        file.acquire(timeout=1)  # `is_held` has it for a moment
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
            [sys.executable, "-m", "studio.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # an ended child nobody waits for stays as a zombie


@contextlib.contextmanager
def stop_on_signal(store: RunStore[C]) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into a stop after what is in hand; a second one ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: FrameType | None) -> None:
        signal.signal(number, before[number])
        # In a thread: this one may be amid a transaction that the store would wait for.
        threading.Thread(target=ask_to_stop, args=(store,)).start()

    before: dict[int, Any] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
