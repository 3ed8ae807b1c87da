"""Work on a page that takes long and may be stopped by whoever started it."""

from __future__ import annotations

import threading

import gradio as gr

from pipelines.errors import M2N2Error


class Cancelled(M2N2Error):
    """Somebody pressed Cancel."""


class CancellableWork:
    """One piece of work for each open page: begun, looked at between its steps, stopped."""

    def __init__(self) -> None:
        self._asked: dict[str | None, threading.Event] = {}

    def begin(self, request: gr.Request) -> None:
        """Somebody starts."""
        self._asked[request.session_hash] = threading.Event()

    def stop(self, request: gr.Request) -> None:
        """Somebody wants it to stop; nothing happens if it has ended already."""
        if asked := self._asked.get(request.session_hash):
            asked.set()

    def check(self, request: gr.Request) -> None:
        """Between two steps of the work.

        Raises:
            Cancelled: it was asked to stop.
        """
        asked = self._asked.get(request.session_hash)
        if asked and asked.is_set():
            raise Cancelled

    def end(self, request: gr.Request) -> None:
        """The work is over, however it ended."""
        self._asked.pop(request.session_hash, None)
