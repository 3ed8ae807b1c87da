"""What the server remembers of each open page: little, of the latest, and not for long once they are closed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.blocks import BlocksConfig
from gradio.state_holder import SessionState, StateHolder

SESSIONS = 400  # open pages that are remembered, the latest; Gradio would keep ten thousand
CLOSED_FOR = datetime.timedelta(minutes=10)  # a machine that slept for a while finds its page as it was


class Session(SessionState):
    """What is remembered of one open page: its states, and those of its components that were changed.

    Gradio numbers the copy of a component that it changes anew, and keeps the copy under either number, one more with
    every change: what no page knows by its number is not kept. It also describes what it keeps, so that a deep link can
    be made of it, two megabytes for a page; the gate lets nobody make one, so nothing is described.
    """

    def __init__(self, pages: gr.Blocks) -> None:
        """Begin with the components as they were built."""
        super().__init__(_Undescribed(pages.default_config))

    def __setitem__(self, number: int, value: Any) -> None:
        """Keep the value of a state, or the changed copy of a component, under the number that the page knows it by."""
        known = self.blocks_config.blocks.get(number)
        if isinstance(known, gr.State):
            super().__setitem__(number, value)
            self.config_values.clear()
        elif known is not None:
            self.blocks_config.blocks[number] = value

    def _update_config(self, key: int) -> None:
        """Describe nothing: Gradio calls this after every change of a component."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Describe nothing: Gradio calls this after every change of a value."""


@dataclass
class _Undescribed:
    """What a session begins with of its pages, without the components that Gradio would describe for it."""

    default_config: BlocksConfig
    blocks: dict[int, Any] = field(default_factory=dict)


class Sessions(StateHolder):
    """The sessions of mounted pages: the latest, and closed ones for a while."""

    def __init__(self, pages: gr.Blocks) -> None:
        """Begin with no session; takes the place of the holder that the pages had."""
        super().__init__()
        self.set_blocks(pages)
        self.capacity = SESSIONS

    def __getitem__(self, session_id: str) -> SessionState:
        """Return the session of an open page, a new one at its first visit; the oldest and long closed ones go."""
        if session_id not in self.session_data:
            self._forget_closed()
            self.session_data[session_id] = Session(self.blocks)
        return super().__getitem__(session_id)

    def _forget_closed(self) -> None:
        before = datetime.datetime.now() - CLOSED_FOR
        for name, session in list(self.session_data.items()):
            if session.is_closed and self.time_last_used.get(name, before) <= before:
                self.session_data.pop(name, None)
                self.time_last_used.pop(name, None)
