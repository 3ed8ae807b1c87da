"""Work on blocks of tensors with several threads, each of which computes alone."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")
WORKERS = min(4, os.cpu_count() or 1)  # threads that read, sum and write; more would wait for disk and memory


def in_parallel(work: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int = WORKERS) -> Iterator[Result]:
    """What `work` gives for each job, as they are done; none is begun after an error or once the caller has gone.

    Workers fetch the jobs themselves, from `jobs` as it is needed: a future for each would cost more than the work on a
    block.
    """
    waiting, turn, results = iter(jobs), threading.Lock(), queue.SimpleQueue[Result | _Ended]()
    given_up = threading.Event()

    def fetch() -> Iterator[Job]:
        while not given_up.is_set():
            with turn:
                job = next(waiting, _ENDED)
            if isinstance(job, _Ended):
                return
            yield job

    def run() -> None:
        ended = _ENDED
        try:
            for job in fetch():
                results.put(work(job))
        except BaseException as error:  # raised again where the results are read
            given_up.set()
            ended = _Ended(error)
        results.put(ended)

    with _threads_of_their_own():
        threads = [threading.Thread(target=run, daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            left = workers
            while left:
                result = results.get()
                if not isinstance(result, _Ended):
                    yield result
                elif result.error:
                    raise result.error
                else:
                    left -= 1
        finally:
            given_up.set()
            for thread in threads:
                thread.join()


@dataclass(frozen=True)
class _Ended:
    """A worker is done, or has failed."""

    error: BaseException | None = None


_ENDED = _Ended()
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
