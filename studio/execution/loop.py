"""The process that carries a run to its end: evaluate the sources, breed and evaluate offspring, report; stop, resume.

Everything random comes from the search's generator, whose state is committed with each individual; noise is fixed by
the prompts. So a resumed run equals the uninterrupted one, bit for bit, on the same machine.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

import numpy as np

from eval.prompts.prompt_set import PromptSet
from eval.scorers.model_files import weights_size
from eval.scorers.tokens import truncated_by
from pipelines.errors import GenerationError, RecipeError
from pipelines.recipes.recipe import Recipe
from studio.breeding.initial_population import given_offspring, source_recipes, warm_up_parents
from studio.breeding.variation import Breeder
from studio.environment import described
from studio.errors import RunError
from studio.evaluation.evaluator import Drawn, Evaluator, check_captions, save_picture
from studio.evaluation.fitness import Judging
from studio.evaluation.held_out import Reporter
from studio.evaluation.open_scorer import open_scorer, scorer_change, unpark_beside
from studio.evolution.archive import Archive
from studio.evolution.search import Offspring, Search
from studio.jobs.process import Stopped
from studio.judging.preference_niches import PreferenceModel, learn_niches
from studio.judging.votes import votes_for
from studio.runs.individual import Individual, PartialScores
from studio.runs.inputs import open_run_sources
from studio.runs.store import RunStore, now

from .preflight import measured_rate, preflight

logger = logging.getLogger(__name__)

STRIP = 4  # pictures kept of an offspring that was turned away
Watch = Callable[[RunStore], None]


class _Run:
    def __init__(self, store: RunStore, watch: Watch) -> None:
        self.store, self.config, self.watch = store, store.config, watch
        self.sources = open_run_sources(self.config)
        self.prompts: PromptSet = store.prompts.niches
        if store.state.search is None:  # a run that is resumed needs less than it did
            rate = measured_rate(store.folder.parent, self.config)
            preflight(self.config, self.sources, folder=store.folder, rate=rate).check()
        self.first = source_recipes(self.config, self.sources)
        scorer = open_scorer(self.config.scorer)
        self.breeder = Breeder(self.config, self.sources, next(iter(self.first.values())))
        self.evaluator = Evaluator(
            next(iter(self.first.values())),
            self.sources,
            scorer,
            settings=self.config.pictures,
            noises=self.config.noises,
            room=max(weights_size(name) or 0 for name in (self.config.scorer, self.config.reporter)),
            fitness=self.config.fitness,
            folder=store.folder,
        )
        self.evaluator.rotation = store.state.rotation
        unpark_beside(scorer, self.evaluator.pipeline)
        held = store.prompts.held_out
        cut = check_captions(self.prompts, scorer, self.evaluator.pipeline)
        cut += truncated_by(self.config.reporter, [*held.texts("ja"), *held.texts("en")])
        if cut:
            logger.warning("captions too long, only their beginning counts: %s", ", ".join(cut))
        if change := scorer_change(store.state.scorer or {}, scorer):
            raise RunError(
                f"{store.folder} {change} Expected the same scorer to the end of a run: put the former weights back, "
                "or start a new run."
            )
        store.update(truncated=cut, scorer=scorer.identity, machine=described())
        self.judging = Judging(self.config, self.evaluator, self.prompts, self._raters(), self._tick)
        self.search = self._search()

    def go(self) -> None:
        """Sources, offspring, report."""
        known = {individual.id for individual in self.store.individuals()}
        for name, recipe in self.first.items():
            if name not in known:
                self._evaluate_source(name, recipe)
        given = given_offspring(self.config, self.sources)
        while (made := self.store.count()) < self.config.evaluations and not self.store.state.finish:
            if self.config.noise_rotation and made // self.config.noise_rotation > self.evaluator.rotation:
                self._rotate(made // self.config.noise_rotation)
            if made < len(given):
                self._evaluate_offspring(given[made], None)
            else:
                self.breeder.number = made + 1
                parents = warm_up_parents(self.config, self.sources, self.search.archive, made)
                offspring = self.search.ask(parents)
                self._evaluate_offspring(offspring.genome, offspring)
        self.store.update(status="reporting")
        self.watch(self.store)
        self.evaluator.fitness, self.evaluator.rotation = {"text": 1.0}, 0  # reports are the same for every run
        Reporter(self.store, self.sources, self.evaluator, tick=self._tick).report()

    def _search(self) -> Search[Recipe]:
        state, breeding = self.store.state.search, self.config.breeding
        compatibility = self.breeder.compatibility if breeding.compatibility else None
        if state is None:
            archive = Archive(self.config.archive, alpha=self.config.alpha)
            search: Search[Recipe] = Search(
                archive,
                rng=np.random.default_rng(self.config.seed),
                crossover=self.breeder,
                attract=breeding.attraction,
                compatibility=compatibility,
            )
        else:
            everyone = self.store.individuals()
            alive = [individual for individual in everyone if individual.alive]
            for individual in everyone:
                if not individual.is_source:
                    self.breeder.learn(individual.recipe.lineage, individual.entered)
            search = Search.restore(
                state,
                genomes={individual.id: individual.recipe for individual in alive},
                scores={individual.id: self.judging.niches(individual.scores) for individual in alive},
                crossover=self.breeder,
                compatibility=compatibility,
            )
        self.breeder.better = lambda mother, father: max((mother, father), key=search.archive.mean)
        return search

    def _raters(self) -> list[PreferenceModel]:
        """The niches that are made of votes: learned once, so that what is voted later changes nothing in this run."""
        if self.config.votes and self.store.state.tastes is None:
            learned = learn_niches(*votes_for(self.config.votes), self.evaluator.scorer)
            self.store.update(tastes=[one.to_json() for one in learned])
        return [PreferenceModel.from_json(one) for one in self.store.state.tastes or []]

    def _evaluate_source(self, name: str, recipe: Recipe) -> None:
        started = time.monotonic()
        scores, drawn = self.judging.both_languages(recipe)
        self.search.add(name, recipe, self.judging.niches(scores))
        self._keep(drawn, recipe)
        self._record(Individual(name, None, None, recipe, scores, True, True, time.monotonic() - started, now()))

    def _evaluate_offspring(self, recipe: Recipe, offspring: Offspring[Recipe] | None) -> None:
        """Evaluate what the search bred, or, without `offspring`, what was given to it."""
        started = time.monotonic()
        lineage = recipe.lineage
        assert lineage is not None
        mother, father = (offspring.mother, offspring.father) if offspring else (lineage.mother, lineage.father)
        entered, error, partial = False, None, None
        scores: dict[str, np.ndarray] = {}
        try:
            seen = self.judging.fitness(recipe, self.search.archive, scores)
            if "partial" in scores:
                partial = PartialScores(scores.pop("partial"))
                if offspring:
                    self.search.discard(offspring)
            else:
                niches = self.judging.niches(scores)
                told = self.search.tell(recipe.name, offspring, niches) if offspring else None
                entered = (told or self.search.add(recipe.name, recipe, niches)).entered
            for drawn, _ in seen.values():
                self._keep(drawn if entered else drawn[:: max(1, len(drawn) // STRIP)][:STRIP], recipe)
            if entered:  # the report's English costs as much again, so it is drawn for those that stay
                self._keep(self.judging.report_twins(recipe, seen, scores), recipe)
        except (GenerationError, RecipeError) as failure:
            logger.warning("%s failed: %s", recipe.name, failure)
            error = str(failure)
            if offspring and not entered:  # fitness itself is missing; a failed report takes nobody's place away
                self.search.discard(offspring)
        self.breeder.learn(recipe.lineage, entered)
        seconds = time.monotonic() - started
        born = now()
        self._record(
            Individual(recipe.name, mother, father, recipe, scores, entered, entered, seconds, born, error, partial)
        )

    def _rotate(self, rotation: int) -> None:
        """Score everyone alive again, with other noise."""
        self.evaluator.rotation = rotation
        again: dict[str, Mapping[str, np.ndarray]] = {}
        for id in self.search.archive.ids:
            try:
                again[id], drawn = self.judging.both_languages(self.search.genomes[id])
            except (GenerationError, RecipeError) as error:
                logger.warning("%s keeps its scores on former noise: %s", id, error)
                again[id] = self.store.individual(id).scores
            else:
                self._keep(drawn, self.search.genomes[id])
        self.search.rescore({id: self.judging.niches(scores) for id, scores in again.items()})
        self.store.rescore(again, self.search.state(), rotation)

    def _keep(self, drawn: list[Drawn], recipe: Recipe) -> None:
        for picture in drawn:
            path = self.store.image(recipe.name, picture.prompt, picture.language, picture.noise)
            save_picture(picture, path, recipe=recipe, settings=self.config.pictures)

    def _record(self, individual: Individual) -> None:
        self.store.record(individual, self.search.state(), self.search.archive.ids)
        self.watch(self.store)

    def _tick(self, _: int = 0) -> None:
        if self.store.state.stop:
            raise Stopped
