"""What an individual is worth to the search: its pictures drawn and scored, in the languages that compete and beyond.

Fitness is drawn for everybody. The other language and the consistency of the twins cost as much again and are only
reported: they are drawn for the sources and for those that enter the archive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eval.prompts.prompt_set import LANGUAGES, Language, PromptSet
from pipelines.errors import GenerationError, RecipeError
from pipelines.recipes.recipe import Recipe
from studio.evolution.archive import Archive
from studio.evolution.early_rejection import cannot_enter, prompt_order
from studio.evolution.niches import Floats
from studio.evolution.racing import Race, RaceEnd, RaceProgress
from studio.judging.preference_niches import PreferenceModel, preference_scores
from studio.runs.config import RunConfig
from studio.runs.individual import PartialScores
from studio.runs.noise import Noise

from .evaluator import DrawingConditions, Fitness, Picture, PictureScores
from .worker import EvaluationRequest, EvaluationResult, Worker

RACE_ROUND = 8  # prompts that are drawn between two looks whether to go on, as far as a batch holds them
NextRound = Callable[[Floats], Sequence[int]]  # scores known so far to the prompts to draw next, none at the end
ScoresByKind = Mapping[str, np.ndarray]  # float64 [prompts, noises] by kind, as `Individual` has them


@dataclass(frozen=True)
class FitnessResult:
    """What evaluating an individual gave in the languages that compete.

    Attributes:
        evaluations: by language, those that could be done.
        votes: what people would say of the pictures, float64 [raters * prompts, noises]; None where votes do not
            steer the run.
        partial: the scores of one that was turned away before all its pictures were drawn, and that has no others.
        race: where a race was given up, or would have been.
        error: why the individual could not be evaluated; None where it was.
    """

    evaluations: Mapping[Language, EvaluationResult]
    votes: np.ndarray | None = None
    partial: PartialScores | None = None
    race: RaceEnd | None = None
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

    def evaluate(self, recipe: Recipe, archive: Archive, noise: Noise, race: Race | None = None) -> FitnessResult:
        """Draw and score the languages that compete.

        Args:
            recipe: whose pictures.
            archive: what the individual wants to enter; early rejection gives up where it cannot.
            noise: which noise.
            race: tells when to give up, where the run races.

        Returns:
            What there is; where it cannot be drawn or woven, with the reason, and the languages done before.
        """
        if race is not None:
            progress = RaceProgress(race, min(self._conditions(noise).prompts_per_round, RACE_ROUND))
            result = self._evaluate_by_rounds(recipe, noise, progress.next_round)
            return replace(result, race=progress.end)
        if self._config.early_rejection and archive.is_full:
            return self._evaluate_by_rounds(recipe, noise, self._until_hopeless(archive, noise))
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

    def _until_hopeless(self, archive: Archive, noise: Noise) -> NextRound:
        """Rounds of a batch each, those that tell most first, until the child cannot enter."""
        sizes = [len(some) for some in self._conditions(noise).rounds(self._prompts)]
        stops = np.cumsum(sizes).tolist()
        niches = [slice(stop - size, stop) for stop, size in zip(stops, sizes, strict=True)]
        left = deque(prompt_order(archive, niches))

        def next_round(known: Floats) -> Sequence[int]:
            if not left or (len(left) < len(niches) and cannot_enter(archive, known)):
                return ()
            return range(len(known))[niches[left.popleft()]]

        return next_round

    def _evaluate_by_rounds(self, recipe: Recipe, noise: Noise, next_round: NextRound) -> FitnessResult:
        """Evaluate a round of prompts after another for as long as there is a next one."""
        (language,) = self._config.compete
        rows = np.full((len(self._prompts), noise.count), np.nan)
        pictures: dict[int, Sequence[Picture]] = {}
        features: dict[int, np.ndarray] = {}
        try:
            while places := next_round(rows.mean(axis=1)):
                some = self._prompts.model_copy(update={"prompts": [self._prompts.prompts[place] for place in places]})
                found = self._evaluate(recipe, some, language, noise)
                for row, place in enumerate(places):
                    own = slice(row * noise.count, (row + 1) * noise.count)
                    rows[place] = found.scores.scores[row]
                    pictures[place], features[place] = found.pictures[own], found.scores.features[own]
        except (GenerationError, RecipeError) as failure:
            return FitnessResult({}, error=str(failure))
        drawn = sorted(pictures)
        scores = PictureScores(rows, np.concatenate([features[place] for place in drawn]))
        in_order = tuple(picture for place in drawn for picture in pictures[place])
        partial = PartialScores(rows) if len(drawn) < len(rows) else None
        return FitnessResult({language: EvaluationResult(in_order, scores)}, partial=partial)

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
