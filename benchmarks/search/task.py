"""What every search of the benchmark is asked: recipes of the embedded family, judged and reported."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

import assets
from eval.cmmd import cmmd
from eval.prompts.prompt_set import LANGUAGES, Language, PromptSet
from pipelines.checkpoints.sources import Source
from pipelines.errors import GenerationError, RecipeError
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.chromosome import Segment
from pipelines.recipes.recipe import Recipe, blend
from studio.evaluation.evaluator import DrawingConditions, DrawnPicture, Evaluator, Fitness
from studio.evaluation.open_scorer import open_scorer, unpark_beside
from studio.evolution.niches import Floats
from studio.runs.config import EMBEDDED_PICTURES, RunConfig, embedded
from studio.runs.inputs import RunPrompts, open_run_sources
from studio.runs.noise import Noise

NICHES = 33  # a batch of EMBEDDED_PICTURES
Rows = Sequence[tuple[int, Sequence[float]]]  # segments of a chromosome: stop, weights

logger = logging.getLogger(__name__)


class Bench:
    """The embedded sources with their judge and their jury, opened once for many runs.

    Args:
        niches: prompts that are fitness; NICHES of the set of evolution if left out.
        held_out: prompts that report; all of their set if left out.
        pictures: how they are drawn.
        sources: as a run file writes them; all six if left out.
    """

    def __init__(
        self,
        niches: PromptSet | None = None,
        held_out: PromptSet | None = None,
        pictures: GenerationSettings = EMBEDDED_PICTURES,
        sources: Sequence[str] | None = None,
    ) -> None:
        config = embedded(sources=sources or assets.all_sources())
        self.niches = niches or RunPrompts(config).niches.subset(NICHES)
        self.held_out = held_out or RunPrompts(config).held_out
        self.sources = open_run_sources(config)
        self.pictures = pictures
        self._judge, self._jury = open_scorer(config.scorer), open_scorer(config.reporter)
        self._folder = Path(config.held_out).parent
        self._evaluator: Evaluator | None = None

    def scores(
        self,
        recipe: Recipe,
        sources: Mapping[str, Source],
        config: RunConfig,
        rotation: int = 0,
        places: Sequence[int] | None = None,
    ) -> Floats | None:
        """What the judge makes of a recipe, float64 [niches] a language; None if it draws nothing.

        Args:
            recipe: whose pictures.
            sources: what it names.
            config: of the run.
            rotation: which noise.
            places: of the niches that are wanted; all of them if left out.
        """
        niches = self.niches
        if places is not None:
            niches = niches.model_copy(update={"prompts": [niches.prompts[place] for place in places]})
        conditions, fitness = (
            DrawingConditions(config.pictures, Noise(1, rotation)),
            Fitness(config.fitness, self._folder),
        )
        try:
            evaluator = self._evaluator_of(sources, recipe)
            drawn = [evaluator.draw(recipe, niches, language, conditions) for language in config.compete]
        except (GenerationError, RecipeError) as error:
            logger.warning("not drawn: %s", error)
            return None
        scored = [evaluator.score(pictures, self._judge, conditions, fitness) for pictures in drawn]
        return np.concatenate([one.scores[:, 0] for one in scored])

    def report(self, recipe: Recipe, sources: Mapping[str, Source]) -> tuple[dict[str, list[float]], float]:
        """What the jury makes of a recipe: scores per held-out prompt by kind, and CMMD of the Japanese pictures."""
        evaluator, conditions = self._evaluator_of(sources, recipe), DrawingConditions(self.pictures, Noise(1))
        drawn = (evaluator.draw(recipe, self.held_out, language, conditions) for language in LANGUAGES)
        ja, en = (evaluator.score(pictures, self._jury, conditions) for pictures in drawn)
        scores = {"ja": ja.scores, "en": en.scores, "consistency": ja.consistency(en)}
        return {kind: rounded(rows[:, 0]) for kind, rows in scores.items()}, cmmd(ja.features, self._references)

    def draw(
        self, recipe: Recipe, sources: Mapping[str, Source], prompts: PromptSet, language: Language = "ja"
    ) -> list[DrawnPicture]:
        """Pictures to look at."""
        conditions = DrawingConditions(self.pictures, Noise(1))
        return self._evaluator_of(sources, recipe).draw(recipe, prompts, language, conditions)

    def references(self, prompts: PromptSet) -> list[Image.Image]:
        """The reference pictures of held-out prompts."""
        return [Image.open(path).convert("RGB") for path in prompts.references(self._folder)]

    @cached_property
    def _references(self) -> np.ndarray:
        return self._jury.image_features(self.references(self.held_out))

    def _evaluator_of(self, sources: Mapping[str, Source], recipe: Recipe) -> Evaluator:
        """One pipeline for all recipes over the same sources, with room for both scorers where the device has any."""
        if self._evaluator is None or self._evaluator.pipeline.sources is not sources:
            both = self._judge.weights_bytes + self._jury.weights_bytes
            self._evaluator = Evaluator(recipe, sources, settings=self.pictures, scorer_bytes=both)
            for scorer in (self._judge, self._jury):
                unpark_beside(scorer, self._evaluator.pipeline)
        return self._evaluator


def rounded(values: Sequence[float] | np.ndarray) -> list[float]:
    """Four digits."""
    return [round(float(value), 4) for value in values]


def compact(recipe: Recipe) -> dict[str, Rows]:
    """The segments of each chromosome: [stop, weights], with weights to five digits."""
    return {
        name: [(segment.stop, [round(weight, 5) for weight in segment.weights]) for segment in chromosome.segments]
        for name, chromosome in recipe.chromosomes.items()
    }


def restored(winner: Mapping[str, Rows], sources: Mapping[str, Source], config: RunConfig) -> Recipe:
    """The recipe that `compact` was given, over the sources it was made for."""
    whole = blend(list(sources.values()), {name: rows[0][1] for name, rows in winner.items()}, host=config.host)
    segments = {
        name: tuple(Segment(stop=stop, weights=tuple(row)) for stop, row in rows) for name, rows in winner.items()
    }
    chromosomes = {
        name: chromosome.model_copy(update={"segments": segments[name]})
        for name, chromosome in whole.chromosomes.items()
    }
    return whole.model_copy(update={"chromosomes": chromosomes})
