"""Work on blocks of tensors with several threads, each of which computes alone."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")
WORKERS = min(4, os.cpu_count() or 1)  # threads that read, sum and write; more would wait for disk and memory


def in_parallel(work: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int = WORKERS) -> Iterator[Result]:
    """What `work` gives for each job, as they are done; a few jobs ahead, and none left running after an error."""
    with _threads_of_their_own(), ThreadPoolExecutor(workers) as pool:
        pending: set[Future[Result]] = set()
        try:
            for job in jobs:
                pending.add(pool.submit(work, job))
                if len(pending) > 4 * workers:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (one.result() for one in done)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        finally:
            for one in pending:
                one.cancel()


_lock = threading.Lock()
_inside = 0
_before = 1


@contextlib.contextmanager
def _threads_of_their_own() -> Iterator[None]:
    """Keep torch from splitting each small operation of a worker over all cores again, which costs more than it gains.

    torch keeps the number for each thread, and gives new threads the one that was set last: everyone sets it for
    itself, to the one that held before the first of them.
    """
    global _inside, _before
    with _lock:
        if not _inside:
            _before = torch.get_num_threads()
        _inside += 1
    torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
        torch.set_num_threads(_before)
