"""Work on several threads: what comes back in which order, how much waits, and how it ends."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pipelines.storage.parallel import in_order, in_parallel, one_torch_thread_each


def squares(numbers):
    return [number * number for number in numbers]


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("ahead", [1, 3, 50])
def test_results_come_in_the_order_of_the_jobs(workers, ahead):
    assert list(in_order(lambda job: job * job, range(40), workers=workers, ahead=ahead)) == squares(range(40))


def test_a_slow_first_job_holds_the_others_back():
    """While the first one is at work, no more than `ahead` are begun: what waits for it fits the memory."""
    begun, may_end = [], threading.Event()

    def work(job):
        begun.append(job)
        if job == 0:
            may_end.wait(30)
        return job

    results = in_order(work, range(100), workers=3, ahead=5)
    releaser = threading.Timer(0.2, may_end.set)
    releaser.start()
    first = next(results)
    assert (first, max(begun) < 5 + 3) == (0, True)
    assert list(results) == list(range(1, 100))
    releaser.join()


@pytest.mark.parametrize("run", [in_order, in_parallel])
def test_an_error_of_a_job_reaches_the_caller_and_ends_the_others(run):
    before = threading.active_count()

    def work(job):
        if job == 7:
            raise ValueError("seven")
        return job

    with pytest.raises(ValueError, match="seven"):
        list(run(work, range(1000), workers=3))
    assert threading.active_count() == before


def test_a_caller_that_leaves_ends_the_workers():
    before, results = threading.active_count(), in_order(lambda job: job, iter(range(10**9)), workers=3, ahead=2)
    assert next(results) == 0
    time.sleep(0.05)  # so that all of them wait for room
    results.close()
    assert threading.active_count() == before


def test_an_error_of_the_jobs_themselves_ends_it():
    def jobs():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(in_order(lambda job: job, jobs(), workers=4, ahead=2))


def test_one_torch_thread_holds_for_this_thread_and_those_started_in_it():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_torch_thread_each(), ThreadPoolExecutor(1) as beside:
            assert (torch.get_num_threads(), beside.submit(torch.get_num_threads).result()) == (1, 1)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
