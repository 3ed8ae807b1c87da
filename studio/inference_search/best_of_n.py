"""Best of n: the same picture from other noise each time."""

from __future__ import annotations

from .attempts import Attempts
from .space import SearchSpace


def best_of_n(space: SearchSpace, attempts: Attempts) -> None:
    """Draw the picture as it was asked for from one noise after another, until the budget is spent.

    What `n` pictures find is among what more of them find: the noises are the same.
    """
    while attempts.may_go_on():
        attempts.add(space.plain(len(attempts.made)))
