"""What an individual is worth to the search: its pictures drawn and scored, in the languages that compete and beyond.

Fitness is drawn for everybody. The other language and the consistency of the twins cost as much again and are only
reported: they are drawn for the sources and for those that enter the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.prompts.prompt_set import LANGUAGES, Language, PromptSet
from pipelines.errors import GenerationError, RecipeError
from pipelines.recipes.recipe import Recipe
from studio.evolution.archive import Archive
from studio.evolution.early_rejection import cannot_enter, prompt_order
from studio.judging.preference_niches import PreferenceModel, preference_scores
from studio.runs.config import RunConfig
from studio.runs.individual import PartialScores
from studio.runs.noise import Noise

from .evaluator import DrawingConditions, Fitness, Picture, PictureScores
from .worker import EvaluationRequest, EvaluationResult, Worker

ScoresByKind = Mapping[str, np.ndarray]  # float64 [prompts, noises] by kind, as `Individual` has them


@dataclass(frozen=True)
class FitnessResult:
    """What evaluating an individual gave in the languages that compete.

    Attributes:
        evaluations: by language, those that could be done.
        votes: what people would say of the pictures, float64 [raters * prompts, noises]; None where votes do not
            steer the run.
        partial: the scores of one that was turned away before all its pictures were drawn, and that has no others.
        error: why the individual could not be evaluated; None where it was.
    """

    evaluations: Mapping[Language, EvaluationResult]
    votes: np.ndarray | None = None
    partial: PartialScores | None = None
    error: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all that competes was scored."""
        return self.partial is None and self.error is None

    @property
    def scores(self) -> ScoresByKind:
        """What is kept of it by kind, as `Individual.scores` has it."""
        if self.partial is not None:
            return {}
        scores: dict[str, np.ndarray] = {language: found.scores.scores for language, found in self.evaluations.items()}
        return scores if self.votes is None else {**scores, "votes": self.votes}


@dataclass(frozen=True)
class FullScores:
    """All scores of an individual by kind, those that are only reported among them, and the pictures drawn for them."""

    scores: ScoresByKind
    pictures: tuple[Picture, ...]


