"""The shortlist of a run: the models that people starred and nobody rejected, the best first."""

from __future__ import annotations

from studio.runs.individual import Individual
from studio.runs.store import RunStore

from .annotations import REJECTED, read_annotations


def shortlist(store: RunStore) -> list[Individual]:
    """Return the models of a run's shortlist: those with more stars first, then those with a better Japanese score.

    Raises:
        RunError: the run's database or its marks cannot be read.
    """
    marked = read_annotations(store)
    stars = {digest: said.stars for digest, said in marked.items() if said.stars and REJECTED not in said.tags}
    if not stars:
        return []
    chosen = [one for one in store.individuals() if one.recipe.digest in stars]
    return sorted(chosen, key=lambda one: (-stars[one.recipe.digest], -(one.mean("ja") or 0.0)))
