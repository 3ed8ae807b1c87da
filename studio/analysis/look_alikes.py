"""Models whose pictures look alike, so that nobody has to look at one picture twenty times.

A search that settles fills its archive with near relatives. Who looks like whom is told from scores, which every run
has and which are read at once: the mean difference of two models' scores over prompts went with the mean difference of
their pixels (correlation of the logarithms 0.96 to 0.98 in three runs of the embedded family).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from studio.evolution.distances import mean_distance, score_distances
from studio.runs.individual import Individual

# Of the mean distance of two sources. Below it pixels were less than about 5 of 255 levels apart in these runs, where
# pictures side by side are hard to tell apart.
LOOK_ALIKE = 0.075
SEVERAL = 3  # alive, below which nothing is said of them all


@dataclass(frozen=True)
class Look:
    """A model, and those after it that look like it."""

    shown: Individual
    folded: tuple[Individual, ...] = ()


def fold_look_alikes(
    ordered: Sequence[Individual], sources: Sequence[Individual], apart: Collection[str] = ()
) -> list[Look]:
    """Group models by look: each joins the first before it that it looks like.

    Args:
        ordered: models with Japanese scores, the one to be shown first.
        sources: the run's; the mean distance of two of them is the measure. Below two of them nothing is folded.
        apart: ids that are shown in any case.
    """
    limit = _limit(sources)
    tables = np.array([_of_prompts(one) for one in ordered])
    leaders: list[int] = []
    folded: dict[int, list[Individual]] = {}
    for place, one in enumerate(ordered):
        if leaders and one.id not in apart:
            distances = score_distances(tables[leaders], tables[place])
            if distances.min() < limit:
                folded[leaders[int(distances.argmin())]].append(one)
                continue
        leaders.append(place)
        folded[place] = []
    return [Look(ordered[place], tuple(folded[place])) for place in leaders]


def alive_alike(everyone: Sequence[Individual]) -> int:
    """Count those alive where all look like the best of them, as where a search has settled; 0 where not."""
    alive = [one for one in everyone if one.alive and "ja" in one.scores]
    if len(alive) < SEVERAL:
        return 0
    tables = np.array([_of_prompts(one) for one in alive])
    best = tables[tables.mean(axis=1).argmax()]
    limit = _limit([one for one in everyone if one.is_source])
    return len(alive) if score_distances(tables, best).max() < limit else 0


def _limit(sources: Sequence[Individual]) -> float:
    """The distance below which two models look alike; 0 without two sources."""
    return LOOK_ALIKE * mean_distance(np.array([_of_prompts(one) for one in sources if "ja" in one.scores]))


def _of_prompts(one: Individual) -> np.ndarray:
    """A model's Japanese scores, their mean over noises: float64 [prompts]."""
    scores: np.ndarray = one.scores["ja"].mean(axis=1)
    return scores
