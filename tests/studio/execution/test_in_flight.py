"""Several offspring in flight: the same run whoever ends first, however often it is killed, whatever its budget was.

Nothing is drawn: what an individual is worth hangs on its recipe alone.
"""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial

import pytest

from studio.execution.creation import create_run
from studio.jobs.process import Stopped
from studio.runs.status import ask_to_stop
from studio.runs.store import open_run
from studio.workers.process_slot import process_pool
from tests.processes import FORKED
from tests.stand_in_runs import carry, quick
from tests.stand_in_workers import asked, open_stand_in
from tests.studio.conftest import archive_of


def carry_in_processes(folder, notes):
    """The same in worker processes, three at once, in a process that may be killed."""
    store = open_run(folder)
    with ExitStack() as opened:
        executor = opened.enter_context(ThreadPoolExecutor(6))
        pool = opened.enter_context(closing(process_pool(partial(open_stand_in, notes), [None] * 3)))
        carry(store, 3, evaluate=lambda name: pool.evaluate(asked(name), print), executor=executor)
    store.close()


@pytest.fixture
def new(small_config, tmp_path):
    """Gives new runs."""
    stores = []

    def make(**changes):
        changes = {"evaluations": 12, "noise_rotation": 5, "breeding": {"merges": True}, "archive": 5} | changes
        stores.append(create_run(tmp_path / f"run{len(stores)}", small_config.changed(changes)))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def test_which_of_them_ends_first_changes_nothing(new):
    """One after the other, and in threads that take their time."""
    one, other = new(), new()
    carry(one, 3)
    took = random.Random(5)

    def slowly(name):
        time.sleep(took.random() / 20)
        return quick(name)

    with ThreadPoolExecutor(6) as threads:
        carry(other, 3, evaluate=slowly, executor=threads)
    assert archive_of(one) == archive_of(other)
    assert [one.id for one in other.individuals()][4:] == [f"{number:04d}" for number in range(1, 13)]


def test_how_many_are_in_flight_is_part_of_the_search(new):
    """Children are bred from the archive as it stands: with more in flight, before more of their elders are known."""
    runs = [new(noise_rotation=0, breeding={}) for _ in range(2)]
    for store, in_flight in zip(runs, (1, 4), strict=True):
        carry(store, in_flight)
    first, second = ([one.recipe.digest for one in store.individuals()] for store in runs)
    assert first[:5] == second[:5]  # four sources and the first offspring, whose elders they are
    assert first[5:] != second[5:]


def test_killed_anywhere_it_ends_as_if_nothing_had_happened(new, tmp_path):
    whole, killed = new(), new()
    carry(whole, 3)
    moments, codes = random.Random(3), []
    while not codes or codes[-1] != 0:
        process = FORKED.Process(target=carry_in_processes, args=(killed.folder, tmp_path))
        process.start()
        if len(codes) < 4:
            before = len(killed.individuals())
            while process.is_alive() and len(killed.individuals()) < before + 3:
                time.sleep(0.02)
            time.sleep(moments.uniform(0, 0.1))
            process.kill()
        process.join()
        codes.append(process.exitcode)
        assert process.exitcode in (0, -signal.SIGKILL)
    assert codes.count(-signal.SIGKILL) >= 1
    assert archive_of(killed) == archive_of(whole)


def test_stopped_and_resumed_it_ends_as_if_nothing_had_happened(new):
    whole, stopped = new(), new()
    carry(whole, 3)
    for number in range(5, 16, 4):
        with ThreadPoolExecutor(6) as threads, pytest.raises(Stopped):
            carry(
                stopped,
                3,
                executor=threads,
                watch=lambda store, number=number: ask_to_stop(store) if len(store.individuals()) >= number else None,
            )
        stopped.update(stop=False)
    carry(stopped, 3)
    assert archive_of(stopped) == archive_of(whole)


@pytest.mark.parametrize("budget", [2, 7])
def test_a_run_that_is_given_more_equals_the_one_that_had_it_at_once(new, budget):
    """Those bred beyond the budget wait, and are measured first."""
    whole, extended = new(), new(evaluations=budget)
    carry(whole, 3)
    carry(extended, 3)
    assert extended.count() == budget
    extended.change(evaluations=12)
    carry(extended, 3)
    assert archive_of(extended) == archive_of(whole)


def test_a_run_that_is_ended_makes_no_more_than_are_in_hand(new):
    def finish(store):
        store.update(finish=store.count() >= 4)

    whole, ended = new(), new()
    carry(whole, 3)
    with ThreadPoolExecutor(6) as threads:
        carry(ended, 3, executor=threads, watch=finish)
    assert 4 <= ended.count() <= 7
    ended.update(finish=False)
    carry(ended, 3)
    assert archive_of(ended) == archive_of(whole)
