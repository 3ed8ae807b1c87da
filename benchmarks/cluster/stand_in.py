"""Evaluations that draw nothing: scores hang on the recipe alone, and a worker is a thread that sleeps."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path

import numpy as np

from studio.breeding.m2n2 import M2N2
from studio.breeding.search_method import Candidate
from studio.evolution.archive import Archive
from studio.evolution.niches import Floats
from studio.execution.creation import create_run
from studio.execution.loop import Loop, recorded
from studio.runs.config import embedded
from studio.runs.individual import Evaluation
from studio.runs.inputs import open_run_sources
from studio.runs.store import RunStore


class StandIn:
    """A task whose evaluations take a given time, more or less."""

    reports = False

    def __init__(self, captions: int, seconds: float = 0.0, spread: float = 0.0) -> None:
        """Give scores for so many captions after so many seconds of sleep, give or take a share of them."""
        self._captions, self._seconds, self._spread = captions, seconds, spread

    def evaluate(self, candidate: Candidate, archive: Archive) -> Evaluation:
        """Sleep; then random scores, the same for the same recipe."""
        if self._seconds:
            time.sleep(
                self._seconds * random.Random(candidate.recipe.digest).uniform(1 - self._spread, 1 + self._spread)
            )
        rng = np.random.default_rng(int(candidate.recipe.digest[:8], 16))
        return Evaluation({"ja": rng.random((self._captions, 1))})

    def niches(self, scores: Mapping[str, np.ndarray]) -> Floats:
        """The scores themselves."""
        return scores["ja"].mean(axis=1)

    def complete(self, candidate: Candidate, evaluation: Evaluation, *, entered: bool) -> Evaluation:
        """Nothing is missing."""
        return evaluation

    def report(self) -> None:
        """There is none."""


def new_run(folder: Path, *, archive: int) -> RunStore:
    """Return a new run over the embedded family."""
    return create_run(folder, embedded(archive=archive, seed=1))


def carry(
    store: RunStore,
    task: StandIn,
    *,
    in_flight: int,
    evaluations: int,
    executor: Executor | None = None,
    watch: Callable[[RunStore], None] = lambda store: None,
) -> None:
    """Make so many offspring in all, by the studio's own loop."""
    sources = open_run_sources(store.config)
    past = recorded(store, task.niches, sources)
    search = M2N2(store.config, sources, max_in_flight=in_flight, past=past)
    Loop(store, search, task, sources=sources, evaluations=evaluations, watch=watch, executor=executor).run()
