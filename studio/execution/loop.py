"""The process that carries a run to its end: evaluate the sources, breed and evaluate offspring, report; stop, resume.

Everything random comes from the search's generator, whose state is committed with each individual; noise is fixed by
the prompts. So a resumed run equals the uninterrupted one, bit for bit, on the same machine.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from eval.prompts.prompt_set import PromptSet
from eval.scorers.model_files import weights_size
from eval.scorers.tokens import truncated_by
from pipelines.errors import GenerationError, RecipeError
from pipelines.recipes.recipe import Recipe
from studio.breeding.initial_population import source_recipes
from studio.breeding.m2n2 import M2N2, Past
from studio.breeding.search_method import Candidate, Told
from studio.environment import described
from studio.errors import RunError
from studio.evaluation.evaluator import DrawnPicture, Evaluator, check_captions, save_picture
from studio.evaluation.fitness import FitnessEvaluation
from studio.evaluation.held_out import HeldOutReporter
from studio.evaluation.open_scorer import open_scorer, scorer_change, unpark_beside
from studio.evaluation.worker import LocalWorker
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
        self.scorer = open_scorer(self.config.scorer)
        self.evaluator = Evaluator(
            next(iter(source_recipes(self.config, self.sources).values())),
            self.sources,
            settings=self.config.pictures,
            scorer_bytes=max(weights_size(name) or 0 for name in (self.config.scorer, self.config.reporter)),
        )
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
        self.search = M2N2(self.config, self.sources, noise_rotation=self.config.noise_rotation, past=self._past())
        self.again: dict[str, Mapping[str, np.ndarray]] = {}  # scores on other noise, not committed yet

    def go(self) -> None:
        """Sources, offspring, report."""
        settled = True
        while not settled or self._wanted():
            settled = self._evaluate(self.search.ask()).settled
        self.store.update(status="reporting")
        self.watch(self.store)
        self.scorer.release()  # fitness is through, and the two scorers need not fit together
        HeldOutReporter(self.store, self.sources, self.evaluator, tick=self._tick).report()

    def _wanted(self) -> bool:
        """Whether somebody else is to be evaluated: the sources whatever the budget is, then offspring."""
        if len(self.store.sources()) < len(self.sources):
            return True
        return self.store.count() < self.config.evaluations and not self.store.state.finish

    def _past(self) -> Past | None:
        state = self.store.state
        if state.search is None:
            return None
        return Past(state.search, state.rotation, self.store.individuals(), self.fitness.niches)

    def _raters(self) -> list[PreferenceModel]:
        """The niches that are made of votes: learned once, so that what is voted later changes nothing in this run."""
        if self.config.votes and self.store.state.tastes is None:
            learned = learn_niches(*votes_for(self.config.votes), self.scorer)
            self.store.update(tastes=[one.to_json() for one in learned])
        return [PreferenceModel.from_json(one) for one in self.store.state.tastes or []]

    def _evaluate(self, candidate: Candidate) -> Told:
        noise = Noise(self.config.noises, candidate.rotation)
        if candidate.role == "source":
            return self._evaluate_source(candidate, noise)
        if candidate.role == "again":
            return self._evaluate_again(candidate, noise)
        return self._evaluate_offspring(candidate, noise)

    def _evaluate_source(self, candidate: Candidate, noise: Noise) -> Told:
        started, recipe = time.monotonic(), candidate.recipe
        full = self.fitness.both_languages(recipe, noise)
        told = self.search.tell(candidate, self.fitness.niches(full.scores))
        self._keep(full.pictures, recipe)
        seconds = time.monotonic() - started
        self._record(Individual(recipe.name, None, None, recipe, full.scores, True, True, seconds, now()))
        return told

    def _evaluate_offspring(self, candidate: Candidate, noise: Noise) -> Told:
        started, recipe = time.monotonic(), candidate.recipe
        lineage = recipe.lineage
        assert lineage is not None
        result = self.fitness.evaluate(recipe, self.search.archive, noise)
        scores, error = result.scores, result.error
        told = self.search.tell(candidate, self.fitness.niches(scores) if result.complete else None)
        if error is None:
            for found in result.evaluations.values():
                drawn = found.pictures
                self._keep(drawn if told.entered else drawn[:: max(1, len(drawn) // STRIP)][:STRIP], recipe)
        if told.entered:  # the report's English costs as much again, so it is drawn for those that stay
            try:
                full = self.fitness.report_twins(recipe, result, noise)
            except (GenerationError, RecipeError) as failure:  # takes nobody's place away
                error = str(failure)
            else:
                scores = full.scores
                self._keep(full.pictures, recipe)
        if error is not None:
            logger.warning("%s failed: %s", recipe.name, error)
        self._record(
            Individual(
                id=recipe.name,
                mother=lineage.mother,
                father=lineage.father,
                recipe=recipe,
                scores=scores,
                entered=told.entered,
                alive=told.entered,
                seconds=time.monotonic() - started,
                born=now(),
                error=error,
                partial=result.partial,
            )
        )
        return told

    def _evaluate_again(self, candidate: Candidate, noise: Noise) -> Told:
        """Score somebody alive with other noise; all of them are committed together."""
        recipe = candidate.recipe
        try:
            full = self.fitness.both_languages(recipe, noise)
        except (GenerationError, RecipeError) as error:
            logger.warning("%s keeps its scores on former noise: %s", recipe.name, error)
            told = self.search.tell(candidate, None)
        else:
            self._keep(full.pictures, recipe)
            self.again[recipe.name] = full.scores
            told = self.search.tell(candidate, self.fitness.niches(full.scores))
        if told.settled:
            self.store.rescore(self.again, self.search.state(), candidate.rotation)
            self.again = {}
        return told

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
