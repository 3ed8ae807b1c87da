"""The cluster benchmark measures what it says, on sizes that take a moment."""

import pytest

from benchmarks.cluster.driver import MEASURED, driver_cost
from benchmarks.cluster.kept_busy import share_of_ideal
from benchmarks.cluster.search_cost import best_accuracy


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path / "cache"))


def test_the_driver_is_measured_with_a_full_archive(monkeypatch):
    monkeypatch.setattr("benchmarks.cluster.driver.MEASURED", 3)
    assert MEASURED > 3
    assert 0 < driver_cost(in_flight=3, archive=6, captions=4) < 10_000


def test_workers_are_busy_for_a_share_of_the_time():
    assert 0 < share_of_ideal(seconds=0.05, workers=2, rounds=2) < 2


def test_how_many_are_in_flight_changes_the_search():
    found = {in_flight: best_accuracy(in_flight=in_flight, evaluations=12, seed=1) for in_flight in (1, 4)}
    assert found[1] == best_accuracy(in_flight=1, evaluations=12, seed=1)
    assert found[1] != found[4]
