"""Workers that work elsewhere: recipes travel to them, scores and PNG pictures come back.

A worker that dies, or is not heard of for too long, loses the one evaluation that it had in hand: that runs again, at
another place where there is one. Which worker does what changes no result, so nothing here is remembered in a run.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import GenerationError, M2N2Error
from studio.errors import RunError
from studio.jobs.process import Stopped

from .worker_slot import LostWorkerError, WorkerSlot

if TYPE_CHECKING:  # what computes is imported where it computes
    from studio.evaluation.worker import EvaluationRequest, EvaluationResult

logger = logging.getLogger(__name__)

LOSSES = 3  # workers that one evaluation may cost before it is set aside
FAILED_STARTS = 3  # in a row, of all workers together


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


PoolOpener = Callable[[Mapping[str, Any]], "WorkerPool"]  # told the identity of the scorer that the run scores with


class WorkerPool:
    """A `Worker` that does as many requests at once as it has places with a worker.

    To be called from several threads.

    Args:
        slots: the places; the pool's alone from now on.
        patience: how long a worker may be silent.
        failed_starts: workers in a row that may end before they are open.
    """

    def __init__(
        self, slots: Sequence[WorkerSlot], *, patience: Patience | None = None, failed_starts: int = FAILED_STARTS
    ) -> None:
        self._patience, self._most_failed_starts = patience or Patience(), failed_starts
        self._changed = threading.Condition()  # guards all that follows
        self._slots = list(slots)
        self._free = set(slots)  # those that nobody uses
        self._longest: float | None = None
        self._failed_starts = 0
        self._closed = False
        for slot in slots:
            slot.prepare(self._wake)

    def evaluate(
        self, request: EvaluationRequest, on_progress: Callable[[int], None] | None = None
    ) -> EvaluationResult:
        """Draw and score with a worker that is free, as soon as one is; see `Worker`.

        Pictures that are none are drawn once more elsewhere, before they are held to be the recipe's.

        Raises:
            GenerationError: they are none there either, or the request has cost three workers.
            RunError: workers end before they are open.
            Stopped: the pool was closed.
        """
        name, losses, broken = request.recipe.name, 0, False
        tried: list[WorkerSlot] = []
        while True:
            with self._slot(tried) as slot:
                tried.append(slot)
                if not self._opened(slot):
                    continue
                try:
                    silence, result = slot.evaluate(request, on_progress, self._limit)
                except LostWorkerError as lost:
                    self._raise_if_closed()
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
                    self._longest = max(silence, self._longest or 0.0)
                return result

    def close(self) -> None:
        """End all workers; what they have in hand is given up."""
        with self._changed:
            self._closed = True
            for slot in self._slots:
                slot.kill()
            for slot in self._free:  # whoever uses one of the others clears it away
                slot.clear()
            self._changed.notify_all()
        for slot in self._slots:
            slot.join()

    @property
    def _limit(self) -> float:
        with self._changed:
            return self._patience.limit(self._longest)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    @contextlib.contextmanager
    def _slot(self, tried: Sequence[WorkerSlot]) -> Iterator[WorkerSlot]:
        """A place that nobody else uses meanwhile; one that was not tried yet, where there is any."""
        with self._changed:
            while (slot := self._choice(tried)) is None:
                self._changed.wait()
            self._free.remove(slot)
        try:
            yield slot
        finally:
            with self._changed:
                if slot in self._slots:
                    self._free.add(slot)
                    if not self._closed:
                        slot.prepare(self._wake)
                self._changed.notify_all()

    def _choice(self, tried: Sequence[WorkerSlot]) -> WorkerSlot | None:
        """The first free place with a worker that was not tried yet; None where that takes waiting for.

        Those without a worker do not count, or a machine that never comes would be waited for.
        """
        self._raise_if_closed()
        at_hand = [slot for slot in self._slots if slot.is_available or slot not in self._free]
        wanted = [slot for slot in at_hand if slot not in tried] or at_hand
        return next((slot for slot in wanted if slot in self._free), None)

    def _opened(self, slot: WorkerSlot) -> bool:
        """Open the worker of a place where it is not yet; whether it is, else another place is to be tried.

        Raises:
            M2N2Error: it cannot be opened, and there is nothing left to go on with.
            RunError: workers end before they are open.
        """
        with self._changed:
            self._raise_if_closed()
            slot.start()
        if slot.was_open:
            return True
        try:
            slot.await_open(self._patience.first)
        except LostWorkerError as lost:
            self._raise_if_closed()
            self._count_failed_start(lost)
            return False
        except M2N2Error as error:
            if not self._leave_out(slot):
                raise
            logger.warning("a worker cannot be opened, the run goes on with the others: %s", error)
            return False
        with self._changed:
            self._failed_starts = 0
        return True

    def _leave_out(self, slot: WorkerSlot) -> bool:
        """Do without a place from now on, if it may be left out and is not the last one; whether that is so."""
        with self._changed:
            left_out = slot.may_be_left_out and len(self._slots) > 1
            if left_out:
                self._slots.remove(slot)
            return left_out

    def _count_failed_start(self, lost: LostWorkerError) -> None:
        with self._changed:
            self._failed_starts += 1
            if self._failed_starts >= self._most_failed_starts:
                raise RunError(
                    "{starts} workers in a row ended before they were open; the last one {lost}. Expected memory for "
                    "one more pipeline per worker: ask for fewer workers, or see the run's log.",
                    starts=self._failed_starts,
                    lost=lost.reason,
                ) from lost

    def _raise_if_closed(self) -> None:
        if self._closed:
            raise Stopped
