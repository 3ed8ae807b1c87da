"""The one loop of a run: ask the search for a candidate, have the task measure it, tell, record; in the end report.

Everything random comes from the search's generator, whose state is committed with each individual. Where the task
gives equal recipes equal scores, a resumed run therefore equals the uninterrupted one, bit for bit, on one machine.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Generic

import numpy as np

from studio.breeding.m2n2 import Past
from studio.breeding.search_method import Candidate, ResumableSearch
from studio.evolution.niches import Floats
from studio.runs.individual import Evaluation, Individual
from studio.runs.status import raise_if_stopped
from studio.runs.store import C, RunStore, now

from .task import E, Task

logger = logging.getLogger(__name__)

Watch = Callable[[RunStore[C]], None]


def recorded(store: RunStore[C], niches: Callable[[Mapping[str, np.ndarray]], Floats]) -> Past | None:
    """What a search goes on from, whose niches `Task.niches` tells; None where the run has not begun."""
    state = store.state
    return None if state.search is None else Past(state.search, state.rotation, store.individuals(), niches)


class Loop(Generic[E, C]):
    """Carries one run from wherever its store stands to its end.

    Args:
        store: the run; this process has it to itself.
        search: who is to be measured; where the store has a search already, restored from it.
        task: measures and reports.
        evaluations: offspring to make in all; the sources are measured whatever the budget is.
        watch: called after each step; reads the store and shows it.
    """

    def __init__(
        self,
        store: RunStore[C],
        search: ResumableSearch,
        task: Task[E],
        *,
        evaluations: int,
        watch: Watch[C],
    ) -> None:
        self._store, self._search, self._task = store, search, task
        self._evaluations, self._watch = evaluations, watch
        self._sources_left = len(search.sources) - len(store.sources())
        self._again: dict[str, Mapping[str, np.ndarray]] = {}  # scores on other noise, not committed yet

    def run(self) -> None:
        """Sources, offspring, report.

        Raises:
            Stopped: the run was asked to stop.
            M2N2Error: a source cannot be measured, or the report cannot be made.
        """
        settled = True
        while not settled or self._wanted():
            raise_if_stopped(self._store)
            candidate = self._search.ask()
            if candidate is None:
                break
            settled = self._step(candidate)
        if self._task.reports:
            self._store.update(status="reporting")
            self._watch(self._store)
            self._task.report()

    def _wanted(self) -> bool:
        """Whether somebody else is to be measured."""
        if self._sources_left:
            return True
        return self._store.count() < self._evaluations and not self._store.state.finish

    def _step(self, candidate: Candidate) -> bool:
        """Measure a candidate and record it; whether the search stands where it may be left."""
        started, name = time.monotonic(), candidate.recipe.name
        measured = self._task.evaluate(candidate, self._search.archive)
        told = self._search.tell(candidate, self._task.niches(measured.scores) if measured.complete else None)
        evaluation = self._task.complete(candidate, measured, entered=told.entered)
        if candidate.role == "again":
            if evaluation.error is None:
                self._again[name] = evaluation.scores
            else:
                logger.warning("%s keeps its scores on former noise: %s", name, evaluation.error)
            if told.settled:
                self._store.rescore(self._again, self._search.state(), candidate.rotation)
                self._again = {}
            return told.settled
        if evaluation.error is not None:
            logger.warning("%s failed: %s", name, evaluation.error)
        self._record(candidate, evaluation, entered=told.entered, seconds=time.monotonic() - started)
        self._sources_left -= candidate.role == "source"
        return told.settled

    def _record(self, candidate: Candidate, evaluation: Evaluation, *, entered: bool, seconds: float) -> None:
        recipe, lineage = candidate.recipe, candidate.recipe.lineage
        individual = Individual(
            id=recipe.name,
            mother=lineage.mother if lineage else None,
            father=lineage.father if lineage else None,
            recipe=recipe,
            scores=evaluation.scores,
            entered=entered,
            alive=entered,
            seconds=seconds,
            born=now(),
            error=evaluation.error,
            partial=evaluation.partial,
        )
        self._store.record(individual, self._search.state(), self._search.archive.ids)
        self._watch(self._store)
