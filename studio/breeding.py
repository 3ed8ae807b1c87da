"""The sources as individuals, and the crossover that the search breeds with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipelines.crossover import Genes, cross
from pipelines.gram import gram
from pipelines.recipe import Lineage, Recipe, blend
from pipelines.sources import Source

from .config import RunConfig


def source_recipes(config: RunConfig, sources: Mapping[str, Source]) -> dict[str, Recipe]:
    """The sources as individuals: one-hot weights under the run's host."""
    return {
        name: weighted(config, sources, row, name=name)
        for name, row in zip(sources, np.eye(len(sources)).tolist(), strict=True)
    }


def weighted(config: RunConfig, sources: Mapping[str, Source], weights: list[float], *, name: str) -> Recipe:
    """A recipe with the same weights in every chromosome that the run merges."""
    chromosomes = ["attention", "backbone"]
    if config.merge_text_encoders:
        chromosomes += ["text_encoder", "text_encoder_2"]
    rows = dict.fromkeys(chromosomes, weights)
    return blend(list(sources.values()), rows, host=config.host, name=name)


class Breeder:
    """Crossover of recipes as the search wants it; the next child's name is `f"{number:04d}"`."""

    def __init__(self, config: RunConfig, sources: Mapping[str, Source], recipe: Recipe) -> None:
        ordered = list(sources.values())
        self.layouts = {
            chromosome: layout
            for component in recipe.merged_components
            for chromosome, layout in ordered[0].components[component].layouts.items()
        }
        self.grams = {name: gram(ordered, layout) for name, layout in self.layouts.items()}
        self.config = config
        self.number = 1

    def __call__(self, mother: Recipe, father: Recipe, rng: np.random.Generator) -> Recipe:
        """One child; per chromosome, split s ~ uniform integer over its length and ratio w ~ U(0, 1)."""
        genes = {
            name: Genes(int(rng.integers(chromosome.size)), float(rng.random()))
            for name, chromosome in sorted(mother.chromosomes.items())
        }
        lineage = Lineage(
            mother=mother.name,
            father=father.name,
            splits={name: drawn.split_point for name, drawn in genes.items()},
            ratios={name: drawn.mixing_ratio for name, drawn in genes.items()},
            seed=self.config.seed,
        )
        child = cross(
            mother, father, genes, grams=self.grams, layouts=self.layouts, lineage=lineage, angle=self.config.angle
        )
        return child.model_copy(update={"name": f"{self.number:04d}"})