class FitnessEvaluation:
    """Evaluates the individuals of one run through a worker, and turns what it gives back into scores.

    Args:
        config: what the run is asked to do.
        worker: draws and scores.
        prompts: the niches.
        folder: the run's; reference pictures are found from there.
        raters: what was learned of people's votes, where they are niches too.
        tick: called as pictures are finished; may raise to stop.
    """

    def __init__(
        self,
        config: RunConfig,
        worker: Worker,
        prompts: PromptSet,
        *,
        folder: Path,
        raters: Sequence[PreferenceModel],
        tick: Callable[[int], None],
    ) -> None:
        self._config, self._worker, self._prompts = config, worker, prompts
        self._fitness, self._raters, self._tick = Fitness(config.fitness, folder), raters, tick

    def niches(self, scores: ScoresByKind) -> np.ndarray:
        """What competes: means over noises, float64 [niches], of one language after the other, then people's votes."""
        return np.concatenate([scores[kind].mean(axis=1) for kind in self._config.competing])

    def both_languages(self, recipe: Recipe, noise: Noise) -> FullScores:
        """All scores of a source, or of one that is judged again, and all its pictures.

        Raises:
            GenerationError: it cannot be drawn.
            RecipeError: it cannot be woven.
        """
        ja = self._evaluate(recipe, self._prompts, "ja", noise)
        full = self.report_twins(recipe, FitnessResult({"ja": ja}), noise)
        return FullScores(full.scores, (*ja.pictures, *full.pictures))

    def evaluate(self, recipe: Recipe, archive: Archive, noise: Noise) -> FitnessResult:
        """Draw and score the languages that compete.

        Args:
            recipe: whose pictures.
            archive: what the individual wants to enter; early rejection gives up where it cannot.
            noise: which noise.

        Returns:
            What there is; where it cannot be drawn or woven, with the reason, and the languages done before.
        """
        if self._config.early_rejection and archive.is_full:
            return self._evaluate_by_rounds(recipe, archive, noise)
        found: dict[Language, EvaluationResult] = {}
        try:
            for language in self._config.compete:
                found[language] = self._evaluate(recipe, self._prompts, language, noise)
        except (GenerationError, RecipeError) as failure:
            return FitnessResult(found, error=str(failure))
        return FitnessResult(found, votes=self._votes(found))

    def pictures_in_japanese(self, recipe: Recipe, prompts: PromptSet, noise: Noise) -> tuple[Picture, ...]:
        """Draw prompts in Japanese, to be looked at.

        Raises:
            GenerationError: it cannot be drawn.
            RecipeError: it cannot be woven.
        """
        return self._evaluate(recipe, prompts, "ja", noise).pictures

    def report_twins(self, recipe: Recipe, fitness: FitnessResult, noise: Noise) -> FullScores:
        """Draw and score the language that did not compete, and how alike the twins are; has the new pictures alone.

        Raises:
            GenerationError: it cannot be drawn.
            RecipeError: it cannot be woven.
        """
        new: dict[Language, EvaluationResult] = {
            language: self._evaluate(recipe, self._prompts, language, noise)
            for language in LANGUAGES
            if language not in fitness.evaluations
        }
        found: dict[Language, EvaluationResult] = {**fitness.evaluations, **new}
        scores = dict(fitness.scores)
        scores.update({language: one.scores.scores for language, one in new.items()})
        scores["consistency"] = found["ja"].scores.consistency(found["en"].scores)
        votes = self._votes(found)
        if votes is not None:
            scores["votes"] = votes
        return FullScores(scores, tuple(picture for one in new.values() for picture in one.pictures))

    def _evaluate_by_rounds(self, recipe: Recipe, archive: Archive, noise: Noise) -> FitnessResult:
        """Evaluate a round of prompts after another, those that tell most first, until the child cannot enter."""
        (language,) = self._config.compete
        rounds = self._conditions(noise).rounds(self._prompts)
        stops = np.cumsum([len(some) for some in rounds])
        niches = [slice(stop - len(some), stop) for stop, some in zip(stops, rounds, strict=True)]
        rows = np.full((len(self._prompts), noise.count), np.nan)
        found: dict[int, EvaluationResult] = {}
        try:
            for number in prompt_order(archive, niches):
                found[number] = self._evaluate(recipe, rounds[number], language, noise)
                rows[niches[number]] = found[number].scores.scores
                if len(found) < len(rounds) and cannot_enter(archive, rows.mean(axis=1)):
                    break
        except (GenerationError, RecipeError) as failure:
            return FitnessResult({}, error=str(failure))
        parts = [found[number] for number in sorted(found)]
        pictures = tuple(picture for part in parts for picture in part.pictures)
        scores = PictureScores(rows, np.concatenate([part.scores.features for part in parts]))
        partial = PartialScores(rows) if len(found) < len(rounds) else None
        return FitnessResult({language: EvaluationResult(pictures, scores)}, partial=partial)

    def _evaluate(self, recipe: Recipe, prompts: PromptSet, language: Language, noise: Noise) -> EvaluationResult:
        request = EvaluationRequest(recipe, prompts, language, self._conditions(noise), self._fitness)
        return self._worker.evaluate(request, self._tick)

    def _conditions(self, noise: Noise) -> DrawingConditions:
        return DrawingConditions(self._config.pictures, noise, self._config.prompt_syntax)

    def _votes(self, evaluations: Mapping[Language, EvaluationResult]) -> np.ndarray | None:
        """What people would say of the pictures that compete; None where votes do not steer the run."""
        if not self._raters:
            return None
        features = [evaluations[language].scores.features for language in self._config.compete]
        return preference_scores(self._raters, features, self._config.noises)
