"""The drawing in hand of each browser session: how far it is, how long it takes, and the pictures that came of late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr

from studio.ui.common.cancellable import WorkInHand
from studio.ui.common.pace import Pace

from .cells import Cell, Place
from .grid import Grid


@dataclass(frozen=True)
class News:
    """What became of a drawing since somebody asked last.

    Attributes:
        grid: what is drawn.
        arrived: the pictures that came since then.
        done: pictures that there are, with those that were there before.
        of: pictures that there will be.
        seconds_left: how long the others take at the pace so far; `None` while nobody can tell.
    """

    grid: Grid
    arrived: Sequence[tuple[Place, Cell]]
    done: int
    of: int
    seconds_left: float | None
    is_loading: bool = False  # no picture has come yet


class _InHand:
    """A drawing that is going on."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self._before, self._lacking, self._pace = grid, len(grid.cells), len(grid.undrawn), Pace()
        self._untold: list[tuple[Place, Cell]] = []

    def arrive(self, now: float, place: Place, cell: Cell) -> None:
        self._pace.arrive(now)
        self._untold.append((place, cell))

    def news(self) -> News:
        untold, self._untold = self._untold, []
        drawn = self._pace.count
        return News(
            grid=self.grid,
            arrived=untold,
            done=self._before + drawn,
            of=self._before + self._lacking,
            seconds_left=self._pace.seconds_left(self._lacking - drawn),
            is_loading=not drawn,
        )


class DrawingProgress(WorkInHand[_InHand]):
    """The drawings in hand: each session has one at most, which its Cancel button stops between two pictures."""

    def start(self, request: gr.Request, grid: Grid) -> None:
        """Note what is to be drawn.

        Raises:
            Cancelled: somebody thought better of it.
        """
        self._work.check(request)
        with self._lock:
            self._in_hand[request.session_hash] = _InHand(grid)

    def arrive(self, request: gr.Request, place: Place, cell: Cell) -> None:
        """Note a picture that is drawn.

        Raises:
            Cancelled: somebody pressed Cancel; the picture is noted all the same.
        """
        with self._lock:
            if found := self._in_hand.get(request.session_hash):
                found.arrive(self._clock(), place, cell)
        self._work.check(request)

    def news(self, request: gr.Request) -> News | None:
        """Return what became of this session's drawing since this was asked last; `None` where nothing is drawn."""
        with self._lock:
            found = self._in_hand.get(request.session_hash)
            return found.news() if found else None
