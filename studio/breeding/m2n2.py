"""M2N2 over recipes (arXiv 2508.16204): the studio's own search, from the sources on.

It asks for the sources, then for offspring that nobody bred (merges made by hand, the archive of a former run), then
for children of those alive. Where noise changes on the way, everyone alive is asked for again before the next.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from pipelines.checkpoints.sources import Source
from pipelines.recipes.recipe import Recipe, parse_recipe
from studio.evolution.archive import Archive
from studio.evolution.errors import EvolutionError
from studio.evolution.mating import Favour
from studio.evolution.niches import Floats
from studio.evolution.offspring import Breed, Offspring
from studio.evolution.search import Search
from studio.runs.individual import Prediction
from studio.runs.state import EncodedOnce

from .foresight import Foresight
from .initial_population import initial_offspring, source_recipes, warm_up_parents
from .nudges import Nudges
from .search_method import Candidate, Past, Told
from .settings import BreedingSettings
from .variation import RecipeCrossover


class M2N2:
    """A `ResumableSearch`. Its best is the best mean score in the archive.

    With foresight it breeds several children and asks for one of them; with racing it says of a child which scores are
    enough to give it up, and learns from these. Candidates are told in the order in which they were asked for.

    Args:
        config: how to breed.
        sources: opened, by name.
        noise_rotation: offspring after which noise changes; 0 for never.
        racing: a child is given up where its chance to enter is below this; 0 for never.
        max_in_flight: how many candidates may be asked for before the first of them is told.
        past: where to go on; a new search if left out.
        steering: the number of a child to what people favour as it is bred; nothing, as in the paper, if left out.

    Raises:
        ConfigError: every chromosome is frozen, or see `initial_offspring`.
        EvolutionError: the past lacks an individual that is alive in it.
    """

    def __init__(
        self,
        config: BreedingSettings,
        sources: Mapping[str, Source],
        *,
        noise_rotation: int = 0,
        racing: float = 0.0,
        max_in_flight: int = 1,
        past: Past | None = None,
        steering: Callable[[int], Favour] = lambda number: {},
    ) -> None:
        self.sources = sources
        self.rotation = past.rotation if past else 0
        self._config, self._noise_rotation, self._steering = config, noise_rotation, steering
        self._max_in_flight = max_in_flight
        first = list(source_recipes(config, sources).values())
        self._crossover = RecipeCrossover(config, sources, first[0])
        ahead = config.breeding.foresight or racing
        self._foresight = Foresight(config, sources, self._crossover.grams, racing=racing) if ahead else None
        self._nudges = Nudges(self._crossover, first) if config.breeding.nudges else None
        self._initial = initial_offspring(config, sources)
        everyone = past.everyone if past else ()
        born = {one.id for one in everyone}
        self._sources_left = [recipe for recipe in first if recipe.name not in born]
        self._made = sum(not one.is_source for one in everyone)  # offspring told so far, whoever made them
        self._alive_left: list[str] = []  # who is still to be asked for again
        self._rescored: dict[str, Floats] = {}
        self._in_flight: list[Candidate] = []
        self._noted: dict[str, EncodedOnce] = {}  # of each offspring that `state` had in flight last, by its name
        self._search = self._begun() if past is None else self._restored(past)
        if past:
            flying = zip(self._search.in_flight, past.state.get("in_flight", ()), strict=True)
            self._in_flight += [self._flying_again(one.genome, noted, past) for one, noted in flying]

    @property
    def archive(self) -> Archive:
        """Who is alive."""
        return self._search.archive

    @property
    def in_flight(self) -> tuple[Candidate, ...]:
        """Those asked for and not told, in order. A search that goes on has some where it had more than one before."""
        return tuple(self._in_flight)

    @property
    def ready(self) -> bool:
        """Whether `ask` has a candidate now, before any of those in flight is told.

        Nobody is bred, and noise does not change, before all who come first have had the chance to enter the archive:
        the sources, offspring that nobody bred, those to be scored again.
        """
        if not self._in_flight:
            return True
        if len(self._in_flight) >= self._max_in_flight:
            return False
        if self._sources_left or self._alive_left:
            return True
        if self._in_flight[-1].role == "again" or self._rotation_due > self.rotation:
            return False
        return self._asked < len(self._initial) or bool(self._search.in_flight)

    def ask(self) -> Candidate:
        """The next candidate.

        Raises:
            EvolutionError: it is not `ready`, or fewer than two individuals are alive to breed from.
        """
        if not self.ready:
            raise EvolutionError(
                "expected to be told the scores of {name!r} before another candidate is asked for",
                name=self._in_flight[0].recipe.name,
            )
        candidate = self._next()
        self._in_flight.append(candidate)
        return candidate

    def tell(self, candidate: Candidate, scores: Floats | None, *, partial: Floats | None = None) -> Told:
        """Let the oldest candidate in flight compete for a place, with its scores, or give it up.

        Args:
            candidate: the oldest that `ask` gave and that was not told.
            scores: float64 [niches], in 0..1; None where there are none. Somebody alive then keeps its former ones.
            partial: of one that a race gave up, float64 [niches], NaN where a score is not known.

        Raises:
            EvolutionError: it is not the oldest in flight, or `Archive.insert` refuses the scores; it stays in flight.
        """
        if not self._in_flight or candidate is not self._in_flight[0]:
            raise EvolutionError(
                "expected the oldest candidate in flight, found {name!r}; hold its scores back until "
                "those before it are told",
                name=candidate.recipe.name,
            )
        if candidate.role == "again":
            told = self._told_again(candidate, scores)
        else:
            told = Told(self._enters(candidate, scores))
            if self._foresight:
                self._foresight.learn(candidate.recipe, scores, partial)
        if candidate.role == "offspring":
            self._crossover.learn(candidate.recipe.lineage, told.entered)
            self._made += 1
        del self._in_flight[0]
        return told

    def best(self) -> tuple[Recipe, Floats] | None:
        """Who has the best mean score of those alive, the oldest of several."""
        if not len(self.archive):
            return None
        id = self.archive.best()
        return self._search.genomes[id], self._scores(id)

    def state(self) -> dict[str, Any]:
        """All that `Past` needs beside the individuals; JSON can hold it.

        Who was bred before the last candidate was told and is still in flight is part of it, as a recipe; whoever was
        asked for since is asked for again.
        """
        state = self._search.state()
        if "in_flight" not in state:
            return state
        bred = [one for one in self._in_flight if one.role == "offspring"]
        noted, self._noted = self._noted, {}
        for parents, candidate in zip(state["in_flight"], bred, strict=False):
            name = candidate.recipe.name
            self._noted[name] = noted.get(name) or EncodedOnce(parents | candidate.recorded())
        return state | {"in_flight": list(self._noted.values())}

    @property
    def sources_left(self) -> int:
        """How many of the sources are still to be asked for."""
        return len(self._sources_left)

    @property
    def _asked(self) -> int:
        """How many offspring were asked for, in flight or told."""
        return self._made + sum(one.role == "offspring" for one in self._in_flight)

    @property
    def _rotation_due(self) -> int:
        return self._asked // self._noise_rotation if self._noise_rotation else 0

    def _next(self) -> Candidate:
        if self._sources_left:
            return Candidate(self._sources_left.pop(0), "source", self.rotation)
        if self._rotation_due > self.rotation:
            self.rotation = self._rotation_due
            self._alive_left, self._rescored = list(self.archive.ids), {}
        if self._alive_left:
            return Candidate(self._search.genomes[self._alive_left.pop(0)], "again", self.rotation)
        if self._asked < len(self._initial):
            return Candidate(self._initial[self._asked], rotation=self.rotation)
        parents = warm_up_parents(self._config, self.sources, self.archive, self._asked)
        offspring = self._search.ask(parents, favour=self._steering(self._asked + 1) if parents is None else None)
        recipe, prediction, race = offspring.genome, None, None
        if self._foresight and (prediction := self._foresight.predict(recipe)) is not None:
            race = self._foresight.race(recipe, prediction, self.archive)
        return Candidate(recipe, rotation=self.rotation, prediction=prediction, race=race)

    def _flying_again(self, recipe: Recipe, noted: Mapping[str, Any], past: Past) -> Candidate:
        """An offspring that was in flight when the search was stopped, as it was asked for."""
        prediction, race = Prediction.read(noted.get("prediction")), None
        if self._foresight and prediction is not None and "race" in noted:
            scores = {one.id: past.niches(one.scores) for one in past.everyone if one.id in noted["race"]["ids"]}
            race = self._foresight.recorded_race(recipe, prediction, noted["race"], scores)
        return Candidate(recipe, rotation=self.rotation, prediction=prediction, race=race)

    def _select(self, breed: Breed[Recipe], rng: np.random.Generator) -> Offspring[Recipe]:
        if self._foresight is None:
            return breed()
        number, nudge = self._asked + 1, None
        if self._nudges is not None:
            nudge = partial(self._nudges.breed, self.archive, self._search.genomes, rng, number)
        return self._foresight.select(
            breed,
            rng,
            number=number,
            archive=self.archive,
            in_flight=[one.genome for one in self._search.in_flight],
            nudge=nudge,
        )

    def _cross(self, mother: Recipe, father: Recipe, rng: np.random.Generator) -> Recipe:
        better = max((mother.name, father.name), key=self.archive.mean)
        return self._crossover(mother, father, rng, number=self._asked + 1, better=better)

    def _enters(self, candidate: Candidate, scores: Floats | None) -> bool:
        if candidate.role == "offspring" and self._made == 0:  # the sources alone are alive
            self.archive.keep_apart_by(self._config.breeding.min_distance)
        name, bred = candidate.recipe.name, next(iter(self._search.in_flight), None)
        if scores is None:
            if bred is not None:
                self._search.discard(bred)
            return False
        if bred is not None:
            return self._search.tell(name, bred, scores).entered
        return self._search.add(name, candidate.recipe, scores).entered

    def _told_again(self, candidate: Candidate, scores: Floats | None) -> Told:
        id = candidate.recipe.name
        self._rescored[id] = self._scores(id) if scores is None else scores
        last = not self._alive_left and len(self._in_flight) == 1
        if last:
            self._search.rescore(self._rescored)
            if self._foresight:
                for one, rescored in self._rescored.items():
                    self._foresight.learn(self._search.genomes[one], rescored)
        return Told(entered=True, settled=last)

    def _scores(self, id: str) -> Floats:
        return self.archive.scores[self.archive.ids.index(id)]

    def _begun(self) -> Search[Recipe]:
        how = self._config.breeding
        return Search(
            Archive(self._config.archive, alpha=self._config.alpha),
            rng=np.random.default_rng(self._config.seed),
            crossover=self._cross,
            attract=how.attraction,
            compatibility=self._crossover.compatibility if how.compatibility else None,
            select=self._select,
            max_in_flight=self._max_in_flight,
        )

    def _restored(self, past: Past) -> Search[Recipe]:
        for one in past.everyone:
            if not one.is_source:
                self._crossover.learn(one.recipe.lineage, one.entered)
            if self._foresight:
                scores = past.niches(one.scores) if one.scores else None
                self._foresight.learn(one.recipe, scores, one.partial.niches if one.partial else None)
        alive = [one for one in past.everyone if one.alive]
        return Search.restore(
            past.state,
            genomes={one.id: one.recipe for one in alive},
            scores={one.id: past.niches(one.scores) for one in alive},
            crossover=self._cross,
            compatibility=self._crossover.compatibility if self._config.breeding.compatibility else None,
            select=self._select,
            max_in_flight=self._max_in_flight,
            in_flight=[
                parse_recipe(json.dumps(one["recipe"]), where="the state of a search")
                for one in past.state.get("in_flight", ())
            ],
        )
