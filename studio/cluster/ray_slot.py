"""The place of a worker on a cluster. Ray decides on which machine: one that has room, now or once one has joined."""

from __future__ import annotations

import functools
import logging
import pickle
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pipelines.errors import Phrase
from studio.jobs.worker_account import WorkerIdentity
from studio.jobs.worker_count import RayWorkers
from studio.workers.worker_pool import FAILED_STARTS, Patience, WorkerPool
from studio.workers.worker_process import Failed
from studio.workers.worker_slot import LostWorkerError, Note, WorkerSlot

from .actor import NodeOpener, Opening, WorkerActor

if TYPE_CHECKING:  # what computes is imported where it computes
    from studio.evaluation.worker import EvaluationRequest
    from studio.workers.worker_calibration import WorkerCalibration

logger = logging.getLogger(__name__)


def ray_pool(
    open_worker: NodeOpener,
    workers: RayWorkers,
    *,
    patience: Patience | None = None,
    calibration: WorkerCalibration | None = None,
) -> WorkerPool:
    """Return a pool of workers on the cluster that this process has joined.

    Args:
        open_worker: opens a worker, on a machine of the cluster.
        workers: how many, and what each takes; nothing left open.
        patience: how long a worker may be silent.
        calibration: see `WorkerPool`.
    """
    patience = patience or Patience()
    more = _RaySlots(open_worker, workers, patience.first)
    slots = [more.another() for _ in range(workers.ray or 1)]
    # A machine that goes takes all of its workers with it.
    failed_starts = max(FAILED_STARTS, len(slots) + 1)
    return WorkerPool(slots, more=more, patience=patience, failed_starts=failed_starts, calibration=calibration)


class _RaySlots:
    """Places for workers on the cluster, as many as are asked for: Ray has them wait; see `SlotSource`."""

    def __init__(self, open_worker: NodeOpener, share: RayWorkers, opening_limit: float) -> None:
        self._open_worker, self._share, self._opening_limit = open_worker, share, opening_limit

    def another(self) -> WorkerSlot:
        """One more place."""
        return RaySlot(self._open_worker, self._share, self._opening_limit)

    def give_back(self, slot: WorkerSlot) -> None:
        """Do nothing: what an actor had that ended is Ray's again."""


@functools.cache
def _remote_actor() -> Any:
    """The class of actors as Ray has it."""
    import ray  # an extra: who has no cluster has no Ray

    return ray.remote(WorkerActor)


class RaySlot(WorkerSlot):
    """The place of one actor, and of those that follow it where it is lost.

    An actor is asked for as soon as there is none, and waits with Ray until a machine has room for it. Until its worker
    is open, a thread listens to it.

    Args:
        open_worker: opens a worker, on a machine of the cluster.
        share: what an actor takes.
        opening_limit: seconds that a worker may be silent while it opens, once it has a machine.
    """

    may_be_left_out = True

    def __init__(self, open_worker: NodeOpener, share: RayWorkers, opening_limit: float) -> None:
        self._open_worker, self._share, self._opening_limit = open_worker, share, opening_limit
        self._actor: Any = None
        self._stream: Any = None  # of messages, in answer to what was asked last
        self._opened: Any = None  # `Ready`, `Failed` or `LostWorkerError`; None until one is known
        self._was_open = False
        self._listener: threading.Thread | None = None
        self._identity = WorkerIdentity("", "", "")

    def prepare(self, on_change: Callable[[], None], on_note: Note) -> None:
        """Ask for an actor where there is none."""
        if self._actor is not None:
            return
        self._was_open, self._opened = False, None
        remote = _remote_actor().options(
            num_gpus=self._share.gpus or 0,
            num_cpus=self._share.cpus or 1,
            max_restarts=0,  # the pool asks for another one
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._actor = remote.remote()
        self._stream = self._actor.open.options(num_returns="streaming").remote(self._open_worker)
        self._listener = threading.Thread(target=self._listen, args=(on_change, on_note), daemon=True)
        self._listener.start()

    @property
    def is_available(self) -> bool:
        """Whether the worker is open, or is known to be none."""
        return self._opened is not None

    @property
    def was_open(self) -> bool:
        """See `WorkerSlot`."""
        return self._was_open

    @property
    def identity(self) -> WorkerIdentity:
        """See `WorkerSlot`."""
        return self._identity

    def start(self) -> None:
        """Leave all to `prepare`."""

    def await_open(self, limit: float) -> None:
        """Say what became of opening the worker, which is known by now; see `WorkerSlot`."""
        opened = self._opened
        if isinstance(opened, LostWorkerError):
            self.clear()
            raise opened
        if isinstance(opened, Failed):
            self.kill()
            self.clear()
            raise opened.error
        self._identity, self._was_open = opened.identity, True

    def kill(self) -> None:
        """End the actor at once."""
        if self._actor is not None:
            import ray

            ray.kill(self._actor)

    def clear(self) -> None:
        """Forget the actor, if there is one; what is left of it is Ray's to clear away."""
        self._actor = self._stream = self._opened = None

    def join(self) -> None:
        """Wait until the thread that listens has heard that its actor ended."""
        if self._listener is not None:
            self._listener.join()

    def _listen(self, on_change: Callable[[], None], on_note: Note) -> None:
        """Hear the actor until its worker is open or lost, and remember which."""
        limit = None  # nobody knows when a machine has room
        try:
            while isinstance(reply := self._next(limit), Opening):
                logger.info("a worker on %s: %s", reply.node, reply.doing)
                on_note(reply.doing, reply.node)
                limit = self._opening_limit
        except LostWorkerError as lost:
            reply = lost
        self._opened = reply
        on_change()

    def _send(self, request: EvaluationRequest) -> None:
        self._stream = self._actor.evaluate.options(num_returns="streaming").remote(pickle.dumps(request))

    def _receive(self, limit: float | None) -> Any:
        import ray

        stream = self._stream
        try:
            ready, _ = ray.wait([stream], timeout=limit)
            return pickle.loads(ray.get(next(stream))) if ready else None
        except (ray.exceptions.RayError, StopIteration) as error:
            reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            self.kill()  # a machine that cannot be reached may be there
            self.clear()
            raise LostWorkerError(Phrase("ended with {reason}", reason=reason)) from None
