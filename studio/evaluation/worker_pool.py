"""Workers in processes of their own on this machine: recipes travel to them, scores and PNG pictures come back.

A process that dies, or is not heard of for too long, loses the one evaluation that it had in hand: that runs again,
in another process where there is one. Which process does what changes no result, so nothing here is remembered in a
run.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import GenerationError, Phrase
from studio.errors import RunError
from studio.jobs.process import Stopped

from .worker_process import Broken, Drawn, Failed, WorkerOpener, serve

if TYPE_CHECKING:  # what computes is imported where it computes
    from .worker import EvaluationRequest, EvaluationResult

logger = logging.getLogger(__name__)

PROCESSES: Any = multiprocessing.get_context("spawn")  # CUDA cannot be used in what was forked from who used it
LOSSES = 3  # processes that one evaluation may cost before it is set aside
FAILED_STARTS = 3  # in a row, of all processes together


@dataclass(frozen=True)
class Patience:
    """How long a worker may be silent: it is heard of after each batch of pictures, and when all are scored.

    Attributes:
        first: seconds, as long as no evaluation has told how long that takes here, and to open a worker.
        least: seconds, ever after.
        factor: times the longest silence of an evaluation that went well.
    """

    first: float = 1800.0
    least: float = 120.0
    factor: float = 20.0

    def limit(self, longest: float | None) -> float:
        """Seconds after which a silent worker is given up, given the longest silence so far."""
        return self.first if longest is None else max(self.least, self.factor * longest)


class _LostError(Exception):
    """A process that is gone, or was given up; its reason says what it did."""

    def __init__(self, reason: Phrase) -> None:
        super().__init__(reason)
        self.reason = reason


class WorkerPool:
    """A `Worker` that does as many requests at once as it has processes; each starts when it is first needed.

    To be called from several threads.

    Args:
        open_worker: opens a worker in a process; pickled by its name.
        devices: one for each process, see `WorkerOpener`.
        patience: how long a worker may be silent.
    """

    def __init__(
        self, open_worker: WorkerOpener, devices: Sequence[int | None], *, patience: Patience | None = None
    ) -> None:
        self._patience = patience or Patience()
        self._changed = threading.Condition()  # guards all that follows
        self._slots = [_Slot(open_worker, device) for device in devices]
        self._free = list(self._slots)
        self._longest: float | None = None
        self._failed_starts = 0
        self._closed = False

    def evaluate(
        self, request: EvaluationRequest, on_progress: Callable[[int], None] | None = None
    ) -> EvaluationResult:
        """Draw and score in a process that is free, as soon as one is; see `Worker`.

        Pictures that are none are drawn once more elsewhere, before they are held to be the recipe's.

        Raises:
            GenerationError: they are none there either, or the request has cost three processes.
            RunError: processes end before they are open.
            Stopped: the pool was closed.
        """
        name, losses, broken = request.recipe.name, 0, False
        tried: list[_Slot] = []
        while True:
            with self._slot(tried) as slot:
                tried.append(slot)
                try:
                    self._open(slot)
                    silences, result = slot.evaluate(request, on_progress, self._limit)
                except _LostError as lost:
                    self._raise_if_closed()
                    if not slot.was_open:
                        self._count_failed_start(lost)
                        continue
                    losses += 1
                    if losses >= LOSSES:
                        raise GenerationError(
                            "{name} was set aside: {losses} workers were lost while they evaluated it; the last one "
                            "{lost}.",
                            name=name,
                            losses=losses,
                            lost=lost.reason,
                        ) from lost
                    logger.warning("a worker was lost while it evaluated %s, which runs again: it %s", name, lost)
                    continue
                except GenerationError as error:
                    if broken:
                        raise
                    logger.warning("%s is drawn again by another worker: %s", name, error)
                    broken = True
                    continue
                with self._changed:
                    self._longest = max(silences, self._longest or 0.0)
                return result

    def close(self) -> None:
        """End all processes; what they have in hand is given up."""
        with self._changed:
            self._closed = True
            for slot in self._slots:
                slot.kill()
            for slot in self._free:  # whoever uses one of the others clears it away
                slot.clear()
            self._changed.notify_all()

    @property
    def _limit(self) -> float:
        with self._changed:
            return self._patience.limit(self._longest)

    @contextlib.contextmanager
    def _slot(self, tried: Sequence[_Slot]) -> Iterator[_Slot]:
        """A process that nobody else uses meanwhile; one that was not tried yet, where there is any."""
        untried = [slot for slot in self._slots if slot not in tried] or self._slots
        with self._changed:
            while not self._closed and not any(slot in self._free for slot in untried):
                self._changed.wait()
            self._raise_if_closed()
            slot = next(slot for slot in untried if slot in self._free)
            self._free.remove(slot)
        try:
            yield slot
        finally:
            with self._changed:
                self._free.append(slot)
                self._changed.notify_all()

    def _open(self, slot: _Slot) -> None:
        with self._changed:
            self._raise_if_closed()
            slot.start()
        if not slot.was_open:
            slot.await_open(self._patience.first)
            with self._changed:
                self._failed_starts = 0

    def _count_failed_start(self, lost: _LostError) -> None:
        with self._changed:
            self._failed_starts += 1
            if self._failed_starts >= FAILED_STARTS:
                raise RunError(
                    "{starts} workers in a row ended before they were open; the last one {lost}. Expected memory for "
                    "one more pipeline per worker: ask for fewer workers, or see the run's log.",
                    starts=FAILED_STARTS,
                    lost=lost.reason,
                ) from lost

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise Stopped


class _Slot:
    """The place of one process, and of those that follow it where it is lost."""

    def __init__(self, open_worker: WorkerOpener, device: int | None) -> None:
        self._open_worker, self._device = open_worker, device
        self._process: Any = None
        self._connection: Any = None
        self.was_open = False  # whether the process that is there, or was there last, has been

    def start(self) -> None:
        """Start a process where there is none."""
        if self._process is not None:
            return
        self._connection, theirs = PROCESSES.Pipe()
        self.was_open = False
        self._process = PROCESSES.Process(target=serve, args=(theirs, self._open_worker, self._device), daemon=True)
        self._process.start()
        theirs.close()

    def await_open(self, limit: float) -> None:
        """Wait until the worker is open, for `limit` seconds of silence.

        Raises:
            M2N2Error: it cannot be opened.
            _LostError: the process ended.
        """
        reply = self._reply(limit)
        if isinstance(reply, Failed):
            self.clear()
            raise reply.error
        self.was_open = True

    def evaluate(
        self, request: EvaluationRequest, on_progress: Callable[[int], None] | None, limit: float
    ) -> tuple[float, EvaluationResult]:
        """Have the worker do a request; returns its longest silence in seconds, and what it gave.

        Raises:
            M2N2Error: as the worker says.
            _LostError: the process ended, or was silent for `limit` seconds.
        """
        silences, heard = [], time.monotonic()
        try:
            self._connection.send(request)
        except OSError:
            raise self._lost() from None
        while True:
            reply = self._reply(limit)
            silences.append(time.monotonic() - heard)
            heard = time.monotonic()
            if isinstance(reply, Failed):
                raise reply.error
            if not isinstance(reply, Drawn):
                result: EvaluationResult = reply
                return max(silences), result
            try:
                if on_progress:
                    on_progress(reply.pictures)
            except BaseException:  # given up: the process would go on with it
                self.kill()
                self.clear()
                raise

    def kill(self) -> None:
        """End the process at once; whoever waits for it hears that it ended."""
        process = self._process
        if process is not None:
            process.kill()

    def clear(self) -> int | None:
        """Clear the process away, if there is one; returns its exit code, below 0 the signal that it was killed by."""
        process, self._process = self._process, None
        if process is None:
            return None
        self._connection.close()
        process.join(timeout=5)  # it has nothing left to do
        process.kill()
        process.join()
        code: int | None = process.exitcode
        return code

    def _reply(self, limit: float) -> Any:
        try:
            reply = self._connection.recv() if self._connection.poll(limit) else None
        except (EOFError, OSError):
            raise self._lost() from None
        if reply is None:
            self.kill()
            self.clear()
            raise _LostError(Phrase("was not heard of for {seconds} seconds", seconds=f"{limit:.0f}"))
        if isinstance(reply, Broken):
            self.clear()
            raise _LostError(Phrase("ended with {reason}", reason=reply.reason))
        return reply

    def _lost(self) -> _LostError:
        return _LostError(Phrase("ended with exit code {code}", code=self.clear()))
