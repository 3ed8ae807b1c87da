"""Workers: one is handed a recipe and what to draw it in, and gives back pictures and scores.

What goes in and what comes out are values that can be pickled, so a worker may live in another process or on another
machine. The protocol lies here and not beside the run loop, since `fitness` asks workers and lies below the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from eval.prompts.prompt_set import Language, PromptSet
from eval.scorers.scorer import FeatureScorer
from pipelines.recipes.recipe import Recipe

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


@dataclass(frozen=True)
class EvaluationResult:
    """What a worker gives back for a request.

    Attributes:
        pictures: prompt by prompt, noise by noise; encoded where they come from another process.
        scores: of these pictures, with the features that tell how alike twins are and what raters would like.
    """

    pictures: tuple[Picture, ...]
    scores: PictureScores


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


class LocalWorker:
    """A worker in this process, on the evaluator's pipeline; whoever opened the scorer releases it."""

    def __init__(self, evaluator: Evaluator, scorer: FeatureScorer) -> None:
        self._evaluator, self._scorer = evaluator, scorer

    def evaluate(
        self, request: EvaluationRequest, on_progress: Callable[[int], None] | None = None
    ) -> EvaluationResult:
        """Draw, then score; see `Worker`."""
        drawn = self._evaluator.draw(request.recipe, request.prompts, request.language, request.conditions, on_progress)
        scores = self._evaluator.score(drawn, self._scorer, request.conditions, request.fitness)
        return EvaluationResult(tuple(drawn), scores)
