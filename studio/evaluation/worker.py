"""Workers: one is handed a recipe and what to draw it in, and gives back pictures and scores.

What goes in and what comes out are values that can be pickled, so a worker may live in another process or on another
machine. The protocol lies here and not beside the run loop, since `fitness` asks workers and lies below the loop.
"""

from __future__ import annotations

import dataclasses
import itertools
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from eval.prompts.prompt_set import Language, PromptSet
from eval.scorers.scorer import FeatureScorer
from pipelines.recipes.recipe import Recipe
from studio.environment import device_name
from studio.jobs.worker_account import WorkerIdentity

from .evaluator import CAPTIONS_ALONE, DrawingConditions, Evaluator, Fitness, Picture, PictureScores


@dataclass(frozen=True)
class EvaluationRequest:
    """One individual's pictures of some prompts in one language, to be drawn and scored.

    Attributes:
        recipe: the individual; sources are known to the worker by the names in it.
        prompts: all of them, or those of some rounds of `conditions`.
        language: of the captions.
        conditions: what they are drawn under.
        fitness: what counts in a score; a folder in it is to be read where the worker is.
    """

    recipe: Recipe
    prompts: PromptSet
    language: Language
    conditions: DrawingConditions
    fitness: Fitness = CAPTIONS_ALONE

    @property
    def prompt_count(self) -> int:
        """How many prompts are to be drawn."""
        return len(self.prompts)

    def split(self, count: int) -> list[EvaluationRequest]:
        """Divide it into parts of whole rounds, as even as can be, and no more than there are rounds.

        Args:
            count: how many parts are wanted; below 2, it is one part.
        """
        rounds = self.conditions.rounds(self.prompts)
        count = max(1, min(count, len(rounds)))
        cuts = [len(rounds) * number // count for number in range(count + 1)]
        return [
            dataclasses.replace(self, prompts=_together(rounds[first:last])) for first, last in itertools.pairwise(cuts)
        ]

    def prompts_in(self, pictures: int) -> int:
        """How many prompts are through with the first so many pictures."""
        return pictures // self.conditions.noise.count


@dataclass(frozen=True)
class EvaluationResult:
    """What a worker gives back for a request.

    Attributes:
        pictures: prompt by prompt, noise by noise; encoded where they come from another process.
        scores: of these pictures, with the features that tell how alike twins are and what raters would like.
    """

    pictures: tuple[Picture, ...]
    scores: PictureScores

    def joined(self, others: Sequence[EvaluationResult]) -> EvaluationResult:
        """Put the results of a request's parts together, of which this is the first; see `EvaluationRequest.split`."""
        parts = (self, *others)
        scores = np.concatenate([part.scores.scores for part in parts])
        features = np.concatenate([part.scores.features for part in parts])
        pictures = tuple(picture for part in parts for picture in part.pictures)
        return EvaluationResult(pictures, PictureScores(scores, features))


def _together(rounds: Sequence[PromptSet]) -> PromptSet:
    prompts = tuple(prompt for some in rounds for prompt in some.prompts)
    return rounds[0].model_copy(update={"prompts": prompts})


class Worker(Protocol):
    """Evaluates individuals over one set of sources by one scorer, one request at a time."""

    def evaluate(
        self, request: EvaluationRequest, on_progress: Callable[[int], None] | None = None
    ) -> EvaluationResult:
        """Draw and score what is asked for. Equal requests give equal bits on one machine, whatever came between.

        Args:
            request: what to draw.
            on_progress: told in the asking process the number of pictures drawn; may raise to give the request up.

        Raises:
            GenerationError: a picture is none, or the device is full.
            RecipeError: the recipe does not go with the sources.
            ScorerError: the scorer cannot look at the pictures.
            PromptSetError: fitness looks at reference pictures, and a prompt has none.
        """


class OpenedWorker(Worker, Protocol):
    """A worker of one process, which computes at one place."""

    @property
    def identity(self) -> WorkerIdentity:
        """Where it computes, and in what."""


class LocalWorker:
    """A worker in this process, on the evaluator's pipeline; whoever opened the scorer releases it."""

    def __init__(self, evaluator: Evaluator, scorer: FeatureScorer) -> None:
        self._evaluator, self._scorer = evaluator, scorer

    @property
    def identity(self) -> WorkerIdentity:
        """See `OpenedWorker`."""
        pipeline = self._evaluator.pipeline
        dtype = str(pipeline.plan.dtype).removeprefix("torch.")
        return WorkerIdentity(socket.gethostname(), device_name(pipeline.machine.device), dtype)

    def evaluate(
        self, request: EvaluationRequest, on_progress: Callable[[int], None] | None = None
    ) -> EvaluationResult:
        """Draw, then score; see `Worker`."""
        drawn = self._evaluator.draw(request.recipe, request.prompts, request.language, request.conditions, on_progress)
        scores = self._evaluator.score(drawn, self._scorer, request.conditions, request.fitness)
        return EvaluationResult(tuple(drawn), scores)
