"""What the scores of a run say of a recipe that nobody has drawn, before a picture is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.checkpoints.sources import Source
from pipelines.recipes.gram import gram_file
from pipelines.recipes.recipe import Recipe
from studio.evolution.calibration import Calibration, calibration
from studio.evolution.foresight import ScoreModel
from studio.evolution.niches import Floats
from studio.runs.individual import Individual

from .foresight import Foresight
from .initial_population import average_recipe, source_recipes
from .settings import BreedingSettings
from .variation import RecipeCrossover, bred_layouts


@dataclass(frozen=True)
class ExpectedScore:
    """A mean score over a run's prompts that is expected, in 0..1.

    Attributes:
        mean: the expected score.
        deviation: how far from it the score may be found, one standard deviation. Prompts are taken to err together, as
            they do where the place of a recipe is little known; so it is rather too large than too small.
    """

    mean: float
    deviation: float


class ScoreExpectation:
    """What a run's Japanese scores say of recipes over its sources.

    Args:
        config: how the run breeds.
        sources: opened, by name.
        individuals: of the run; whoever was not scored to the end teaches nothing.

    Attributes:
        individuals: those that were learned from, oldest first.
        places: where each lies in the recipe space, float64 [individuals, dimensions].
        sources: where each source that is bred lies, by name: float64 [dimensions].
        first_half: which of the coordinates tell of the first half of their chromosome: bool [dimensions].
        model: what their scores say; `None` where they are too few.
    """

    def __init__(
        self, config: BreedingSettings, sources: Mapping[str, Source], individuals: Iterable[Individual]
    ) -> None:
        blank = average_recipe(config, sources)
        self._hashes = [source.sha256 for source in blank.sources]
        self._foresight = Foresight(config, sources, RecipeCrossover(config, sources, blank).grams)
        known: dict[str, Individual] = {}
        for one in individuals:
            scores = one.competing(["ja"])
            if scores is not None:
                self._foresight.learn(one.recipe, scores)
                known[one.recipe.name] = one
        self.individuals = list(known.values())
        space = self._foresight.space
        self.sources = {name: space.place(recipe) for name, recipe in source_recipes(config, sources).items()}
        self.first_half = space.first_half
        self.places: Floats = np.array([space.place(one.recipe) for one in self.individuals])
        self.model: ScoreModel | None = self._foresight.learned()

    @property
    def calibration(self) -> Calibration | None:
        """How scores compare with what those of all others say of each; `None` where they are too few."""
        if self.model is None:
            return None
        scores = np.stack([one.scores["ja"].mean(axis=1) for one in self.individuals])
        expected, usual = self.model.left_out(), (scores.sum(axis=0) - scores) / (len(scores) - 1)
        return calibration(expected.mean, expected.found, scores, usual)

    def of(self, recipe: Recipe) -> ExpectedScore | None:
        """What a recipe is expected to score; `None` of one over other sources, or where too few were scored."""
        if [source.sha256 for source in recipe.sources] != self._hashes:
            return None
        found = self._foresight.predict(recipe)
        return None if found is None else ExpectedScore(float(found.mean.mean()), float(found.deviation.mean()))


def is_quick(config: BreedingSettings, sources: Mapping[str, Source]) -> bool:
    """Whether a `ScoreExpectation` reads next to nothing of the sources: on this machine they were bred from before."""
    bred, layouts = config.bred(sources), bred_layouts(config, sources, average_recipe(config, sources))
    return all(gram_file(list(bred.values()), layout).exists() for layout in layouts.values())
