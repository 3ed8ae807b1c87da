"""What runs where a worker is: requests in, signs of life and results out, until nobody asks any more.

Imports nothing that computes: what does is opened by whoever the process is handed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.errors import M2N2Error
from studio.jobs.worker_account import WorkerIdentity

if TYPE_CHECKING:  # see above
    from studio.evaluation.worker import OpenedWorker

WorkerOpener = Callable[[int | None], "OpenedWorker"]  # told torch's number of its device; can be pickled


class Messages(Protocol):
    """How a worker is asked and answers, as a `Connection` has it."""

    def recv(self) -> Any:
        """Wait for what is asked next; raises `EOFError` where nobody asks any more."""

    def send(self, message: Any, /) -> None:
        """Answer; raises `BrokenPipeError` where nobody listens any more."""


@dataclass(frozen=True)
class Ready:
    """The worker is open, and this is where it computes."""

    identity: WorkerIdentity


@dataclass(frozen=True)
class Drawn:
    """So many pictures of the request are drawn."""

    pictures: int


@dataclass(frozen=True)
class Failed:
    """The worker cannot be opened, or what was asked for cannot be done; the process goes on."""

    error: M2N2Error


@dataclass(frozen=True)
class Broken:
    """Something happened that no worker is written for; the process ends."""

    reason: str


def serve(connection: Connection, open_worker: WorkerOpener, device: int | None) -> None:
    """Open a worker in a process of the run's, and have it do what comes through a connection; see `converse`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C asks the run to stop, and the run ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError):  # the run's process is gone, or gave this one up
        converse(connection, open_worker, device)


def converse(messages: Messages, open_worker: WorkerOpener, device: int | None) -> None:
    """Open a worker and have it do what it is asked.

    Args:
        messages: takes `EvaluationRequest`; gives `Ready` or `Failed` once, then for each request any number of
            `Drawn` and an `EvaluationResult` or `Failed`; `Broken` anywhere, as the last word.
        open_worker: opens it, here.
        device: see `WorkerOpener`.

    Raises:
        EOFError, BrokenPipeError: nobody asks any more.
        Exception: something happened that no worker is written for.
    """
    try:
        try:
            worker = open_worker(device)
        except M2N2Error as error:
            messages.send(Failed(error))
            return
        messages.send(Ready(worker.identity))
        while True:
            request = messages.recv()
            try:
                messages.send(worker.evaluate(request, lambda count: messages.send(Drawn(count))))
            except M2N2Error as error:
                messages.send(Failed(error))
    except (EOFError, BrokenPipeError):
        raise
    except Exception as error:
        messages.send(Broken(repr(error)))
        raise


def _end_with_parent() -> None:
    """End this process as soon as the one that started it is gone, whatever is being drawn."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
