"""The process that carries a run to its end: evaluate the sources, breed and evaluate offspring, report; stop, resume.

Everything random comes from the search's generator, whose state is committed with each individual; noise is fixed by
the prompts. So a resumed run equals the uninterrupted one, bit for bit, on the same machine.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Mapping

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
from studio.evaluation.evaluator import DrawnPicture, Evaluator, check_captions, save_picture
from studio.evaluation.fitness import FitnessEvaluation
from studio.evaluation.held_out import HeldOutReporter
from studio.evaluation.open_scorer import open_scorer, scorer_change, unpark_beside
from studio.evaluation.worker import LocalWorker
from studio.evolution.archive import Archive
from studio.evolution.search import Offspring, Search
from studio.jobs.process import Stopped
from studio.judging.preference_niches import PreferenceModel, learn_niches
from studio.judging.votes import votes_for
from studio.runs.individual import Individual
from studio.runs.inputs import open_run_sources
from studio.runs.noise import Noise
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
        self.scorer = open_scorer(self.config.scorer)
        self.breeder = Breeder(self.config, self.sources, next(iter(self.first.values())))
        self.evaluator = Evaluator(
            next(iter(self.first.values())),
            self.sources,
            settings=self.config.pictures,
            scorer_bytes=max(weights_size(name) or 0 for name in (self.config.scorer, self.config.reporter)),
        )
        self.noise = Noise(self.config.noises, store.state.rotation)
        unpark_beside(self.scorer, self.evaluator.pipeline)
        held = store.prompts.held_out
        cut = check_captions(self.prompts, self.scorer, self.evaluator.pipeline)
        cut += truncated_by(self.config.reporter, [*held.texts("ja"), *held.texts("en")])
        if cut:
            logger.warning("captions too long, only their beginning counts: %s", ", ".join(cut))
        if change := scorer_change(store.state.scorer or {}, self.scorer):
            raise RunError(
                f"{store.folder} {change} Expected the same scorer to the end of a run: put the former weights back, "
                "or start a new run."
            )
        store.update(truncated=cut, scorer=self.scorer.identity, machine=described())
        self.fitness = FitnessEvaluation(
            self.config,
            LocalWorker(self.evaluator, self.scorer),
            self.prompts,
            folder=store.folder,
            raters=self._raters(),
            tick=self._tick,
        )
        self.search = self._search()

    def go(self) -> None:
        """Sources, offspring, report."""
        known = {individual.id for individual in self.store.individuals()}
        for name, recipe in self.first.items():
            if name not in known:
                self._evaluate_source(name, recipe)
        given = given_offspring(self.config, self.sources)
        while (made := self.store.count()) < self.config.evaluations and not self.store.state.finish:
            if self.config.noise_rotation and made // self.config.noise_rotation > self.noise.rotation:
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
        self.scorer.release()  # fitness is through, and the two scorers need not fit together
        HeldOutReporter(self.store, self.sources, self.evaluator, tick=self._tick).report()

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
                scores={individual.id: self.fitness.niches(individual.scores) for individual in alive},
                crossover=self.breeder,
                compatibility=compatibility,
            )
        self.breeder.better = lambda mother, father: max((mother, father), key=search.archive.mean)
        return search

    def _raters(self) -> list[PreferenceModel]:
        """The niches that are made of votes: learned once, so that what is voted later changes nothing in this run."""
        if self.config.votes and self.store.state.tastes is None:
            learned = learn_niches(*votes_for(self.config.votes), self.scorer)
            self.store.update(tastes=[one.to_json() for one in learned])
        return [PreferenceModel.from_json(one) for one in self.store.state.tastes or []]

    def _evaluate_source(self, name: str, recipe: Recipe) -> None:
        started = time.monotonic()
        full = self.fitness.both_languages(recipe, self.noise)
        self.search.add(name, recipe, self.fitness.niches(full.scores))
        self._keep(full.pictures, recipe)
        self._record(Individual(name, None, None, recipe, full.scores, True, True, time.monotonic() - started, now()))

    def _evaluate_offspring(self, recipe: Recipe, offspring: Offspring[Recipe] | None) -> None:
        """Evaluate what the search bred, or, without `offspring`, what was given to it."""
        started = time.monotonic()
        lineage = recipe.lineage
        assert lineage is not None
        mother, father = (offspring.mother, offspring.father) if offspring else (lineage.mother, lineage.father)
        result = self.fitness.evaluate(recipe, self.search.archive, self.noise)
        scores, entered, error = result.scores, False, result.error
        if result.complete:
            niches = self.fitness.niches(scores)
            told = self.search.tell(recipe.name, offspring, niches) if offspring else None
            entered = (told or self.search.add(recipe.name, recipe, niches)).entered
        elif offspring:
            self.search.discard(offspring)
        if error is None:
            for drawn in (found.pictures for found in result.evaluations.values()):
                self._keep(drawn if entered else drawn[:: max(1, len(drawn) // STRIP)][:STRIP], recipe)
        if entered:  # the report's English costs as much again, so it is drawn for those that stay
            try:
                full = self.fitness.report_twins(recipe, result, self.noise)
            except (GenerationError, RecipeError) as failure:  # takes nobody's place away
                error = str(failure)
            else:
                scores = full.scores
                self._keep(full.pictures, recipe)
        if error is not None:
            logger.warning("%s failed: %s", recipe.name, error)
        self.breeder.learn(recipe.lineage, entered)
        seconds = time.monotonic() - started
        individual = Individual(
            recipe.name, mother, father, recipe, scores, entered, entered, seconds, now(), error, result.partial
        )
        self._record(individual)

    def _rotate(self, rotation: int) -> None:
        """Score everyone alive again, with other noise."""
        self.noise = dataclasses.replace(self.noise, rotation=rotation)
        again: dict[str, Mapping[str, np.ndarray]] = {}
        for id in self.search.archive.ids:
            try:
                full = self.fitness.both_languages(self.search.genomes[id], self.noise)
            except (GenerationError, RecipeError) as error:
                logger.warning("%s keeps its scores on former noise: %s", id, error)
                again[id] = self.store.individual(id).scores
            else:
                again[id] = full.scores
                self._keep(full.pictures, self.search.genomes[id])
        self.search.rescore({id: self.fitness.niches(scores) for id, scores in again.items()})
        self.store.rescore(again, self.search.state(), rotation)

    def _keep(self, drawn: Iterable[DrawnPicture], recipe: Recipe) -> None:
        for picture in drawn:
            path = self.store.image(recipe.name, picture.prompt, picture.language, picture.noise)
            save_picture(picture, path, recipe=recipe, settings=self.config.pictures)

    def _record(self, individual: Individual) -> None:
        self.store.record(individual, self.search.state(), self.search.archive.ids)
        self.watch(self.store)

    def _tick(self, _: int = 0) -> None:
        if self.store.state.stop:
            raise Stopped
