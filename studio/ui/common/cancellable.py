"""Work on a page that takes long and may be stopped by whoever started it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import gradio as gr

from pipelines.errors import M2N2Error

T = TypeVar("T")


class Cancelled(M2N2Error):
    """Raised in work whose Cancel button somebody pressed."""


class CancellableWork:
    """One cancellable job for each browser session: registered, checked between its steps, stopped."""

    def __init__(self) -> None:
        self._asked: dict[str | None, threading.Event] = {}

    def begin(self, request: gr.Request) -> None:
        """Register a cancellable job for this browser session."""
        self._asked[request.session_hash] = threading.Event()

    def stop(self, request: gr.Request) -> None:
        """Ask the job of this browser session to stop; nothing happens if it has ended already."""
        if stop := self._asked.get(request.session_hash):
            stop.set()

    def check(self, request: gr.Request) -> None:
        """Give up, between two steps of the job, if it was asked to stop.

        Raises:
            Cancelled: it was asked to stop.
        """
        if self.is_asked_to_stop(request):
            raise Cancelled("Cancelled.")

    def is_asked_to_stop(self, request: gr.Request) -> bool:
        """Return whether the job of this browser session was asked to stop, for one that keeps what it has."""
        stop = self._asked.get(request.session_hash)
        return bool(stop and stop.is_set())

    def end(self, request: gr.Request) -> None:
        """Forget the job of this browser session, however it ended."""
        self._asked.pop(request.session_hash, None)


class WorkInHand(Generic[T]):
    """The cancellable job in hand of each browser session, one at most, with what is noted of it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._work = CancellableWork()
        self._in_hand: dict[str | None, T] = {}

    def begin(self, request: gr.Request) -> None:
        """Register a job that Cancel can stop from now on."""
        self._work.begin(request)

    def stop(self, request: gr.Request) -> None:
        """Ask the job of this session to stop."""
        self._work.stop(request)

    def end(self, request: gr.Request) -> None:
        """Forget the job of this session, however it ended."""
        self._work.end(request)
        with self._lock:
            self._in_hand.pop(request.session_hash, None)
