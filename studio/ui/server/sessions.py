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


@dataclass
class _Undescribed:
    """What a session begins with of its pages, without the components that Gradio would describe for it."""

    default_config: BlocksConfig
    blocks: dict[int, Any] = field(default_factory=dict)


class Sessions(StateHolder):
    """The sessions of mounted pages.

    Gradio keeps with every session a description of all components of all pages, two megabytes, so that a deep link can
    be made of it. The gate lets nobody make one, so only components that have changed are described here.
    """

    def __init__(self, pages: gr.Blocks) -> None:
        """Begin with no session; takes the place of the holder that the pages had."""
        super().__init__()
        self.set_blocks(pages)
        self.capacity = SESSIONS

    def __getitem__(self, session_id: str) -> SessionState:
        """Return the session of an open page, a new one at its first visit; the oldest and long closed ones go."""
        if session_id not in self.session_data:
            self._forget_closed()
            self.session_data[session_id] = SessionState(_Undescribed(self.blocks.default_config))
        return super().__getitem__(session_id)

    def _forget_closed(self) -> None:
        before = datetime.datetime.now() - CLOSED_FOR
        for name, session in list(self.session_data.items()):
            if session.is_closed and self.time_last_used.get(name, before) <= before:
                self.session_data.pop(name, None)
                self.time_last_used.pop(name, None)
