"""The one loop of a run: ask the search for a candidate, have the task measure it, tell, record; in the end report.

Everything random comes from the search's generator, whose state is committed with each individual. Where the task
gives equal recipes equal scores, a resumed run therefore equals the uninterrupted one, bit for bit, on one machine.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Generic

import numpy as np

from pipelines.checkpoints.sources import Source
from pipelines.recipes.pinning import repinned
from pipelines.recipes.recipe import parse_recipe
from pipelines.untrusted import parse_json
from studio.breeding.m2n2 import Past
from studio.breeding.search_method import Candidate, ResumableSearch
from studio.errors import RunError
from studio.evolution.niches import Floats
from studio.runs.individual import Evaluation, Individual
from studio.runs.status import raise_if_stopped
from studio.runs.store import C, RunStore, now

from .task import E, Task

logger = logging.getLogger(__name__)

Watch = Callable[[RunStore[C]], None]


# Failures in a row that end a run. Where every second offspring fails by itself, so many come together once in a
# million; where something is wrong with the machine, they are all there is.
FAILURES_IN_A_ROW = 20


def recorded(
    store: RunStore[C], niches: Callable[[Mapping[str, np.ndarray]], Floats], sources: Mapping[str, Source]
) -> Past | None:
    """What a search goes on from; None where the run has not begun.

    Args:
        store: the run.
        niches: as `Task.niches` tells them.
        sources: opened. Recipes to breed from name the weights that these have: where a person accepted another file,
            what was judged before stays recorded with the former one, and what is born is made of this one.
    """
    state = store.state
    if state.search is None:
        return None
    everyone = [dataclasses.replace(one, recipe=repinned(one.recipe, sources)) for one in store.individuals()]
    in_flight = [
        {
            **one,
            "recipe": parse_json(repinned(parse_recipe(json.dumps(one["recipe"]), where="run.db"), sources).to_json()),
        }
        for one in state.search.get("in_flight", ())
    ]
    search = {**state.search, "in_flight": in_flight} if in_flight else state.search
    return Past(search, state.rotation, everyone, niches)


class Loop(Generic[E, C]):
    """Carries one run from wherever its store stands to its end.

    Args:
        store: the run; this process has it to itself.
        search: who is to be measured; where the store has a search already, restored from it.
        task: measures and reports.
        sources: opened; files that change while an individual is measured end the run.
        evaluations: offspring to make in all; the sources are measured whatever the budget is.
        watch: called after each step; reads the store and shows it.
    """

    def __init__(
        self,
        store: RunStore[C],
        search: ResumableSearch,
        task: Task[E],
        *,
        sources: Mapping[str, Source],
        evaluations: int,
        watch: Watch[C],
    ) -> None:
        self._store, self._search, self._task = store, search, task
        self._sources, self._evaluations, self._watch = sources, evaluations, watch
        self._failures = 0  # in a row
        self._again: dict[str, Mapping[str, np.ndarray]] = {}  # scores on other noise, not committed yet

    def run(self) -> None:
        """Sources, offspring, report.

        Raises:
            Stopped: the run was asked to stop.
            SourceError: a source's file changed; the individual in hand is not recorded.
            RunError: so many offspring failed in a row that it is no fault of theirs.
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
        if self._search.sources_left:
            return True
        return self._store.count() < self._evaluations and not self._store.state.finish

    def _step(self, candidate: Candidate) -> bool:
        """Measure a candidate and record it; whether the search stands where it may be left."""
        started, name = time.monotonic(), candidate.recipe.name
        measured = self._task.evaluate(candidate, self._search.archive)
        told = self._search.tell(candidate, self._task.niches(measured.scores) if measured.complete else None)
        evaluation = self._task.complete(candidate, measured, entered=told.entered)
        for source in self._sources.values():
            source.check_unchanged()  # or it would be recorded as what it is not, or as failed
        if candidate.role == "again":
            if evaluation.error is None:
                self._again[name] = evaluation.scores
            else:
                logger.warning("%s keeps its scores on former noise: %s", name, evaluation.error)
            if told.settled:
                self._store.rescore(self._again, self._search.state(), candidate.rotation)
                self._again = {}
            return told.settled
        self._failures = 0 if evaluation.error is None else self._failures + 1
        if evaluation.error is not None:
            logger.warning("%s failed: %s", name, evaluation.error)
        self._record(candidate, evaluation, entered=told.entered, seconds=time.monotonic() - started)
        if self._failures >= FAILURES_IN_A_ROW:
            raise RunError(
                "{failures_in_a_row} offspring in a row failed, so it is no fault of theirs; the last one: "
                "{error} Mend what is behind it and resume the run; what it had before is kept.",
                failures_in_a_row=FAILURES_IN_A_ROW,
                error=evaluation.error,
            )
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
