"""How a run stands, and who carries it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pipelines.errors import Phrase
from studio.jobs.process import Stopped, hold_lock, is_locked

from .state import RunState, Status
from .store import C, RunStore

RUN_LOCK = "run.lock"  # of whoever carries a run
STARTING = 60.0  # seconds that a process may take from its call to its first word


def current_status(store: RunStore[C], state: RunState) -> Status | Literal["interrupted"]:
    """How a run stands: as its state says, `new` while a process comes up for it, `interrupted` where one is gone."""
    return status_of(store.folder, state)


def status_of(folder: Path, state: RunState) -> Status | Literal["interrupted"]:
    """The same, of the run in a folder."""
    if is_called(state):
        return "new"
    going_on = state.status in ("queued", "running", "reporting")
    return "interrupted" if going_on and not is_carried(folder) else state.status


def is_called(state: RunState) -> bool:
    """Whether a process was called to carry the run and may still be loading what it needs."""
    return state.called is not None and 0 <= time.time() - state.called < STARTING


def is_running(store: RunStore[C]) -> bool:
    """Whether a process carries this run now; a killed one does not, whatever it last wrote."""
    return is_carried(store.folder)


def is_carried(folder: Path) -> bool:
    """The same, of the run in a folder, which may be one that cannot be read."""
    return is_locked(folder / RUN_LOCK)


def ask_to_stop(store: RunStore[C]) -> None:
    """Ask the process that carries this run to stop after what is in hand."""
    store.update(stop=True)


def workers_wanted(store: RunStore[C]) -> int | None:
    """How many workers somebody wants this run to go on with; that field of the state alone."""
    wanted: int | None = store.read("workers_wanted")
    return wanted


def raise_if_stopped(store: RunStore[C]) -> None:
    """Give up what is in hand where the run was asked to stop.

    Raises:
        Stopped: it was.
    """
    if store.asked("stop"):
        raise Stopped


@contextlib.contextmanager
def locked(store: RunStore[C]) -> Iterator[None]:
    """Hold the run against other processes.

    Raises:
        RunError: another one has it.
    """
    refusal = Phrase(
        "{folder} is being carried out by another process; watch it, or stop it first.", folder=store.folder
    )
    with hold_lock(store.folder / RUN_LOCK, refusal):
        yield
