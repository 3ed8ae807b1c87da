"""Runs wait for each other, in the order in which they came; the dead hold nobody up."""

import subprocess
import sys
import threading

import pytest
import torch

from pipelines.storage.files import cache_dir
from studio.jobs import device_queue
from studio.jobs.device_queue import acquire_device
from studio.jobs.process import Stopped


class Waiting(threading.Thread):
    """Takes a turn, and holds it until told to go."""

    def __init__(self, log, name, count=1):
        super().__init__()
        self.log, self.called, self.count = log, name, count
        self.told, self.inside, self.go = [], threading.Event(), threading.Event()
        self.queued = threading.Event()
        self.start()

    def run(self):
        def waiting(before):
            self.told.append(before)
            self.queued.set()

        with acquire_device(waiting, self.count) as held:
            self.devices, self.held = held.numbers, held
            self.log.append(self.called)
            self.inside.set()
            self.go.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(device_queue, "POLL_SECONDS", 0.01)


def test_those_who_wait_come_in_their_order():
    log = []
    first = Waiting(log, "first")
    assert first.inside.wait(20)
    second = Waiting(log, "second")
    assert second.queued.wait(20)
    third = Waiting(log, "third")
    assert third.queued.wait(20)
    assert (second.told[0], third.told[0]) == (1, 2)
    assert first.told == []
    for one, following in ((first, second), (second, third)):
        one.go.set()
        assert following.inside.wait(20)
    third.go.set()
    for one in (first, second, third):
        one.join()
    assert log == ["first", "second", "third"]
    assert list((cache_dir() / "turns").glob("*.place")) == []


def test_one_who_is_asked_to_stop_leaves_the_queue():
    first = Waiting([], "first")
    assert first.inside.wait(20)

    def leave(before):
        raise Stopped

    with pytest.raises(Stopped), acquire_device(leave):
        pytest.fail("had a turn while another had it")
    first.go.set()
    first.join()
    assert list((cache_dir() / "turns").glob("*.place")) == []


def test_a_killed_process_holds_nobody_up():
    holder = (
        "from studio.jobs.device_queue import acquire_device\n"
        "with acquire_device(lambda before: None):\n    print('inside', flush=True)\n    import time; time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "inside\n"
        after = Waiting([], "after")
        assert after.queued.wait(20)
        process.kill()
        assert after.inside.wait(20)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    after.go.set()
    after.join()


@pytest.fixture
def three_gpus(monkeypatch):
    """The numbers that became torch's current device, on a machine that seems to have three."""
    current = []
    monkeypatch.setattr(device_queue, "_devices", lambda: {"a": 0, "b": 1, "c": 2})
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    return current


def test_who_wants_several_devices_takes_them_as_they_come_free(three_gpus):
    log = []
    first = Waiting(log, "first", 2)
    assert first.inside.wait(20)
    second = Waiting(log, "second", 2)
    assert second.queued.wait(20)
    third = Waiting(log, "third")
    assert third.queued.wait(20)  # one was free, but it is kept for who came before
    first.go.set()
    for one in (second, third):
        assert one.inside.wait(20)
    assert (first.devices, second.devices[0]) == ((0, 1), 2)
    assert {second.devices[1], *third.devices} == {0, 1}  # whichever was given back first
    for one in (second, third):
        one.go.set()
        one.join()
    first.join()
    assert log == ["first", "second", "third"]
    assert three_gpus[:2] == [0, 2]


def test_a_machine_with_fewer_devices_gives_all_it_has(three_gpus):
    with acquire_device(lambda before: pytest.fail("waits"), 8) as held:
        assert held.numbers == (0, 1, 2)
    with acquire_device(lambda before: pytest.fail("waits")) as held:  # all were given back
        assert held.numbers == (0,)


def test_who_leaves_the_queue_gives_back_what_it_had(three_gpus):
    first = Waiting([], "first", 2)
    assert first.inside.wait(20)

    def leave(before):
        raise Stopped

    with pytest.raises(Stopped), acquire_device(leave, 3):
        pytest.fail("had three of them")
    with acquire_device(lambda before: pytest.fail("waits")) as held:
        assert held.numbers == (2,)
    first.go.set()
    first.join()


def test_a_run_gives_devices_back_and_takes_more_while_it_goes_on(three_gpus):
    with acquire_device(lambda before: pytest.fail("waits"), 2) as held:
        held.give_back(1)
        held.give_back(0)  # on which its own process computes: it stays
        assert held.numbers == (0,)
        other = Waiting([], "other", 2)
        assert other.inside.wait(20)
        assert other.devices == (1, 2)
        assert held.another() == ()
        third = Waiting([], "third")
        assert third.queued.wait(20)
        other.held.give_back(2)
        assert held.another() == ()  # somebody waits for it
        assert third.inside.wait(20)
        for one in (other, third):
            one.go.set()
            one.join()
        assert held.another() == (1,)
        assert held.numbers == (0, 1)
    with acquire_device(lambda before: pytest.fail("waits"), 3) as held:
        assert held.numbers == (0, 1, 2)


def test_the_only_device_of_a_machine_is_shared_by_all_who_draw_for_a_run():
    with acquire_device(lambda before: pytest.fail("waits")) as held:
        assert (held.numbers, held.another(), held.numbers) == ((None,), (None,), (None,))
        held.give_back(None)
        assert held.numbers == (None,)
