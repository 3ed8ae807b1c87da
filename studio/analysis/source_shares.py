"""How much of each source is in a recipe: one answer for the Archive's filter, the family tree and Weak spots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.recipes.recipe import Recipe
from studio.runs.individual import Individual


def source_shares(recipe: Recipe) -> dict[str, float]:
    """Measure each source's part of all that is merged, 0 to 1; the parts add up to 1.

    A part is the size of the source's weights, summed over elements, divided by that of all sources' weights. Weights
    may be negative, as in sums of what sources added to a base: `a + b - base` is a third of each.

    Returns:
        Shares by the recipe's names of its sources; all 0 where every weight is 0.
    """
    totals = np.zeros(len(recipe.sources))
    for chromosome in recipe.chromosomes.values():
        for start, stop, weights in chromosome.spans_within(0, chromosome.size):
            totals += np.abs(weights) * (stop - start)
    whole = totals.sum() or 1.0
    return dict(zip((source.name for source in recipe.sources), (totals / whole).tolist(), strict=True))


def mean_share(recipes: Sequence[Recipe], source: str) -> float:
    """Average a source's share over recipes, 0 to 1; 0 where there are none."""
    return float(np.mean([source_shares(recipe).get(source, 0.0) for recipe in recipes])) if recipes else 0.0


def offspring_alive(everyone: Sequence[Individual]) -> list[Recipe]:
    """Return the recipes of the offspring alive."""
    return [one.recipe for one in everyone if one.alive and not one.is_source]
