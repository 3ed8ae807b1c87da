"""Which individuals the archive's wall shows, and in which order: numbers in, individuals out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from eval.prompts.prompt_set import PromptSet
from studio.evolution.distances import score_distances
from studio.evolution.niches import owners
from studio.judging.annotations import Annotations
from studio.runs.individual import Individual, ScoreKind

from .source_shares import source_shares

WallSort = Literal["ja", "en", "consistency", "niches", "diversity", "votes", "stars", "newest"]
WALL_SORTS: tuple[WallSort, ...] = get_args(WallSort)
WallShow = Literal["alive", "fame", "all"]
WALL_SHOWS: tuple[WallShow, ...] = get_args(WallShow)
WALL_SIZE = 60  # individuals on a page of the wall


@dataclass(frozen=True)
class WallFilter:
    """What a person asks the wall to show.

    Attributes:
        sort: by a mean score, by how many niches it holds or how different it is among those shown, by how people's
            blind votes rank it, by stars, by age.
        show: those alive, the hall of fame, or everybody ever evaluated.
        category: scores count over this category's prompts alone; empty for all.
        text: only prompts with this in a caption count; empty for all.
        source: only individuals that are made of this source; empty for all.
        share: at least so much of it, 0 to 1.
        stars: at least so many.
        tag: only those who bear it; empty for all.
        fold: of models that look alike one is shown, with the others behind it.
    """

    sort: WallSort = "ja"
    show: WallShow = "alive"
    category: str = ""
    text: str = ""
    source: str = ""
    share: float = 0.0
    stars: float = 0.0
    tag: str = ""
    fold: bool = True


def prompt_rows(prompts: PromptSet, wall: WallFilter) -> list[int]:
    """Return the prompts that count, by their place in the set."""
    text = wall.text.strip().casefold()
    return [
        row
        for row, prompt in enumerate(prompts.prompts)
        if wall.category in ("", prompt.category)
        and any(text in (caption or "").casefold() for caption in (prompt.ja, prompt.en))
    ]


def select_individuals(
    individuals: Sequence[Individual],
    prompts: PromptSet,
    wall: WallFilter,
    annotations: Mapping[str, Annotations],
    strengths: Mapping[str, float],
) -> list[Individual]:
    """Select the individuals to show, best first; of equals the older first.

    Args:
        individuals: all of the run.
        prompts: its niches.
        wall: what is asked for.
        annotations: stars and tags by the recipe's digest.
        strengths: by id, of those that were voted on.
    """
    rows = prompt_rows(prompts, wall)
    scored = [one for one in individuals if "ja" in one.scores]
    if wall.show == "alive":
        scored = [one for one in scored if one.alive]
    elif wall.show == "fame":
        scored = hall_of_fame(scored)
    if not rows:
        return []

    def annotations_of(individual: Individual) -> Annotations:
        return annotations.get(individual.recipe.digest, Annotations()) if annotations else Annotations()

    shown = [
        one
        for one in scored
        if (not wall.source or source_shares(one.recipe).get(wall.source, 0.0) >= max(wall.share, 1e-9))
        and (not wall.stars or annotations_of(one).stars >= wall.stars)
        and (not wall.tag or wall.tag in annotations_of(one).tags)
    ]
    if not shown or wall.sort == "newest":
        return shown[::-1]
    if wall.sort in ("niches", "diversity"):
        table = np.stack([one.scores["ja"][rows].mean(axis=1) for one in shown])
        worth = niches_held(table) if wall.sort == "niches" else diversity(table)
        return [shown[place] for place in np.argsort(-worth, kind="stable")]
    if wall.sort == "votes":
        return sorted((one for one in shown if one.id in strengths), key=lambda one: -strengths[one.id])
    if wall.sort == "stars":
        return sorted(shown, key=lambda one: -annotations_of(one).stars)
    kind = wall.sort
    return sorted((one for one in shown if kind in one.scores), key=lambda one: -float(one.scores[kind][rows].mean()))


def hall_of_fame(individuals: Sequence[Individual]) -> list[Individual]:
    """Select who were ever best at a prompt or on average, in either language, alive or not; of equals the oldest."""
    famous = set()
    for kind in ("ja", "en"):
        scored = [one for one in individuals if kind in one.scores]
        if scored:
            table = np.stack([one.scores[kind].mean(axis=1) for one in scored])  # [individuals, prompts]
            best = [*table.argmax(axis=0), int(table.mean(axis=1).argmax())]
            famous |= {scored[place].id for place in best}
    return [one for one in individuals if one.id in famous]


def niches_held(table: np.ndarray) -> np.ndarray:
    """Count the prompts that each individual holds: int64 [individuals] of float64 scores [individuals, prompts]."""
    held = owners(table)
    return np.bincount(held[held >= 0], minlength=len(table))


def diversity(table: np.ndarray) -> np.ndarray:
    """Measure how far each individual's scores are from those of whoever is most like it: float64 [individuals].

    The distance of two is the mean absolute difference over prompts; one alone is 0.

    Args:
        table: float64 [individuals, prompts].
    """
    apart = np.array([score_distances(table, row) for row in table])
    np.fill_diagonal(apart, np.inf)
    nearest: np.ndarray = apart.min(axis=1)
    return np.where(np.isfinite(nearest), nearest, 0.0)


def best_source(everyone: list[Individual], kind: ScoreKind = "ja") -> Individual | None:
    """Find the source with the best mean of a kind of score; `None` where no source has one."""
    sources = [one for one in everyone if one.is_source and one.mean(kind) is not None]
    return max(sources, key=lambda one: one.mean(kind) or 0.0, default=None)
