"""Work on blocks of tensors with several threads, each of which computes alone."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")
WORKERS = min(4, os.cpu_count() or 1)  # threads that read, sum and write; more would wait for disk and memory


def in_parallel(
    work: Callable[[Job], Result],
    jobs: Iterable[Job],
    *,
    workers: int = WORKERS,
    room: threading.Semaphore | None = None,
) -> Generator[Result]:
    """Do `work` on every job with several threads, and yield the results as they come.

    Workers fetch the jobs themselves, from `jobs` as it is needed: a future for each would cost more than the work on a
    block. No job is begun after an error, or once the caller has closed the iterator.

    Args:
        work: called in the threads, several at a time.
        jobs: what to call it with; read by one thread at a time.
        workers: how many threads.
        room: acquired before each job, for a caller that releases it when it is done with a result; any number of
            results wait if left out.

    Yields:
        What `work` returned, in the order in which jobs end, which is not that in which they begin.

    Raises:
        BaseException: what `work` or `jobs` raised first, in the caller's thread.
    """
    pending, job_lock, results = iter(jobs), threading.Lock(), queue.SimpleQueue[Result | _Ended]()
    stopped = threading.Event()

    def fetch() -> Iterator[Job]:
        while not stopped.is_set():
            if room:
                room.acquire()
            with job_lock:
                job = _ENDED if stopped.is_set() else next(pending, _ENDED)
            if isinstance(job, _Ended):
                if room:
                    room.release()
                return
            yield job

    def run() -> None:
        ended = _ENDED
        try:
            for job in fetch():
                results.put(work(job))
        except BaseException as error:  # raised again where the results are read
            stopped.set()
            ended = _Ended(error)
        results.put(ended)

    with one_torch_thread_each():
        threads = [threading.Thread(target=run, daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            running = workers
            while running:
                result = results.get()
                if not isinstance(result, _Ended):
                    yield result
                elif result.error:
                    raise result.error
                else:
                    running -= 1
        finally:
            stopped.set()
            if room:
                room.release(workers)  # those who wait for room see that it is over
            for thread in threads:
                thread.join()


def in_order(
    work: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int = WORKERS, ahead: int = 4 * WORKERS
) -> Generator[Result]:
    """Do as `in_parallel`, and yield the results in the order of the jobs.

    Args:
        work: called in the threads, several at a time.
        jobs: what to call it with; read by one thread at a time.
        workers: how many threads.
        ahead: the most jobs that are begun before their turn to be yielded has come: what waits in memory.

    Yields:
        What `work` returned, job by job.

    Raises:
        BaseException: what `work` or `jobs` raised first, in the caller's thread.
    """
    room = threading.Semaphore(ahead)
    waiting: dict[int, Result] = {}
    following = 0

    def numbered(job: tuple[int, Job]) -> tuple[int, Result]:
        return job[0], work(job[1])

    with contextlib.closing(in_parallel(numbered, enumerate(jobs), workers=workers, room=room)) as results:
        for number, result in results:
            waiting[number] = result
            while following in waiting:
                yield waiting.pop(following)
                room.release()
                following += 1


@dataclass(frozen=True)
class _Ended:
    """The last word of a worker: that it is done, or the error that stopped it."""

    error: BaseException | None = None


_ENDED = _Ended()
_callers_lock = threading.Lock()
_callers = 0
_threads_before = 1


@contextlib.contextmanager
def one_torch_thread_each() -> Iterator[None]:
    """Keep torch from splitting each small operation of a worker over all cores again, which costs more than it gains.

    Where other programs want the cores too, the threads that it was split over spin until the last of them had its
    turn: that took four times the processor time of what was to be done. It holds for this thread and for those that
    are started in it: torch keeps the number for each thread, and gives new threads the one that was set last. Everyone
    sets it for itself, to the one that held before the first of them.
    """
    global _callers, _threads_before
    with _callers_lock:
        if not _callers:
            _threads_before = torch.get_num_threads()
        _callers += 1
    torch.set_num_threads(1)
    try:
        yield
    finally:
        with _callers_lock:
            _callers -= 1
        torch.set_num_threads(_threads_before)
