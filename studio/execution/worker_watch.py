"""What the workers of a run are about is told to its store, and how many somebody wants is heard there."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.errors import M2N2Error
from studio.jobs.worker_account import PoolStatus
from studio.runs.status import workers_wanted
from studio.runs.store import RunStore
from studio.workers.worker_calibration import WorkerCalibration
from studio.workers.worker_pool import PoolOpener, WorkerPool

logger = logging.getLogger(__name__)

SECONDS = 1.0  # between two looks


@contextlib.contextmanager
def watched(store: RunStore, open_workers: PoolOpener) -> Iterator[PoolOpener]:
    """Watch the workers that are opened, from a thread of its own, until the end of the context.

    Args:
        store: the run; gets `pool` of its state, and is asked for `workers_wanted`.
        open_workers: opens them.

    Yields:
        What opens them, and has them watched.
    """
    watches: list[_Watch] = []

    def opened(scorer: Mapping[str, Any], calibration: WorkerCalibration) -> WorkerPool:
        pool = open_workers(scorer, calibration)
        watches.append(_Watch(store, pool))
        return pool

    try:
        yield opened
    finally:
        for watch in watches:
            watch.end()


class _Watch:
    """The watch over one pool."""

    def __init__(self, store: RunStore, pool: WorkerPool) -> None:
        self._store, self._pool, self._count = store, pool, len(pool.status.workers)
        self._told: PoolStatus | None = None
        self._trouble = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Watch no longer; what the workers did stays in the store."""
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            wanted = workers_wanted(self._store)
            if wanted is not None and wanted != self._count:
                logger.warning("%d workers are wanted from now on, in place of %d", wanted, self._count)
                self._count = wanted
                self._pool.resize(wanted)
            self._pool.grow()  # a device may have come free
            status = self._pool.status
            left = sum(not worker.leaving for worker in status.workers) + status.missing
            if wanted is not None and status.workers and left < wanted:
                self._count = left  # some were left out: who wants them again may say so
                self._store.update(workers_wanted=left)
            if status != self._told:
                self._store.update(pool=status.model_dump())
                self._told = status
        except M2N2Error as error:  # such as a full disk: the run itself says so where it matters
            if str(error) != self._trouble:
                self._trouble = str(error)
                logger.warning("what the workers are about cannot be told: %s", error)
