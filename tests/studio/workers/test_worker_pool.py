"""Workers in processes of their own: what one loses runs again elsewhere, and what it cannot survive is set aside."""

import os
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest

from pipelines.errors import GenerationError
from studio.errors import ConfigError, RunError
from studio.jobs.process import Stopped
from studio.workers.process_slot import process_pool
from studio.workers.worker_pool import LOSSES, Patience
from tests.stand_in_workers import (
    Devices,
    asked,
    cannot_open,
    ends_at_once,
    ends_with_its_driver,
    log,
    open_stand_in,
    opens_once,
    worth,
)


@pytest.fixture
def pool(tmp_path):
    opened = process_pool(partial(open_stand_in, tmp_path), [None, None])
    yield opened
    opened.close()


def test_requests_are_shared_between_processes_and_each_gets_its_own_answer(pool, tmp_path):
    names, told = [f"{number:04d}" for number in range(12)], []
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda name: pool.evaluate(asked(name), told.append), names))
    assert found == [worth(name) for name in names]
    assert told == [1] * 12
    assert len({process for process, _ in log(tmp_path)} - {str(os.getpid())}) == 2


@pytest.mark.parametrize("name", ["kills once", "breaks once"])
def test_what_a_worker_loses_or_breaks_runs_again_in_another(pool, tmp_path, name):
    assert pool.evaluate(asked(name), print) == worth(name)
    (first, _), (second, _) = log(tmp_path)
    assert first != second
    assert pool.evaluate(asked("0001"), print) == worth("0001")


def test_a_worker_that_is_not_heard_of_is_given_up(tmp_path):
    pool = process_pool(partial(open_stand_in, tmp_path), [None], patience=Patience(first=10))
    assert pool.evaluate(asked("hangs once"), print) == worth("hangs once")
    pool.close()
    (first, _), (second, _) = log(tmp_path)
    assert first != second
    with pytest.raises(ProcessLookupError):
        os.kill(int(first), 0)


def test_patience_grows_with_what_an_evaluation_takes_here():
    patience = Patience(first=1800, least=120, factor=20)
    assert [patience.limit(longest) for longest in (None, 0.1, 6.0, 90.0)] == [1800, 120, 120, 1800]


def test_who_kills_three_workers_is_set_aside_with_the_reason(pool, tmp_path):
    with pytest.raises(GenerationError, match=r"kills was set aside: 3 workers were lost .* ended with exit code -9"):
        pool.evaluate(asked("kills"), print)
    assert Counter(name for _, name in log(tmp_path)) == {"kills": LOSSES}
    assert pool.evaluate(asked("0001"), print) == worth("0001")


def test_who_cannot_be_drawn_by_two_workers_cannot_be_drawn(pool, tmp_path):
    with pytest.raises(GenerationError, match="came out with NaN"):
        pool.evaluate(asked("breaks"), print)
    assert len({process for process, _ in log(tmp_path)}) == 2


def test_a_worker_that_cannot_be_opened_says_why(tmp_path):
    pool = process_pool(cannot_open, [None])
    with pytest.raises(ConfigError, match="nothing to open"):
        pool.evaluate(asked("0001"))
    pool.close()


def test_workers_that_end_before_they_are_open_are_not_started_for_ever():
    pool = process_pool(ends_at_once, [None])
    with pytest.raises(RunError, match=r"3 workers in a row ended before they were open; .* exit code -9"):
        pool.evaluate(asked("0001"))
    pool.close()


def test_closing_gives_up_what_is_in_hand(pool, tmp_path):
    failed = []

    def wait():
        try:
            pool.evaluate(asked("waits"))
        except Stopped as error:
            failed.append(error)

    threads = [threading.Thread(target=wait) for _ in range(3)]  # one more than there are processes
    for thread in threads:
        thread.start()
    while not (tmp_path / "asked").is_file() or len(log(tmp_path)) < 2:
        threading.Event().wait(0.05)
    pool.close()
    for thread in threads:
        thread.join()
    assert len(failed) == 3
    for process, _ in log(tmp_path):
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)


