"""Recipes as points whose distances are those of their weights, without touching a weight."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.recipes.gram import Gram
from pipelines.recipes.recipe import Recipe
from studio.evolution.niches import Floats

STRETCHES = 6  # of each chromosome, in each of which a recipe counts as its mean weights there


class RecipeSpace:
    """Coordinates of recipes over one set of sources.

    A recipe is w @ sources in each stretch, so two of them lie (w - v) G (w - v) apart there, where G has the inner
    products of the sources, taken from their mean: what all sources share sets no two recipes apart, also where their
    weights do not sum to the same. With G = L L^T that is the squared distance of w L and v L. The sources are read
    when the space is made, and never again.

    Args:
        grams: inner products of all sources of the recipes, by chromosome.
        bred: places of those that are bred among them.
    """

    def __init__(self, grams: Mapping[str, Gram], bred: Sequence[int]) -> None:
        self._bred = list(bred)
        self._stretches: list[tuple[str, int, int, Floats]] = []  # chromosome, first element, exclusive end, L [K, K]
        centred = np.eye(len(self._bred)) - 1 / len(self._bred)
        for chromosome, gram in grams.items():
            bounds = np.unique(np.linspace(0, gram.size, STRETCHES + 1).astype(int)).tolist()
            for start, stop in itertools.pairwise(bounds):
                products = gram.between(start, stop)[np.ix_(self._bred, self._bred)]
                values, vectors = np.linalg.eigh(centred @ products @ centred)
                root = vectors * np.sqrt(np.maximum(values, 0.0))
                self._stretches.append((chromosome, start, stop, root))

    def place(self, recipe: Recipe) -> Floats:
        """The point of a recipe: float64 [stretches * sources that are bred]."""
        return np.concatenate(
            [
                self._mean_weights(recipe, chromosome, start, stop) @ root
                for chromosome, start, stop, root in self._stretches
            ]
        )

    @property
    def first_half(self) -> np.ndarray:
        """Which coordinates tell of stretches that begin before the middle of their chromosome: bool [dimensions]."""
        sizes = {chromosome: stop for chromosome, _, stop, _ in self._stretches}  # of several the last
        return np.concatenate(
            [np.full(len(self._bred), 2 * start < sizes[chromosome]) for chromosome, start, _, _ in self._stretches]
        )

    def _mean_weights(self, recipe: Recipe, chromosome: str, start: int, stop: int) -> Floats:
        spans = list(recipe.chromosomes[chromosome].spans_within(start, stop))
        lengths = np.array([span.stop - span.start for span in spans], dtype=np.float64)
        weights = np.array([span.weights for span in spans])[:, self._bred]
        return lengths @ weights / (stop - start)
