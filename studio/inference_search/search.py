"""The searches by their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from .ab_mcts import ab_mcts
from .attempts import Attempt, Attempts, Draw
from .best_of_n import best_of_n
from .space import SearchSpace

SearchName = Literal["best-of-n", "ab-mcts"]
SEARCHES: dict[SearchName, Callable[[SearchSpace, Attempts], None]] = {"best-of-n": best_of_n, "ab-mcts": ab_mcts}


def search(
    name: SearchName,
    space: SearchSpace,
    draw: Draw,
    budget: int,
    *,
    on_attempt: Callable[[Sequence[Attempt]], None] | None = None,
    is_stopped: Callable[[], bool] | None = None,
) -> list[Attempt]:
    """Search a space for the picture that is worth most.

    Args:
        name: how.
        space: what for; equal spaces and draws give equal attempts.
        draw: draws and scores; what it raises ends the search.
        budget: pictures to draw, one at least.
        on_attempt: told all attempts after each of them.
        is_stopped: asked between two pictures.

    Returns:
        All attempts in the order in which they were drawn. The first one is the picture as it was asked for, so that
        no search ends with a worse one.
    """
    attempts = Attempts(draw, budget, on_attempt=on_attempt, is_stopped=is_stopped)
    SEARCHES[name](space, attempts)
    return attempts.made
