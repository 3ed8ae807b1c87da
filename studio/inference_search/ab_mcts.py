"""Adaptive branching Monte Carlo tree search (Inoue et al. 2025, arXiv:2503.04412), by its authors' own treequest.

A node is a picture; a move makes a child of it that has other noise, guidance, steps or wording, and all else alike.
The root is what was asked for, with no noise yet: its children begin with noise of their own. By Thompson sampling the
search decides at each node, from the root on, whether to go wider, with another child of it, or deeper, into one.

Of the authors' variants this is AB-MCTS-A, which draws from conjugate posteriors of node rewards and needs scipy alone.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .attempts import Attempt, Attempts
from .space import Candidate, Move, SearchSpace

FIRST = 4  # pictures from plain noise, which tell what rewards to expect
_LEAST_VARIANCE = 1e-4  # of rewards: where the first ones are all alike, others may still differ by a hundredth
_NUMPY = threading.Lock()  # held by whoever has replaced the state of numpy's global generator


def ab_mcts(space: SearchSpace, attempts: Attempts) -> None:
    """Search noise, guidance, steps and wording by AB-MCTS-A until the budget is spent.

    The first `FIRST` pictures are those of best of n. Their mean and variance are the prior of every reward: those of
    treequest are for rewards spread over all of 0..1, and cosines of one prompt lie within a tenth.
    """
    rng = np.random.default_rng(space.seed)
    while len(attempts.made) < FIRST and attempts.may_go_on():
        attempts.add(space.plain(len(attempts.made)))
    if not attempts.may_go_on():
        return
    tree = _Tree(space.moves, rng, attempts.made)
    noises = itertools.count(len(attempts.made))
    drawn = {attempt.candidate for attempt in attempts.made}
    while attempts.may_go_on():
        trial = tree.ask()
        parent: Attempt | None = trial.parent_state
        candidate = _child(space, parent, trial.action, noises, drawn, rng)
        drawn.add(candidate)
        tree.tell(trial, attempts.add(candidate, parent))


def _child(
    space: SearchSpace,
    parent: Attempt | None,
    move: Move,
    noises: Iterator[int],
    drawn: set[Candidate],
    rng: np.random.Generator,
) -> Candidate:
    """Return what a move makes of a picture, or of none; other noise where all else was drawn before."""
    before = parent.candidate if parent else space.plain(next(noises))
    new = [one for one in space.neighbours(before, move) if one not in drawn]
    if new:
        return new[rng.integers(len(new))]
    if parent is None:
        return before
    return Candidate(space.plain(next(noises)).seed, before.guidance, before.steps, before.prompt)


class _Tree:
    """The tree of treequest, with the first pictures in it."""

    def __init__(self, moves: Sequence[Move], rng: np.random.Generator, first: Sequence[Attempt]) -> None:
        import treequest  # here, as nobody else needs it
        from treequest.algos.ab_mcts_a.prob_state import GaussianPrior, PriorConfig

        rewards = np.array([attempt.reward for attempt in first])
        prior = GaussianPrior(
            m=float(rewards.mean()),
            kappa=1.0,
            nu=FIRST - 1.0,  # degrees of freedom of their variance
            tau_square=max(float(rewards.var()), _LEAST_VARIANCE),
        )
        self._moves, self._rng = list(moves), rng
        self._method: Any = treequest.ABMCTSA(prior_config=PriorConfig("gaussian", prior))
        self._state: Any = self._method.init_tree()
        seats: list[Any] = []
        while len(seats) < len(first):  # as long as the tree is empty each trial is a child of the root
            trial = self.ask()
            if trial.action == "seed":  # a trial that is never told leaves nothing behind
                seats.append(trial)
        for trial, attempt in zip(seats, first, strict=True):
            self.tell(trial, attempt)

    def ask(self) -> Any:
        """Return a trial of treequest: a move, and the attempt that it starts from as its parent's state."""
        with _global_numpy(self._rng):
            self._state, trial = self._method.ask(self._state, self._moves)
        return trial

    def tell(self, trial: Any, attempt: Attempt) -> None:
        """Put what became of a trial into the tree."""
        self._state = self._method.tell(self._state, trial.trial_id, (attempt, attempt.reward))


@contextlib.contextmanager
def _global_numpy(rng: np.random.Generator) -> Iterator[None]:
    """Seed the generator that is numpy's for everybody, from which treequest draws, and put it back afterwards."""
    with _NUMPY:
        before = np.random.get_state()
        np.random.seed(int(rng.integers(2**32)))
        try:
            yield
        finally:
            np.random.set_state(before)
