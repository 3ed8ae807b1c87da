"""The search in hand of each browser session: how far it is, how long it takes, whether it is to stop."""

from __future__ import annotations

from dataclasses import dataclass, field

import gradio as gr
from markupsafe import Markup

from studio.i18n import Lang
from studio.ui.common import html
from studio.ui.common.cancellable import WorkInHand
from studio.ui.common.pace import Pace


@dataclass
class _InHand:
    budget: int
    pace: Pace = field(default_factory=Pace)


class SearchProgress(WorkInHand[_InHand]):
    """The searches in hand: each session has one at most; Cancel ends it with what it has by then."""

    def start(self, request: gr.Request, budget: int) -> None:
        """Note how many pictures are to be drawn."""
        with self._lock:
            self._in_hand[request.session_hash] = _InHand(budget)

    def arrive(self, request: gr.Request) -> None:
        """Note that a picture is drawn."""
        with self._lock:
            if found := self._in_hand.get(request.session_hash):
                found.pace.arrive(self._clock())

    def words(self, lang: Lang, request: gr.Request) -> Markup | None:
        """Draw how far this session's search is; `None` where there is none in hand."""
        with self._lock:
            found = self._in_hand.get(request.session_hash)
            if found is None:
                return None
            done = found.pace.count
            left = found.pace.seconds_left(found.budget - done)
            return html.drawing_bar(lang, done, found.budget, left, is_loading=not done)

    def is_stopped(self, request: gr.Request) -> bool:
        """Return whether the search of this session was asked to stop."""
        return self._work.is_asked_to_stop(request)
