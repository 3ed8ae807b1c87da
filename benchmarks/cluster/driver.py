"""What one evaluation costs the run's own process: breeding, telling, committing."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from pathlib import Path

from studio.breeding.m2n2 import M2N2
from studio.runs.individual import Individual
from studio.runs.inputs import open_run_sources
from studio.runs.store import RunStore, now

from .stand_in import StandIn, carry, new_run

MEASURED = 30  # evaluations whose median is given


def driver_cost(*, in_flight: int, archive: int, captions: int) -> float:
    """Return milliseconds of CPU time that an evaluation takes of the run's process: the median of some.

    The archive is full, and as many offspring are in flight as there may be, when it is measured.

    Args:
        in_flight: workers, so offspring in flight.
        archive: its capacity.
        captions: which are the niches.
    """
    task, marks = StandIn(captions), []
    with tempfile.TemporaryDirectory() as folder:
        store = new_run(Path(folder) / "run", archive=archive)
        _fill(store, task, archive)
        total = store.count() + MEASURED + in_flight + 2
        carry(store, task, in_flight=in_flight, evaluations=total, watch=lambda _: marks.append(time.process_time()))
        store.close()
    took = [1e3 * (later - earlier) for earlier, later in itertools.pairwise(marks)]
    return statistics.median(took[1 : MEASURED + 1])


def _fill(store: RunStore, task: StandIn, archive: int) -> None:
    """Record sources and offspring until the archive is full, in one transaction."""
    sources = open_run_sources(store.config)
    search = M2N2(store.config, sources)
    born = []
    while len(search.archive) < archive:
        candidate = search.ask()
        evaluation = task.evaluate(candidate, search.archive)
        told = search.tell(candidate, task.niches(evaluation.scores))
        lineage = candidate.recipe.lineage
        born.append(
            Individual(
                id=candidate.recipe.name, mother=lineage.mother if lineage else None,
                father=lineage.father if lineage else None, recipe=candidate.recipe, scores=evaluation.scores,
                entered=told.entered, alive=told.entered, seconds=0.0, born=now(),
            )
        )  # fmt: skip
    store.record(born, search.state(), search.archive.ids)
