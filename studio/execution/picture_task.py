"""The task of a run that draws pictures: what is drawn and scored of an individual, what is kept, the report."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from eval.scorers.scorer import FeatureScorer
from eval.scorers.tokens import truncated_by
from pipelines.checkpoints.sources import Source
from pipelines.errors import GenerationError, RecipeError
from pipelines.recipes.recipe import Recipe
from studio.breeding.initial_population import average_recipe, source_recipes
from studio.breeding.search_method import Candidate
from studio.conditions.agreement import Agreement
from studio.conditions.difference import Difference
from studio.environment import describe_machine
from studio.evaluation.evaluator import DrawingConditions, Picture, check_captions, save_picture, scored_short
from studio.evaluation.fitness import FitnessEvaluation, FitnessResult
from studio.evaluation.held_out import HeldOutReporter
from studio.evaluation.open_scorer import changed_parts
from studio.evaluation.run_worker import open_evaluator
from studio.evaluation.worker import EvaluationRequest, LocalWorker, Worker
from studio.evolution.archive import Archive
from studio.evolution.niches import Floats
from studio.judging.pinned_prompts import pinned_prompts
from studio.judging.preference_niches import PreferenceModel, learn_preferences
from studio.judging.votes import votes_for
from studio.runs.individual import Evaluation
from studio.runs.noise import Noise
from studio.runs.status import raise_if_stopped
from studio.runs.store import RunStore
from studio.workers.split_evaluation import SplitEvaluation
from studio.workers.worker_calibration import PROMPTS, WorkerCalibration
from studio.workers.worker_pool import PoolOpener, WorkerPool

from .workers import worker_count

logger = logging.getLogger(__name__)

STRIP = 4  # pictures kept of an offspring that was turned away


@dataclass(frozen=True)
class PictureEvaluation(Evaluation):
    """An evaluation with its pictures.

    Attributes:
        pictures: of a source, or of somebody who is scored again, all of them.
        fitness: of an offspring, what competes, with its pictures by language.
    """

    pictures: tuple[Picture, ...] = ()
    fitness: FitnessResult | None = None


class PictureTask:
    """A `Task` (`studio.execution.task`): individuals draw captions, and are scored by a model that looks at them.

    Args:
        store: the run; gets the scorer's identity and what it was carried out on.
        sources: opened, by name.
        agreement: what a person says to another scorer.
        open_workers: opens workers that draw elsewhere; None: this process draws.

    Raises:
        RunError: the scorer is another one than before, and nobody agreed to it.
        M2N2Error: the pipeline or a scorer cannot be opened, a caption is missing, or votes cannot be learned from.
    """

    reports = True

    def __init__(
        self,
        store: RunStore,
        sources: Mapping[str, Source],
        agreement: Agreement,
        *,
        open_workers: PoolOpener | None = None,
    ) -> None:
        config, prompts = store.config, store.prompts
        self._store, self._config, self._sources = store, config, sources
        self._evaluator, self._scorer = open_evaluator(config, sources)
        cut = check_captions(prompts.niches, self._scorer, self._evaluator.pipeline, config.prompt_syntax)
        held_out = [*prompts.held_out.captions_in("ja"), *prompts.held_out.captions_in("en")]
        cut += scored_short(partial(truncated_by, config.reporter), held_out, config.prompt_syntax)
        if cut:
            logger.warning("captions too long, only their beginning counts: %s", ", ".join(cut))
        agreement.settle(_scorer_differences(store, self._scorer))
        store.update(truncated=cut, scorer=self._scorer.identity, machine=describe_machine())
        raters = _raters(store, self._scorer)
        self._pool = None if open_workers is None else self._opened_pool(open_workers)
        self._fitness = FitnessEvaluation(
            config,
            self._worker(),
            prompts.niches,
            folder=store.folder,
            raters=raters,
            tick=self._tick,
        )

    def niches(self, scores: Mapping[str, np.ndarray]) -> Floats:
        """What competes: means over noises, float64 [niches]."""
        return self._fitness.niches(scores)

    def evaluate(self, candidate: Candidate, archive: Archive) -> PictureEvaluation:
        """Draw and score what competes; of a source, and of somebody on other noise, both languages.

        Raises:
            GenerationError: a source cannot be drawn.
            RecipeError: a source cannot be woven.
        """
        recipe, noise = candidate.recipe, self._noise(candidate)
        if candidate.role == "offspring":
            result = self._fitness.evaluate(recipe, archive, noise, candidate.race)
            return PictureEvaluation(result.scores, result.partial, result.error, result.race, fitness=result)
        try:
            full = self._fitness.both_languages(recipe, noise)
        except (GenerationError, RecipeError) as failure:
            if candidate.role == "source":
                raise
            return PictureEvaluation({}, error=str(failure))
        return PictureEvaluation(full.scores, pictures=full.pictures)

    def complete(self, candidate: Candidate, evaluation: PictureEvaluation, *, entered: bool) -> Evaluation:
        """Keep pictures: all of those who are alive, a few of an offspring that was turned away.

        The report's language costs an offspring as much again, so it is drawn for those that stay.
        """
        recipe, fitness = candidate.recipe, evaluation.fitness
        self._keep(evaluation.pictures, recipe)
        if candidate.role == "source" and recipe.name == list(self._config.bred(self._sources))[-1]:
            self._draw_average(self._noise(candidate))
        if fitness is None or evaluation.error is not None:
            return evaluation
        for found in fitness.evaluations.values():
            drawn = found.pictures
            self._keep(drawn if entered else drawn[:: max(1, len(drawn) // STRIP)][:STRIP], recipe)
        if not entered:
            return evaluation
        try:
            full = self._fitness.report_twins(recipe, fitness, self._noise(candidate))
        except (GenerationError, RecipeError) as failure:  # takes nobody's place away
            return Evaluation(evaluation.scores, error=str(failure), race=evaluation.race)
        self._keep(full.pictures, recipe)
        return Evaluation(full.scores, race=evaluation.race)

    def report(self) -> None:
        """Score the held-out prompts in this process; see `HeldOutReporter`."""
        if self._pool is not None:
            self._pool.close()
            self._evaluator.reopen()
        self._scorer.release()  # fitness is through, and the two scorers need not fit together
        HeldOutReporter(self._store, self._sources, self._evaluator, tick=self._tick).report()

    def close(self) -> None:
        """End the workers, if there are any; what they have in hand is given up."""
        if self._pool is not None:
            self._pool.close()

    def _worker(self) -> Worker:
        """Who draws: this process, or the workers, of which there may be more than offspring in flight."""
        if self._pool is None:
            return LocalWorker(self._evaluator, self._scorer)
        return SplitEvaluation(self._pool, worker_count(self._config) or 1)

    def _opened_pool(self, open_workers: PoolOpener) -> WorkerPool:
        """Workers that draw and score in place of this process, which leaves its device to them."""
        scorer = self._scorer.identity
        self._evaluator.pipeline.release()
        self._scorer.release()
        return open_workers(scorer, self._calibration())

    def _calibration(self) -> WorkerCalibration:
        """A source's pictures of a few prompts, to compare workers on devices of several kinds by."""
        config, prompts, store = self._config, self._store.prompts.niches, self._store
        request = EvaluationRequest(
            next(iter(source_recipes(config, self._sources).values())),
            prompts.subset(min(PROMPTS, len(prompts))),
            config.compete[0],
            DrawingConditions(config.pictures, Noise(config.noises), config.prompt_syntax),
        )
        return WorkerCalibration(request, store.state.kinds, lambda found: store.update(kinds=found.model_dump()))

    def _draw_average(self, noise: Noise) -> None:
        """Draw the plain average on the pinned prompts, to be looked at beside the others; it competes with nobody."""
        average, niches = average_recipe(self._config, self._sources), self._store.prompts.niches
        pinned = niches.model_copy(update={"prompts": pinned_prompts(self._store)})
        try:
            self._keep(self._fitness.pictures_in_japanese(average, pinned, noise), average)
        except (GenerationError, RecipeError) as failure:
            logger.warning("the average of the sources is not shown: %s", failure)

    def _noise(self, candidate: Candidate) -> Noise:
        return Noise(self._config.noises, candidate.rotation)

    def _keep(self, drawn: Iterable[Picture], recipe: Recipe) -> None:
        for picture in drawn:
            path = self._store.image(recipe.name, picture.prompt, picture.language, picture.noise)
            save_picture(picture, path, recipe=recipe, settings=self._config.pictures)

    def _tick(self, _: int = 0) -> None:
        raise_if_stopped(self._store)


def _scorer_differences(store: RunStore, scorer: FeatureScorer) -> list[Difference]:
    """How the scorer differs from the one that the run began with: scores of the two are on different scales."""
    then = store.state.scorer or {}
    parts = changed_parts(then, scorer)
    was, is_now = (", ".join(f"{part} {one.get(part)!r}" for part in parts) for one in (then, scorer.identity))
    return [Difference(kind="scorer", name=str(then.get("name")), was=was, now=is_now)] if parts else []


def _raters(store: RunStore, scorer: FeatureScorer) -> list[PreferenceModel]:
    """The niches that are made of votes: learned once, so that what is voted later changes nothing in this run."""
    if store.config.votes and store.state.tastes is None:
        learned = learn_preferences(*votes_for(store.config.votes), scorer)
        store.update(tastes=[one.to_json() for one in learned])
    return [PreferenceModel.from_json(one) for one in store.state.tastes or []]
