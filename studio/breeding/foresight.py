"""Foresight: of a pool of children the one is drawn that is expected to win most in the archive.

M2N2's own operators breed the pool, and blends of the sources are put beside them, so that no source is lost early;
where the run asks for them nudges of the best too (`nudges`). A
model of all scores so far (`evolution.foresight`) says what each would score for each prompt; which of them is worth
drawing is decided by the competition that decides who lives. The model never searches by itself: left alone it finds
where it errs. A share of the offspring is drawn as M2N2 would, whatever the model thinks of them.

The same model tells, where a run is to race, how likely a child still is to enter once some of its scores are known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.checkpoints.sources import Source
from pipelines.recipes.chromosome import Segment
from pipelines.recipes.gram import Gram
from pipelines.recipes.lineage import Lineage
from pipelines.recipes.recipe import Recipe
from studio.evolution.archive import Archive
from studio.evolution.foresight import FEWEST, ScoreModel, most_promising
from studio.evolution.niches import Floats
from studio.evolution.offspring import Breed, Offspring
from studio.evolution.racing import AUDITED, Race, Surprise
from studio.runs.individual import Prediction

from .initial_population import average_recipe, source_recipes
from .recipe_space import RecipeSpace
from .settings import BreedingSettings

CHILDREN = 40  # of the pool
BLENDS = 24  # of the sources, beside them
NUDGES = 64  # of the best, where the run asks for them
DIGITS = 6  # of what is kept of a prediction


class Foresight:
    """What a search expects of recipes, from all that were scored in it, and whom it therefore has drawn.

    Args:
        config: how to breed.
        sources: opened, by name.
        grams: inner products of the sources, by chromosome that is bred.
        racing: an individual is given up where its chance to enter is below this; 0 for never.
    """

    def __init__(
        self,
        config: BreedingSettings,
        sources: Mapping[str, Source],
        grams: Mapping[str, Gram],
        *,
        racing: float = 0.0,
    ) -> None:
        self._config, self._racing = config, racing
        self._names = list(config.bred(sources))
        self._bred = [place for place, name in enumerate(sources) if name in self._names]
        self.space = RecipeSpace(grams, self._bred)
        self._chromosomes = list(grams)
        self._blank = average_recipe(config, sources)
        apart = np.stack([self.space.place(recipe) for recipe in source_recipes(config, sources).values()])
        self._unit = float(np.sqrt(((apart - apart.mean(axis=0)) ** 2).sum(axis=1).mean())) or 1.0
        self._scored: dict[str, tuple[Floats, Floats]] = {}  # place and scores, oldest first
        self._model: ScoreModel | None = None

    def learn(self, recipe: Recipe, scores: Floats | None, partial: Floats | None = None) -> None:
        """Note what an individual scored; of one that was scored before, what it scores now.

        Args:
            recipe: the individual's.
            scores: float64 [niches]; None where it has none.
            partial: float64 [niches], NaN where one that a race gave up has no score; nothing else is learned from
                those that were given up.
        """
        found = scores if scores is not None or not self._racing else partial
        if found is not None:
            self._scored[recipe.name] = (self.space.place(recipe), np.array(found))
            self._model = None

    def predict(self, recipe: Recipe) -> Prediction | None:
        """What a recipe is expected to score; None as long as too few were scored to tell."""
        if (model := self.learned()) is None:
            return None
        forecast = model.forecast([self.space.place(recipe)])
        return Prediction(forecast.mean[0].round(DIGITS), forecast.found[0].round(DIGITS))

    def race(self, recipe: Recipe, expected: Prediction, archive: Archive) -> Race | None:
        """How to tell early that a recipe will hardly enter; None where nobody races, or there is still room.

        Args:
            recipe: that was bred.
            expected: as `predict` gave it.
            archive: who is alive.
        """
        if not self._racing or not archive.is_full or (model := self.learned()) is None:
            return None
        return self._race(recipe, expected, archive.ids, archive.scores, model.surprise)

    def recorded_race(
        self, recipe: Recipe, expected: Prediction, recorded: Mapping[str, Any], scores: Mapping[str, Floats]
    ) -> Race:
        """The race of a recipe that was in flight when a search was stopped.

        Args:
            recipe: that was bred.
            expected: what was expected of it.
            recorded: as `Race.recorded` gave it.
            scores: of those it names by id, float64 [niches] each.
        """
        ids, surprise = tuple(recorded["ids"]), Surprise(recorded["spread"], recorded["alike"])
        return self._race(recipe, expected, ids, np.stack([scores[id] for id in ids]), surprise)

    def _race(
        self, recipe: Recipe, expected: Prediction, ids: tuple[str, ...], alive: Floats, surprise: Surprise
    ) -> Race:
        drawn = np.random.default_rng([self._config.seed, *recipe.name.encode()]).random()
        return Race(
            ids=ids,
            alive=alive,
            alpha=self._config.alpha,
            mean=expected.mean,
            deviation=expected.deviation,
            surprise=surprise,
            least=self._racing,
            audited=bool(drawn < AUDITED),
        )

    def select(
        self,
        breed: Breed[Recipe],
        rng: np.random.Generator,
        *,
        number: int,
        archive: Archive,
        in_flight: Sequence[Recipe],
        nudge: Breed[Recipe] | None = None,
    ) -> Offspring[Recipe]:
        """Breed a pool and choose of it; or, of the share that is drawn unseen, breed one child.

        Args:
            breed: gives a child by M2N2's own operators.
            rng: what blends are drawn from.
            number: how many offspring there are with this one.
            archive: who is alive.
            in_flight: who is being scored now. They compete with what is expected of them.
            nudge: gives a nudge; without it the pool has none.
        """
        model = self.learned()
        if model is None or not self.chooses(number):
            return breed()
        pool = [breed() for _ in range(CHILDREN)]
        pool += [self._blend(rng, name=f"{number:04d}") for _ in range(BLENDS)]
        if nudge is not None:
            pool += [nudge() for _ in range(NUDGES)]
        flying = [self.space.place(one) for one in in_flight]
        alive = archive.scores
        if flying:
            alive = np.concatenate([alive, model.forecast(flying).mean])
        forecast = model.forecast([self.space.place(one.genome) for one in pool], in_flight=flying)
        return pool[most_promising(alive, forecast, alpha=archive.alpha)]

    def chooses(self, number: int) -> bool:
        """Whether the offspring of this number is chosen: evenly, as many of them as the run asks for."""
        share = self._config.breeding.foresight
        return math.floor(number * share) > math.floor((number - 1) * share)

    def learned(self) -> ScoreModel | None:
        """Return what all scores noted so far say; None as long as there are too few."""
        if self._model is None:
            known = sum(not np.isnan(scores).any() for _, scores in self._scored.values())
            if known >= FEWEST:
                places, scores = zip(*self._scored.values(), strict=True)
                self._model = ScoreModel(np.stack(places), np.stack(scores), unit=self._unit)
        return self._model

    def _blend(self, rng: np.random.Generator, *, name: str) -> Offspring[Recipe]:
        """One weight per source and chromosome, uniform over all that are positive with a sum of 1: Dirichlet(1)."""
        totals, chromosomes = np.zeros(len(self._bred)), dict(self._blank.chromosomes)
        for chromosome in self._chromosomes:
            drawn = rng.dirichlet(np.ones(len(self._bred)))
            row = np.zeros(len(self._blank.sources))
            row[self._bred] = drawn
            totals += drawn
            whole = Segment(stop=chromosomes[chromosome].size, weights=tuple(row.tolist()))
            chromosomes[chromosome] = chromosomes[chromosome].model_copy(update={"segments": (whole,)})
        mother, father = (self._names[place] for place in np.argsort(-totals, kind="stable")[:2])
        lineage = Lineage(mother=mother, father=father, seed=self._config.seed)
        genome = self._blank.model_copy(update={"name": name, "chromosomes": chromosomes, "lineage": lineage})
        return Offspring(mother=mother, father=father, genome=genome)
