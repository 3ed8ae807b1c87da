"""What people said of a run's models, as factors of how often each mates: stars, rejections and blind votes."""

from __future__ import annotations

import math

from eval.preferences.bradley_terry import fit_strengths
from studio.errors import RunError
from studio.runs.state import Steering
from studio.runs.store import RunStore

from .annotations import REJECTED, read_annotations
from .votes import read_votes

DIGITS = 2  # of a factor
LEAST = 0.01  # of whoever lost every vote, and was not rejected


def ask_to_steer(store: RunStore, by: str) -> Steering:
    """Ask a run to breed by what people said so far, from its next child on; what is said later changes nothing.

    Args:
        store: the run.
        by: who asks; may be empty.

    Raises:
        RunError: nothing was said of anybody alive, or fewer than two of those alive would be left to breed from.
    """
    favour = favour_of(store)
    steering = Steering(by=by.strip(), favour=favour)
    store.update(steer=steering.model_dump())
    return steering


def ask_to_steer_no_more(store: RunStore, by: str) -> None:
    """Ask a run to breed as the search alone would, from its next child on."""
    store.update(steer=Steering(by=by.strip(), favour={}).model_dump())


def favour_of(store: RunStore) -> dict[str, float]:
    """Return how many times as often each model alive is to mate, by id; those of factor 1 are left out.

    Stars are factors: three stars mate three times as often. Somebody rejected never mates. Votes multiply that by the
    odds to win against an average model, as Bradley and Terry's ranking has them: few votes change little.

    Raises:
        RunError: as `ask_to_steer`.
    """
    said, votes = read_annotations(store), read_votes(store.folder)
    strengths = fit_strengths([vote.comparison for vote in votes]) if votes else {}
    alive = [one for one in store.individuals() if one.alive]
    favour = {}
    for one in alive:
        marked = said.get(one.recipe.digest)
        factor = max(marked.stars, 1.0) if marked else 1.0
        if marked and REJECTED in marked.tags:
            factor = 0.0
        factor = round(factor * math.exp(strengths.get(one.id, 0.0)), DIGITS) or min(factor, LEAST)
        if factor != 1:
            favour[one.id] = factor
    if not favour:
        raise RunError(
            "Nothing was said of the models alive in {name}. Star or reject some on the Archive page, or vote on the "
            "Judge page.",
            name=store.name,
        )
    if len(alive) - sum(not factor for factor in favour.values()) < 2:
        raise RunError(
            "Of the {alive} models alive in {name}, fewer than two are not rejected. Take a rejection back: two at "
            "least are needed to breed from.",
            name=store.name,
            alive=len(alive),
        )
    return favour
