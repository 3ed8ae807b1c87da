"""What a run's loop records: individuals with the search that belongs to them, scores on other noise, failures."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from pipelines.checkpoints.sources import Source
from studio.breeding.search_method import Candidate, Told
from studio.errors import RunError
from studio.runs.individual import Evaluation, Individual
from studio.runs.store import C, RunStore, now

logger = logging.getLogger(__name__)

Watch = Callable[[RunStore[C]], None]

# Failures in a row that end a run. Where every second offspring fails by itself, so many come together once in a
# million; where something is wrong with the machine, they are all there is.
FAILURES_IN_A_ROW = 20


@dataclass(frozen=True)
class ToldCandidate:
    """A candidate that the search was told of.

    Attributes:
        candidate: who.
        started: when it was handed out, as `time.monotonic` has it.
        told: what became of it.
        state: the search as it stood then.
        alive: who was alive then.
    """

    candidate: Candidate
    started: float
    told: Told
    state: Mapping[str, Any]
    alive: Sequence[str]


Recorded = tuple[ToldCandidate, Evaluation]  # with what is to be recorded of it


class Recorder(Generic[C]):
    """Commits candidates in the order in which the search was told of them.

    Args:
        store: the run; this process has it to itself.
        sources: opened; nothing is recorded once their files have changed.
        watch: called after each transaction with individuals; reads the store and shows it.
    """

    def __init__(self, store: RunStore[C], sources: Mapping[str, Source], watch: Watch[C]) -> None:
        self._store, self._sources, self._watch = store, sources, watch
        self._last = 0.0  # when something was recorded
        self._failures = 0  # in a row
        self._again: dict[str, Mapping[str, np.ndarray]] = {}  # scores on other noise, not committed yet

    def record(self, completed: Sequence[Recorded]) -> None:
        """Commit candidates: in one transaction all who were born between two changes of noise.

        Raises:
            SourceError: a source's file changed.
            RunError: so many offspring failed in a row that it is no fault of theirs; the last of them is recorded,
                and whoever comes after it is not.
        """
        for source in self._sources.values():
            source.check_unchanged()  # or they would be recorded as what they are not, or as failed
        for again, some in itertools.groupby(completed, key=lambda pair: pair[0].candidate.role == "again"):
            if again:
                self._rescore(list(some))
            else:
                self._commit(list(some))

    def _rescore(self, completed: Sequence[Recorded]) -> None:
        """Note scores on other noise, and commit them once everyone alive was asked for some."""
        for one, evaluation in completed:
            name = one.candidate.recipe.name
            if evaluation.error is None:
                self._again[name] = evaluation.scores
            else:
                logger.warning("%s keeps its scores on former noise: %s", name, evaluation.error)
            if one.told.settled:
                self._store.rescore(self._again, one.state, one.candidate.rotation)
                self._again = {}

    def _commit(self, completed: Sequence[Recorded]) -> None:
        """Commit individuals, with the search as it was when it was told of the last of them."""
        born: list[Recorded] = []
        for one, evaluation in completed:
            born.append((one, evaluation))
            self._failures = 0 if evaluation.error is None else self._failures + 1
            if evaluation.error is not None:
                logger.warning("%s failed: %s", one.candidate.recipe.name, evaluation.error)
            if self._failures == FAILURES_IN_A_ROW:
                break
        (first, _), (last, evaluation) = born[0], born[-1]
        done = time.monotonic()
        seconds = (done - max(first.started, self._last)) / len(born)
        self._store.record([_individual(*pair, seconds) for pair in born], last.state, last.alive)
        self._last = done
        self._watch(self._store)
        if self._failures == FAILURES_IN_A_ROW:
            raise RunError(
                "{failures_in_a_row} offspring in a row failed, so it is no fault of theirs; the last one: "
                "{error} Mend what is behind it and resume the run; what it had before is kept.",
                failures_in_a_row=FAILURES_IN_A_ROW,
                error=evaluation.error,
            )


def _individual(one: ToldCandidate, evaluation: Evaluation, seconds: float) -> Individual:
    recipe, lineage = one.candidate.recipe, one.candidate.recipe.lineage
    return Individual(
        id=recipe.name,
        mother=lineage.mother if lineage else None,
        father=lineage.father if lineage else None,
        recipe=recipe,
        scores=evaluation.scores,
        entered=one.told.entered,
        alive=one.told.entered,
        seconds=seconds,
        born=now(),
        error=evaluation.error,
        partial=evaluation.partial,
        prediction=one.candidate.prediction,
        race=evaluation.race,
    )
