"""Networks from recipes, one after another in the same memory."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from pipelines.architectures.keys import MODEL
from pipelines.checkpoints.sources import Source
from pipelines.recipes.recipe import Recipe
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import LiveWeights


class Weaver:
    """The weights of one network after another, in the same memory."""

    def __init__(self, recipe: Recipe, sources: Mapping[str, Source]) -> None:
        """Take the memory; `recipe` is any over the sources."""
        self.sources = sources
        tensors = Plan(recipe, sources).tensor_plans(MODEL)
        self.weights = {tensor.name: torch.empty(tensor.shape, dtype=tensor.dtype) for tensor in tensors}
        self._live = LiveWeights(MODEL, self.weights)

    def become(self, recipe: Recipe) -> Mapping[str, torch.Tensor]:
        """Weave a recipe; what it gives holds until the next one.

        Raises:
            RecipeError: a sum overflows.
        """
        self._live.weave(Plan(recipe, self.sources))
        return self.weights
