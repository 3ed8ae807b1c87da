"""How a run's process begins and is stopped, and that no stop is lost between the two."""

import signal
import threading

import pytest

from studio.execution.creation import create_run
from studio.execution.lifecycle import carry
from studio.runs.status import raise_if_stopped
from studio.runs.store import RunStore


@pytest.fixture
def store(small_config, tmp_path):
    made = create_run(tmp_path / "run", small_config)
    yield made
    made.close()


def test_signals_are_heard_once_former_stops_are_forgotten(store, monkeypatch):
    """A stop that is asked for while the run begins would else be taken back, and the run go on to its end."""
    update, heard = RunStore.update, {}

    def watched(self, **changes):
        heard.update(dict.fromkeys(changes, signal.getsignal(signal.SIGTERM)))
        update(self, **changes)

    monkeypatch.setattr(RunStore, "update", watched)
    before = signal.getsignal(signal.SIGTERM)
    carry(store, lambda _: heard.update(work=signal.getsignal(signal.SIGTERM)))
    assert heard["stop"] is before
    assert heard["work"] is not before
    assert store.state.status == "done"


def test_a_signal_stops_after_what_is_in_hand(store):
    def work(devices):
        signal.raise_signal(signal.SIGTERM)
        for thread in threading.enumerate():  # the one that asks the run to stop
            if thread is not threading.current_thread() and thread.name.endswith("(ask_to_stop)"):
                thread.join()
        raise_if_stopped(store)

    carry(store, work)
    assert store.state.status == "stopped"


def test_several_may_write_the_same_value_for_the_first_time(small_config, tmp_path):
    for number in range(5):
        store = create_run(tmp_path / f"run{number}", small_config)
        together, failures = threading.Barrier(6), []

        def write(stop, store=store, together=together, failures=failures):
            together.wait()
            try:
                store.update(stop=stop)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(number % 2 == 0,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.close()
        assert failures == []
