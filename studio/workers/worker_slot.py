"""The place of one worker that works elsewhere: what a pool asks of it, however it is reached.

A worker is asked by messages, see `worker_process.converse`. What differs from one kind of place to another is how a
worker is started, how messages travel, and how it is ended.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.errors import Phrase
from studio.jobs.worker_account import WorkerIdentity

from .worker_process import Broken, Drawn, Failed

if TYPE_CHECKING:  # what computes is imported where it computes
    from studio.evaluation.worker import EvaluationRequest, EvaluationResult


class LostWorkerError(Exception):
    """A worker that is gone, or was given up; its reason says what it did."""

    def __init__(self, reason: Phrase) -> None:
        super().__init__(reason)
        self.reason = reason


Note = Callable[[str, str], None]  # what a worker is about while it opens, and on which machine


class WorkerSlot(ABC):
    """The place of one worker, and of those that follow it where it is lost.

    Attributes:
        may_be_left_out: whether the run goes on with the others where a worker cannot be opened here: it is another
            machine than theirs.
    """

    may_be_left_out = False

    @abstractmethod
    def prepare(self, on_change: Callable[[], None], on_note: Note) -> None:
        """Do what can be done before there is a request.

        Args:
            on_change: called whenever `is_available` may differ.
            on_note: told what a worker is about that is not open yet.
        """

    @property
    @abstractmethod
    def is_available(self) -> bool:
        """Whether a request may be brought here now, be it to hear that no worker can be opened."""

    @property
    @abstractmethod
    def was_open(self) -> bool:
        """Whether the worker that is there, or was there last, has been open."""

    @property
    @abstractmethod
    def identity(self) -> WorkerIdentity:
        """Where the worker computes; to be asked once it is open."""

    @abstractmethod
    def start(self) -> None:
        """Start a worker where there is none."""

    @abstractmethod
    def await_open(self, limit: float) -> None:
        """Wait until the worker is open, for `limit` seconds of silence.

        Raises:
            M2N2Error: it cannot be opened.
            LostWorkerError: it is gone.
        """

    @abstractmethod
    def kill(self) -> None:
        """End the worker at once; whoever waits for it hears that it ended."""

    @abstractmethod
    def clear(self) -> None:
        """Clear the worker away, if there is one; `start` starts another."""

    @abstractmethod
    def join(self) -> None:
        """Wait until nothing of this place is at work any more, after the last worker was ended."""

    @abstractmethod
    def _send(self, request: EvaluationRequest) -> None:
        """Hand the worker a request.

        Raises:
            LostWorkerError: it is gone.
        """

    @abstractmethod
    def _receive(self, limit: float | None) -> Any:
        """Return the next message; None after `limit` seconds of silence, if there is a limit.

        Raises:
            LostWorkerError: the worker is gone, and was cleared away.
        """

    def evaluate(
        self, request: EvaluationRequest, on_progress: Callable[[int], None] | None, limit: float
    ) -> tuple[float, EvaluationResult]:
        """Have the worker do a request; returns its longest silence in seconds, and what it gave.

        Raises:
            M2N2Error: as the worker says.
            LostWorkerError: the worker ended, or was silent for `limit` seconds.
        """
        silences, heard = [], time.monotonic()
        self._send(request)
        while True:
            reply = self._next(limit)
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
            except BaseException:  # given up: the worker would go on with it
                self.kill()
                self.clear()
                raise

    def _next(self, limit: float | None) -> Any:
        """Return the next message of a worker that is to be heard of within `limit` seconds.

        Raises:
            LostWorkerError: it is gone, or is given up here.
        """
        reply = self._receive(limit)
        if reply is None:
            self.kill()
            self.clear()
            raise LostWorkerError(Phrase("was not heard of for {seconds} seconds", seconds=f"{limit or 0:.0f}"))
        if isinstance(reply, Broken):
            self.kill()
            self.clear()
            raise LostWorkerError(Phrase("ended with {reason}", reason=reply.reason))
        return reply


class SlotSource(Protocol):
    """Where more places come from while a run goes on, and go to when they are not wanted any more."""

    def another(self) -> WorkerSlot | None:
        """One more place; None where there is no device for it now."""

    def give_back(self, slot: WorkerSlot) -> None:
        """Have others use what a place took, once its worker has ended."""
