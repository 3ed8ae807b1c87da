"""Which individuals the archive's wall shows, and in which order: numbers in, individuals out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from eval.prompts.prompt_set import PromptSet
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
    """What somebody asks the wall for.

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
    """

    sort: WallSort = "ja"
    show: WallShow = "alive"
    category: str = ""
    text: str = ""
    source: str = ""
    share: float = 0.0
    stars: float = 0.0
    tag: str = ""


def prompt_rows(prompts: PromptSet, wanted: WallFilter) -> list[int]:
    """The prompts that count, by their place in the set."""
    text = wanted.text.strip().casefold()
    return [
        row
        for row, prompt in enumerate(prompts.prompts)
        if wanted.category in ("", prompt.category)
        and any(text in (caption or "").casefold() for caption in (prompt.ja, prompt.en))
    ]


def select_individuals(
    everyone: Sequence[Individual],
    prompts: PromptSet,
    wanted: WallFilter,
    marked: Mapping[str, Annotations],
    strengths: Mapping[str, float],
) -> list[Individual]:
    """The individuals to show, best first; of equals the older first.

    Args:
        everyone: all of the run.
        prompts: its niches.
        wanted: what is asked for.
        marked: stars and tags by the recipe's digest.
        strengths: by id, of those that were voted on.
    """
    rows = prompt_rows(prompts, wanted)
    scored = [one for one in everyone if "ja" in one.scores]
    if wanted.show == "alive":
        scored = [one for one in scored if one.alive]
    elif wanted.show == "fame":
        scored = hall_of_fame(scored)
    if not rows:
        return []

    def said(one: Individual) -> Annotations:
        return marked.get(one.recipe.digest, Annotations()) if marked else Annotations()

    shown = [
        one
        for one in scored
        if (not wanted.source or source_shares(one.recipe).get(wanted.source, 0.0) >= max(wanted.share, 1e-9))
        and (not wanted.stars or said(one).stars >= wanted.stars)
        and (not wanted.tag or wanted.tag in said(one).tags)
    ]
    if not shown or wanted.sort == "newest":
        return shown[::-1]
    if wanted.sort in ("niches", "diversity"):
        table = np.stack([one.scores["ja"][rows].mean(axis=1) for one in shown])
        worth = niches_held(table) if wanted.sort == "niches" else diversity(table)
        return [shown[place] for place in np.argsort(-worth, kind="stable")]
    if wanted.sort == "votes":
        return sorted((one for one in shown if one.id in strengths), key=lambda one: -strengths[one.id])
    if wanted.sort == "stars":
        return sorted(shown, key=lambda one: -said(one).stars)
    kind = wanted.sort
    return sorted((one for one in shown if kind in one.scores), key=lambda one: -float(one.scores[kind][rows].mean()))


def hall_of_fame(everyone: Sequence[Individual]) -> list[Individual]:
    """Those who were ever best at a prompt or on average, in either language, alive or not; of equals the oldest."""
    found = set()
    for kind in ("ja", "en"):
        scored = [one for one in everyone if kind in one.scores]
        if scored:
            table = np.stack([one.scores[kind].mean(axis=1) for one in scored])  # [individuals, prompts]
            best = [*table.argmax(axis=0), int(table.mean(axis=1).argmax())]
            found |= {scored[place].id for place in best}
    return [one for one in everyone if one.id in found]


def niches_held(table: np.ndarray) -> np.ndarray:
    """How many prompts each individual holds among these: int64 [individuals] of scores [individuals, prompts]."""
    held = owners(table)
    return np.bincount(held[held >= 0], minlength=len(table))


def diversity(table: np.ndarray) -> np.ndarray:
    """How far each individual's scores are from those of whoever is most like it: float64 [individuals].

    The distance of two is the mean absolute difference over prompts; one alone is 0.

    Args:
        table: float64 [individuals, prompts].
    """
    apart = np.array([np.abs(table - row).mean(axis=1) for row in table])
    np.fill_diagonal(apart, np.inf)
    nearest: np.ndarray = apart.min(axis=1)
    return np.where(np.isfinite(nearest), nearest, 0.0)


def best_source(everyone: list[Individual], kind: ScoreKind = "ja") -> Individual | None:
    """The source with the best mean."""
    sources = [one for one in everyone if one.is_source and one.mean(kind) is not None]
    return max(sources, key=lambda one: one.mean(kind) or 0.0, default=None)