def test_a_request_that_is_given_up_ends_its_process(pool, tmp_path):
    def stop(drawn):
        raise Stopped

    with pytest.raises(Stopped):
        pool.evaluate(asked("0001"), stop)
    assert pool.evaluate(asked("0001"), print) == worth("0001")


def test_ctrl_c_is_for_the_run_to_hear(pool, tmp_path):
    pool.evaluate(asked("0001"), print)
    for process, _ in log(tmp_path):
        os.kill(int(process), signal.SIGINT)
    pool.evaluate(asked("0001"), print)
    pool.evaluate(asked("0001"), print)
    assert len({process for process, _ in log(tmp_path)}) == 1  # the free one that was tried last comes first again


def test_workers_end_with_the_process_that_started_them(tmp_path):
    program = (
        "import functools, pathlib, sys\n"
        "from studio.workers.process_slot import process_pool\n"
        "from tests.stand_in_workers import asked, open_stand_in\n"
        "process_pool(functools.partial(open_stand_in, pathlib.Path(sys.argv[1])), [None]).evaluate(asked('waits'))"
    )
    ends_with_its_driver(program, tmp_path)


def started(pool, *names):
    """Evaluate in threads; gives what each comes to, once each has begun."""
    threads = ThreadPoolExecutor(len(names))
    return [threads.submit(pool.evaluate, asked(name), print) for name in names]


def until(condition):
    while not condition():
        threading.Event().wait(0.02)


def test_workers_are_attached_as_devices_come_free_and_let_go_after_what_they_have_in_hand(tmp_path):
    devices = Devices(7)
    with closing(process_pool(partial(open_stand_in, tmp_path), [0], devices=devices)) as pool:
        pool.resize(3)
        assert (len(pool.status.workers), pool.status.missing, devices.free) == (2, 1, [])
        devices.give_back(8)
        pool.grow()
        assert (len(pool.status.workers), pool.status.missing) == (3, 0)
        waiting = started(pool, "until told", "until told", "until told")
        until(lambda: (tmp_path / "asked").is_file() and len(log(tmp_path)) == 3)
        assert [worker.child for worker in pool.status.workers] == ["until told"] * 3
        pool.resize(1)
        assert [worker.leaving for worker in pool.status.workers] == [False, True, True]
        pool.resize(2)  # one may stay after all
        assert [worker.leaving for worker in pool.status.workers].count(True) == 1
        (tmp_path / "told").touch()
        assert [one.result() for one in waiting] == [worth("until told")] * 3
        assert (len(pool.status.workers), len(devices.free)) == (2, 1)
        pool.resize(1)  # nobody uses it: it ends at once
        assert (len(pool.status.workers), sorted(devices.free)) == (1, [7, 8])
        assert pool.evaluate(asked("0001"), print) == worth("0001")
        status = pool.status
        assert (status.evaluations, status.failed, status.workers[0].number) == (4, 0, 1)
        assert 0 < status.idle < 1
        assert status.per_minute > 0
    assert pool.status.workers == ()


def test_an_attached_worker_that_ends_before_it_is_open_is_left_out_and_the_run_goes_on(tmp_path):
    with closing(process_pool(partial(opens_once, tmp_path), [None], devices=Devices(None))) as pool:
        assert pool.evaluate(asked("0001"), print) == worth("0001")
        pool.resize(2)
        waiting = started(pool, "0002", "0003", "0004")
        assert [one.result() for one in waiting] == [worth(name) for name in ("0002", "0003", "0004")]
        status = pool.status
        assert ([worker.number for worker in status.workers], status.missing) == ([1], 0)
        assert [(one.worker, one.reason) for one in status.failures] == [
            (2, "It ended with exit code -9, before it was open.")
        ]
