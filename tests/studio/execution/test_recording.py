"""What is done at the same moment is recorded in one transaction; the run is the same as one after another."""

from concurrent.futures import Executor, Future

import pytest

from studio.breeding.m2n2 import M2N2
from studio.errors import RunError
from studio.execution.creation import create_run
from studio.execution.loop import Loop
from studio.execution.recording import FAILURES_IN_A_ROW
from studio.runs.individual import Evaluation
from studio.runs.inputs import open_run_sources
from tests.stand_in_runs import Task, carry, quick
from tests.studio.conftest import archive_of


class AtOnce(Executor):
    """Workers of whom all are done whenever the loop looks."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Failing(Task):
    """Sources are worth something, and no offspring can be measured."""

    def evaluate(self, candidate, archive):
        if candidate.role == "source":
            return super().evaluate(candidate, archive)
        return Evaluation({}, error="out of paper")


@pytest.fixture
def new(small_config, tmp_path):
    """Gives new runs."""
    stores = []

    def make(**changes):
        stores.append(create_run(tmp_path / f"run{len(stores)}", small_config.changed(changes)))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def test_those_done_at_the_same_moment_are_one_transaction(new):
    options = {"evaluations": 11, "archive": 5, "noise_rotation": 5}
    whole, together, seen = new(**options), new(**options), []
    carry(whole, 3)
    carry(together, 3, executor=AtOnce(), watch=lambda store: seen.append(len(store.individuals())))
    assert seen == [3, 4, 7, 9, 12, 14, 15]  # four sources; five offspring, all alive again, five more, all again, one
    assert archive_of(together) == archive_of(whole)
    assert together.state.search == whole.state.search
    assert len({one.seconds for one in together.individuals()[4:7]}) == 1


def test_too_many_failures_at_once_are_recorded_up_to_the_one_that_ends_the_run(new):
    store = new(evaluations=100)
    sources, task = open_run_sources(store.config), Failing(quick)
    search = M2N2(store.config, sources, max_in_flight=FAILURES_IN_A_ROW + 4)
    loop = Loop(store, search, task, sources=sources, evaluations=100, watch=lambda store: None, executor=AtOnce())
    with pytest.raises(RunError, match=f"{FAILURES_IN_A_ROW} offspring in a row .* out of paper"):
        loop.run()
    assert store.count() == FAILURES_IN_A_ROW
