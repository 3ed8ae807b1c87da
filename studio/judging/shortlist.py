"""The shortlist of a run: the models that people starred and nobody rejected, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.preferences.bradley_terry import fit_strengths
from studio.runs.individual import Individual
from studio.runs.store import RunStore

from .annotations import REJECTED, read_annotations
from .votes import read_votes


@dataclass(frozen=True)
class Finalists:
    """Who of a shortlist fits beside each other, and who does not; `by_votes`: blind votes about them decided it."""

    ids: tuple[str, ...]
    left_out: tuple[str, ...]
    by_votes: bool


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


def finalists(store: RunStore, starred: Sequence[Individual], most: int) -> Finalists:
    """Return as many of a run's shortlist as fit: a tournament by blind votes where it is longer.

    Those that won most against others of the shortlist (Bradley and Terry's strengths) come first, then those that
    nobody voted on, in the shortlist's order, then those that lost more than they won.

    Raises:
        RunError: the votes cannot be read.
    """
    ids = [one.id for one in starred]
    met = []
    if len(ids) > most:
        met = [vote.comparison for vote in read_votes(store.folder) if {vote.left, vote.right} <= set(ids)]
    strengths = fit_strengths(met) if met else {}
    order = sorted(ids, key=lambda id: -strengths.get(id, 0.0))  # of equals the shortlist's order stays
    return Finalists(tuple(order[:most]), tuple(order[most:]), bool(met))
