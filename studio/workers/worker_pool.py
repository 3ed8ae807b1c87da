"""Workers that work elsewhere: recipes travel to them, scores and PNG pictures come back.

A worker that dies, or is not heard of for too long, loses the one evaluation that it had in hand: that runs again, at
another place where there is one. Which worker does what changes no result, and neither does how many there are.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import GenerationError, M2N2Error, Phrase
from studio.errors import RunError
from studio.jobs.worker_account import PoolAccount, PoolStatus

from .roster import Roster
from .worker_slot import LostWorkerError, SlotSource, WorkerSlot

if TYPE_CHECKING:  # what computes is imported where it computes
    from studio.evaluation.worker import EvaluationRequest, EvaluationResult

    from .worker_calibration import WorkerCalibration

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


# Told the identity of the scorer that the run scores with, and what compares workers on devices of several kinds.
PoolOpener = Callable[[Mapping[str, Any], "WorkerCalibration"], "WorkerPool"]


class WorkerPool:
    """A `Worker` that does as many requests at once as it has places with a worker.

    To be called from several threads.

    Args:
        slots: the places; the pool's alone from now on. The first is the last to be let go.
        more: where further places come from; None: there are never more than these.
        patience: how long a worker may be silent.
        failed_starts: workers in a row that may end before they are open.
        calibration: says which workers may draw, where they are on devices of several kinds; None: all may.
    """

    def __init__(
        self,
        slots: Sequence[WorkerSlot],
        *,
        more: SlotSource | None = None,
        patience: Patience | None = None,
        failed_starts: int = FAILED_STARTS,
        calibration: WorkerCalibration | None = None,
    ) -> None:
        self._patience, self._most_failed_starts = patience or Patience(), failed_starts
        self._calibration, self._account = calibration, PoolAccount()
        self._lock = threading.Lock()  # guards the next two
        self._longest: float | None = None
        self._failed_starts = 0
        self._roster = Roster(slots, more, self._account)

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
            with self._roster.using_one(tried) as slot:
                tried.append(slot)
                if not self._opened(slot):
                    continue
                try:
                    silence, result = self._evaluated(slot, request, on_progress)
                except LostWorkerError as lost:
                    self._roster.raise_if_closed()
                    self._account.lose(slot)
                    self._account.fail(slot, Phrase("It {lost}, with {name} in hand.", lost=lost.reason, name=name))
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
                    self._account.fail(slot, error.phrase)
                    if broken:
                        raise
                    logger.warning("%s is drawn again by another worker: %s", name, error)
                    broken = True
                    continue
                with self._lock:
                    self._longest = max(silence, self._longest or 0.0)
                return result

    def resize(self, count: int) -> None:
        """Have so many places from now on; see `Roster.resize`."""
        self._roster.resize(count)

    def grow(self) -> None:
        """Add the places that are wanted, as far as there are devices for them now."""
        self._roster.grow()

    @property
    def count(self) -> int:
        """How many workers there are that may be asked now."""
        return self._roster.at_hand

    @property
    def status(self) -> PoolStatus:
        """What the workers are about now."""
        return self._account.status(self._roster.missing)

    def close(self) -> None:
        """End all workers; what they have in hand is given up."""
        self._roster.close()

    @property
    def _limit(self) -> float:
        with self._lock:
            return self._patience.limit(self._longest)

    def _evaluated(
        self, slot: WorkerSlot, request: EvaluationRequest, on_progress: Callable[[int], None] | None
    ) -> tuple[float, EvaluationResult]:
        """What the worker of a place gives for a request, with account kept of it; see `WorkerSlot.evaluate`."""

        def drawn(pictures: int) -> None:
            self._account.drawn(slot, request.prompts_in(pictures))
            if on_progress:
                on_progress(pictures)

        self._account.begin(slot, request.recipe.name, request.prompt_count)
        well = False
        try:
            found = slot.evaluate(request, drawn, self._limit)
            well = True
            return found
        finally:
            self._account.end(slot, well=well)

    def _opened(self, slot: WorkerSlot) -> bool:
        """Open the worker of a place where it is not yet; whether it may draw, else another place is to be tried.

        Raises:
            M2N2Error: it cannot be opened, and there is nothing left to go on with.
            RunError: workers end before they are open.
        """
        self._roster.start(slot)
        if slot.was_open:
            return True
        self._account.say_opening(slot)
        try:
            slot.await_open(self._patience.first)
            self._account.open(slot, slot.identity)
            refusal = self._refusal(slot)
        except LostWorkerError as lost:
            self._roster.raise_if_closed()
            self._account.lose(slot)
            self._account.fail(slot, Phrase("It {lost}, before it was open.", lost=lost.reason))
            if self._roster.is_attached(slot) and self._roster.leave_out(slot):
                logger.warning("a worker that was attached ended before it was open, and is left out: it %s", lost)
            else:
                self._count_failed_start(lost)
            return False
        except M2N2Error as error:
            self._account.fail(slot, error.phrase)
            if not self._roster.leave_out(slot):
                raise
            logger.warning("a worker cannot be opened, the run goes on with the others: %s", error)
            return False
        if refusal is not None:
            self._account.fail(slot, refusal.phrase)
            if not self._roster.leave_out(slot, refused=True):
                raise refusal
            logger.warning("a worker may not draw, the run goes on with the others: %s", refusal)
            return False
        with self._lock:
            self._failed_starts = 0
        return True

    def _refusal(self, slot: WorkerSlot) -> RunError | None:
        """Why an open worker may not draw for the run; None where it may."""
        if self._calibration is not None:
            try:
                self._calibration.check(slot.identity, lambda request: self._evaluated(slot, request, None)[1])
            except RunError as error:
                return error
        return None

    def _count_failed_start(self, lost: LostWorkerError) -> None:
        with self._lock:
            self._failed_starts += 1
            if self._failed_starts >= self._most_failed_starts:
                raise RunError(
                    "{starts} workers in a row ended before they were open; the last one {lost}. Expected memory for "
                    "one more pipeline per worker: ask for fewer workers, or see the run's log.",
                    starts=self._failed_starts,
                    lost=lost.reason,
                ) from lost
