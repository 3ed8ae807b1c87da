"""A map of the recipes of a run: two axes of all there are, and what a recipe is expected to score anywhere on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from studio.evolution.foresight import ScoreModel
from studio.evolution.niches import Floats

COLUMNS, ROWS = 60, 40  # cells of the map
MARGIN = 0.1  # of its width and of its height, to either side of all that lies on it
NO_CHANGE = 1e-18  # of squared expected scores, below which nothing is expected to differ


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """Two axes of a recipe space, along which the expected mean score changes most.

    Attributes:
        share: of all the change that is expected over the places visited, the part along these axes, 0..1.
        points: where each place lies, float64 [places, 2], from 0, 0 at the bottom left to 1, 1 at the top right.
        mean: expected mean score of each cell, float64 [ROWS, COLUMNS], the bottom row first.
        certainty: how much is known of each cell, float64 [ROWS, COLUMNS]: 1 where the score is sure, 0 where it is no
            surer than of any recipe.
    """

    share: float
    points: Floats
    mean: Floats
    certainty: Floats


def score_map(model: ScoreModel, places: Floats) -> ScoreMap | None:
    """Lay a map through the middle of places; `None` where no difference between them is expected.

    The axes are the leading directions of the active subspace of the expected mean score (Constantine, "Active
    Subspaces", 2015): eigenvectors of the mean of slope times slope, here in steps that are as long as the places are
    spread. With slopes g, their covariance C = E[g g^T] and the places' covariance S, a step d ~ N(0, S) from a place
    changes the score by E[(g d)^2] = tr(S^1/2 C S^1/2), and the two leading eigenvectors of that matrix hold most of
    it. Principal axes of the places alone show how recipes differ, whether or not it matters; slopes alone lead
    where no recipe lies. Distances on the map are distances of recipes; scores rise to the right and upwards.

    Args:
        model: of the scores.
        places: float64 [places, dimensions], of all that is to be on it: two at least.
    """
    middle = places.mean(axis=0)
    apart = places - middle
    values, vectors = np.linalg.eigh(apart.T @ apart / len(places))
    spread = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    slopes = model.slope(places)
    changes, directions = np.linalg.eigh(spread @ (slopes.T @ slopes / len(places)) @ spread)
    total = float(changes.sum())
    if total <= NO_CHANGE:
        return None
    axes, _ = np.linalg.qr(spread @ directions[:, :-3:-1])  # [dimensions, 2]
    axes = axes * np.where(slopes.mean(axis=0) @ axes < 0, -1.0, 1.0)
    flat = apart @ axes
    low, high = flat.min(axis=0), flat.max(axis=0)
    cells = np.array([COLUMNS, ROWS])
    side = float(((high - low) / cells).max()) / (1 - 2 * MARGIN)  # of a cell, alike in both directions
    corner = (low + high - side * cells) / 2
    x, y = (corner[axis] + side * (np.arange(count) + 0.5) for axis, count in enumerate(cells))
    grid = np.stack([each.ravel() for each in np.meshgrid(x, y)], axis=1)  # [ROWS * COLUMNS, 2]
    forecast = model.forecast(middle + grid @ axes.T)
    known = 1.0 - forecast.deviation.mean(axis=1) / model.unknown.mean()
    return ScoreMap(
        share=float(changes[-2:].sum()) / total,
        points=(flat - corner) / (side * cells),
        mean=forecast.mean.mean(axis=1).reshape(ROWS, COLUMNS),
        certainty=known.reshape(ROWS, COLUMNS),
    )
