"""Who descends from whom."""

from __future__ import annotations

from collections.abc import Sequence

from studio.runs.individual import Individual
from studio.runs.store import RunStore


def lineage(store: RunStore, id: str) -> list[Individual]:
    """Trace an individual and all its ancestors, youngest first.

    Raises:
        RunError: nobody has that id.
    """
    store.individual(id)
    return ancestry(store.individuals(), [id])


def ancestry(individuals: Sequence[Individual], ids: Sequence[str]) -> list[Individual]:
    """Trace some individuals and all their ancestors, parents after their children.

    Args:
        individuals: all of the run, by whom every parent is found.
        ids: of those to begin with.
    """
    by_id = {individual.id: individual for individual in individuals}
    ancestors: dict[str, Individual] = {}
    waiting = list(ids)
    while waiting:
        individual = by_id[waiting.pop(0)]
        if individual.id not in ancestors:
            ancestors[individual.id] = individual
            waiting += [parent for parent in (individual.mother, individual.father) if parent]
    return list(ancestors.values())
