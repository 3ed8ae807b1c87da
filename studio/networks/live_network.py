"""Networks from recipes, one after another in the same memory, and crossover as the search wants it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from pipelines.architectures.keys import MODEL
from pipelines.checkpoints.sources import Source
from pipelines.recipes.crossover import Genes, cross
from pipelines.recipes.gram import gram
from pipelines.recipes.pinning import recipe_layouts
from pipelines.recipes.recipe import Lineage, Recipe
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import LiveWeights
from studio.errors import ConfigError

from .config import AnyConfig


class Weaver:
    """The weights of one network after another, in the same memory."""

    def __init__(self, recipe: Recipe, sources: Mapping[str, Source]) -> None:
        """Take the memory; `recipe` is any over the sources."""
        self.sources = sources
        threads = Plan(recipe, sources).threads(MODEL)
        self.weights = {thread.name: torch.empty(thread.shape, dtype=thread.dtype) for thread in threads}
        self._live = LiveWeights(MODEL, self.weights)

    def become(self, recipe: Recipe) -> Mapping[str, torch.Tensor]:
        """Weave a recipe; what it gives holds until the next one.

        Raises:
            RecipeError: a sum overflows.
        """
        self._live.weave(Plan(recipe, self.sources))
        return self.weights


class Breeder:
    """Crossover of recipes as the search wants it; the next child's name is `f"{number:04d}"`."""

    def __init__(self, config: AnyConfig, sources: Mapping[str, Source], recipe: Recipe) -> None:
        ordered = list(sources.values())
        bred = {name: one for name, one in recipe_layouts(recipe, sources).items() if name not in config.frozen}
        if not bred:
            raise ConfigError("Every chromosome is frozen. Expected one at least to breed; shorten frozen.")
        self.layouts = bred
        self.grams = {name: gram(ordered, layout) for name, layout in bred.items()}
        self.seed = config.seed
        self.number = 1

    def __call__(self, mother: Recipe, father: Recipe, rng: np.random.Generator) -> Recipe:
        """One child; per chromosome that is bred, split s ~ uniform integer over its length and ratio w ~ U(0, 1)."""
        drawn = {name: (int(rng.integers(layout.size)), float(rng.random())) for name, layout in self.layouts.items()}
        child = cross(
            mother,
            father,
            {name: Genes.mirrored([split], ratio) for name, (split, ratio) in drawn.items()},
            grams=self.grams,
            layouts=self.layouts,
            lineage=Lineage(
                mother=mother.name,
                father=father.name,
                splits={name: split for name, (split, _) in drawn.items()},
                ratios={name: ratio for name, (_, ratio) in drawn.items()},
                seed=self.seed,
            ),
        )
        return child.model_copy(update={"name": f"{self.number:04d}"})
