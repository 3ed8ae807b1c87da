"""Answers that are made once for everybody who asks at the same moment."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from studio.ui.common.shared import SharedAnswers


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_who_asks_while_it_is_made_waits_for_that_one():
    shared, made, asked = SharedAnswers(60), [], threading.Barrier(8)

    def make():
        made.append(1)
        return len(made)

    def ask():
        asked.wait()
        return shared.get("run", make)

    with ThreadPoolExecutor(8) as pool:
        answers = [one.result() for one in [pool.submit(ask) for _ in range(8)]]
    assert answers == [1] * 8


def test_without_a_time_all_who_asked_before_an_answer_was_begun_share_it():
    asked, all_asked, made = threading.Semaphore(0), threading.Event(), []

    def clock():
        asked.release()
        return time.monotonic()

    def make():
        made.append(1)
        assert all_asked.wait(60)
        return len(made)

    shared = SharedAnswers(clock=clock)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(shared.get, "run", make)
        for _ in range(2):  # it asked, and began
            asked.acquire()
        others = [pool.submit(shared.get, "run", make) for _ in range(7)]
        for _ in others:
            asked.acquire()
        all_asked.set()
        assert first.result() == 1  # the others may know what this answer does not
        assert [one.result() for one in others] == [2] * 7
    assert shared.get("run", make) == 3


def test_an_answer_is_made_again_after_a_while_and_by_key():
    clock = Clock()
    shared = SharedAnswers(2.0, clock)
    assert shared.get("a", lambda: 1) == 1
    clock.now = 1.9
    assert shared.get("a", lambda: 2) == 1
    assert shared.get("b", lambda: 3) == 3
    clock.now = 2.0
    assert shared.get("a", lambda: 4) == 4
    assert shared.get("b", lambda: 5) == 3


def test_an_error_is_not_kept():
    shared = SharedAnswers(60)
    with pytest.raises(ZeroDivisionError):
        shared.get("a", lambda: 1 / 0)
    assert shared.get("a", lambda: 1) == 1
