"""Workers in processes of their own on this machine, reached through pipes."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.errors import Phrase
from studio.jobs.worker_account import WorkerIdentity

from .worker_pool import Patience, WorkerPool
from .worker_process import Failed, WorkerOpener, serve
from .worker_slot import LostWorkerError, Note, WorkerSlot

if TYPE_CHECKING:  # what computes is imported where it computes
    from studio.evaluation.worker import EvaluationRequest

    from .worker_calibration import WorkerCalibration

PROCESSES: Any = multiprocessing.get_context("spawn")  # CUDA cannot be used in what was forked from who used it


class Devices(Protocol):
    """The devices of this machine that a run may use, as `HeldDevices` has them."""

    def another(self) -> Sequence[int | None]:
        """One more, or none where none is free."""

    def give_back(self, number: int | None) -> None:
        """Leave one to others."""


def process_pool(
    open_worker: WorkerOpener,
    numbers: Sequence[int | None],
    *,
    devices: Devices | None = None,
    patience: Patience | None = None,
    calibration: WorkerCalibration | None = None,
) -> WorkerPool:
    """Return a pool of processes on this machine; each starts when it is first needed.

    Args:
        open_worker: opens a worker in a process; pickled by its name.
        numbers: of the device of each process, see `WorkerOpener`.
        devices: where those of further processes come from; None: there are to be no others.
        patience: how long a worker may be silent.
        calibration: see `WorkerPool`.
    """
    slots = [ProcessSlot(open_worker, number) for number in numbers]
    more = None if devices is None else _ProcessSlots(open_worker, devices)
    return WorkerPool(slots, more=more, patience=patience, calibration=calibration)


class _ProcessSlots:
    """Places for more processes on the devices of this machine; see `SlotSource`."""

    def __init__(self, open_worker: WorkerOpener, devices: Devices) -> None:
        self._open_worker, self._devices = open_worker, devices

    def another(self) -> WorkerSlot | None:
        """One more place, on a device that is free."""
        numbers = self._devices.another()
        return ProcessSlot(self._open_worker, numbers[0]) if numbers else None

    def give_back(self, slot: WorkerSlot) -> None:
        """Leave the device of a place to others."""
        assert isinstance(slot, ProcessSlot)
        self._devices.give_back(slot.device)


class ProcessSlot(WorkerSlot):
    """The place of one process, and of those that follow it where it is lost; arguments as of `process_pool`."""

    def __init__(self, open_worker: WorkerOpener, device: int | None) -> None:
        self._open_worker, self.device = open_worker, device
        self._process: Any = None
        self._connection: Any = None
        self._was_open = False
        self._identity = WorkerIdentity(socket.gethostname(), "", "")

    def prepare(self, on_change: Callable[[], None], on_note: Note) -> None:
        """Leave all to `start`: a process that nobody needs takes memory."""

    @property
    def is_available(self) -> bool:
        """True: a process is started by whoever needs it."""
        return True

    @property
    def was_open(self) -> bool:
        """See `WorkerSlot`."""
        return self._was_open

    @property
    def identity(self) -> WorkerIdentity:
        """See `WorkerSlot`."""
        return self._identity

    def start(self) -> None:
        """Start a process where there is none."""
        if self._process is not None:
            return
        self._connection, theirs = PROCESSES.Pipe()
        self._was_open = False
        self._process = PROCESSES.Process(target=serve, args=(theirs, self._open_worker, self.device), daemon=True)
        self._process.start()
        theirs.close()

    def await_open(self, limit: float) -> None:
        """Wait until the worker is open; see `WorkerSlot`."""
        reply = self._next(limit)
        if isinstance(reply, Failed):
            self.clear()
            raise reply.error
        self._identity, self._was_open = reply.identity, True

    def kill(self) -> None:
        """End the process at once."""
        process = self._process
        if process is not None:
            process.kill()

    def clear(self) -> None:
        """Clear the process away, if there is one."""
        self._cleared()

    def join(self) -> None:
        """Do nothing: who ended the process has waited for it."""

    def _cleared(self) -> int | None:
        """Clear the process away; returns its exit code, below 0 the signal that it was killed by."""
        process, self._process = self._process, None
        if process is None:
            return None
        self._connection.close()
        process.join(timeout=5)  # it has nothing left to do
        process.kill()
        process.join()
        code: int | None = process.exitcode
        return code

    def _send(self, request: EvaluationRequest) -> None:
        try:
            self._connection.send(request)
        except OSError:
            raise self._lost() from None

    def _receive(self, limit: float | None) -> Any:
        try:
            return self._connection.recv() if self._connection.poll(limit) else None
        except (EOFError, OSError):
            raise self._lost() from None

    def _lost(self) -> LostWorkerError:
        return LostWorkerError(Phrase("ended with exit code {code}", code=self._cleared()))
