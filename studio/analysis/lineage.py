"""Who descends from whom."""

from __future__ import annotations

from collections.abc import Sequence

from studio.runs.individual import Individual
from studio.runs.store import RunStore


def lineage(store: RunStore, id: str) -> list[Individual]:
    """An individual and all its ancestors, youngest first.

    Raises:
        RunError: nobody has that id.
    """
    store.individual(id)
    return ancestry(store.individuals(), [id])


def ancestry(everyone: Sequence[Individual], ids: Sequence[str]) -> list[Individual]:
    """Some individuals and all their ancestors, parents after their children; `everyone` is in the run."""
    known = {individual.id: individual for individual in everyone}
    found: dict[str, Individual] = {}
    waiting = list(ids)
    while waiting:
        individual = known[waiting.pop(0)]
        if individual.id not in found:
            found[individual.id] = individual
            waiting += [parent for parent in (individual.mother, individual.father) if parent]
    return list(found.values())
