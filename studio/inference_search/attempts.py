"""What a search has tried so far, and how much it may still try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .space import Candidate

#: Draws a picture and says what it is worth: a score in 0..1.
Draw = Callable[[Candidate], float]


@dataclass(frozen=True)
class Attempt:
    """A picture that was drawn.

    Attributes:
        number: which it was, from 0 on; the first is the picture as it was asked for.
        candidate: what was drawn.
        reward: what it is worth, in 0..1.
        parent: number of the attempt that it was made of; `None` where it began with other noise.
    """

    number: int
    candidate: Candidate
    reward: float
    parent: int | None = None


class Attempts:
    """Draws pictures for a search until the budget is spent, or somebody stops it."""

    def __init__(
        self,
        draw: Draw,
        budget: int,
        *,
        on_attempt: Callable[[Sequence[Attempt]], None] | None = None,
        is_stopped: Callable[[], bool] | None = None,
    ) -> None:
        """Begin with none.

        Args:
            draw: draws and scores.
            budget: pictures to draw, one at least.
            on_attempt: told all attempts after each of them.
            is_stopped: asked between two pictures; the first one is drawn in any case.
        """
        self.made: list[Attempt] = []
        self.budget = budget
        self._draw, self._on_attempt, self._is_stopped = draw, on_attempt, is_stopped

    def may_go_on(self) -> bool:
        """Return whether another picture may be drawn."""
        stopped = bool(self.made and self._is_stopped and self._is_stopped())
        return len(self.made) < self.budget and not stopped

    def add(self, candidate: Candidate, parent: Attempt | None = None) -> Attempt:
        """Draw a picture and remember what it is worth."""
        attempt = Attempt(len(self.made), candidate, self._draw(candidate), parent.number if parent else None)
        self.made.append(attempt)
        if self._on_attempt:
            self._on_attempt(self.made)
        return attempt


def ranked(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return attempts with the best first; of equals, the one that was drawn first."""
    return sorted(attempts, key=lambda attempt: (-attempt.reward, attempt.number))
