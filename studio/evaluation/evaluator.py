"""Evaluate one individual: weave it, draw its pictures, score them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from eval.errors import PromptSetError
from eval.metrics import consistency, similarity
from eval.prompts.prompt_set import Language, PromptSet
from eval.scorers.scorer import FeatureScorer, Scorer
from pipelines.checkpoints.sources import Source
from pipelines.generation.live_pipeline import LivePipeline, Request, Settings
from pipelines.recipes.recipe import Recipe
from studio.png_metadata import write_png
from studio.runs.config import FitnessKind
from studio.runs.noise import noise_seed, picture_data


@dataclass(frozen=True)
class Drawn:
    """A picture with what it takes to draw it again."""

    image: Image.Image
    prompt: str  # id
    language: Language
    noise: int
    request: Request
    reference: str | None = None  # picture to compare with, relative to the prompt set


@dataclass(frozen=True)
class Scored:
    """Scores of pictures, float64 [prompts, noises] in 0..1, and the pictures' features, float32 [pictures, d]."""

    scores: np.ndarray
    features: np.ndarray


class Evaluator:
    """Draws and scores individuals over one set of sources, on one live pipeline.

    Attributes:
        scorer: what scores.
        fitness: weights of likeness to the caption ("text") and to the reference picture ("image", the paper's NCS).
        rotation: which noises are drawn: 0 the first `noises` of every prompt, 1 the next ones, and so on.
    """

    def __init__(
        self,
        recipe: Recipe,
        sources: Mapping[str, Source],
        scorer: FeatureScorer,
        *,
        settings: Settings,
        noises: int,
        room: int | None = None,
        fitness: Mapping[FitnessKind, float] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Build the pipeline.

        Args:
            recipe: any that has the host and chromosomes of those to come.
            sources: opened sources by the recipe's names.
            scorer: what scores, until another one takes its place.
            settings: how pictures are drawn.
            noises: pictures per prompt.
            room: bytes of the largest scorer to come; of this one if left out.
            fitness: what counts, with weights; likeness to the caption alone if left out.
            folder: where reference pictures lie, if fitness looks at them.
        """
        self._room = scorer.weights_bytes if room is None else room
        self.pipeline = LivePipeline(recipe, sources, settings=settings, scorer=self._room)
        self.scorer = scorer
        self.settings = settings
        self.noises = noises
        self.fitness: Mapping[FitnessKind, float] = fitness or {"text": 1.0}
        self.rotation = 0
        self._folder = folder
        self._references: dict[Path, np.ndarray] = {}

    def rounds(self, prompts: PromptSet) -> list[PromptSet]:
        """The prompts that are drawn and scored together: as many whole ones as a batch holds, one after another.

        The last bit of a score can depend on the batch, so an evaluation that stops early has the same ones.
        """
        size = max(1, self.settings.batch // self.noises)
        return [
            prompts.model_copy(update={"prompts": prompts.prompts[start : start + size]})
            for start in range(0, len(prompts), size)
        ]

    def draw(
        self,
        recipe: Recipe,
        prompts: PromptSet,
        language: Language,
        progress: Callable[[int], None] | None = None,
    ) -> list[Drawn]:
        """Draw every prompt with every noise, prompt by prompt; another host means another pipeline, one at a time."""
        if not self.pipeline.fits(recipe):
            sources = self.pipeline.sources
            self.pipeline.release()
            self.pipeline = LivePipeline(recipe, sources, settings=self.settings, scorer=self._room)
        self.pipeline.become(recipe)
        drawn: list[Drawn] = []
        for some in self.rounds(prompts):
            wanted = [
                (prompt, noise, Request(text, noise_seed(prompt.id, self.rotation * self.noises + noise)))
                for prompt, text in zip(some.prompts, some.texts(language), strict=True)
                for noise in range(self.noises)
            ]
            before = len(drawn)
            told = (lambda done, before=before: progress(before + done)) if progress else None
            images = self.pipeline.generate([request for *_, request in wanted], self.settings, progress=told)
            drawn += [
                Drawn(image, prompt.id, language, noise, request, prompt.reference)
                for image, (prompt, noise, request) in zip(images, wanted, strict=True)
            ]
        return drawn

    def score(self, drawn: Sequence[Drawn]) -> Scored:
        """How well pictures fit their captions, or their references, and what the scorer saw in them."""
        size = max(1, self.settings.batch // self.noises) * self.noises
        with self.scorer.on_device():
            pictures = [one.image for one in drawn]
            seen = np.concatenate(
                [self.scorer.image_features(pictures[start : start + size]) for start in range(0, len(drawn), size)]
            )
            total, whole = np.zeros(len(drawn)), sum(self.fitness.values())
            for kind, weight in self.fitness.items():
                if kind == "text":
                    wanted = self.scorer.text_features([one.request.prompt for one in drawn])
                else:
                    wanted = np.stack([self._reference(one) for one in drawn])
                total += weight / whole * similarity(seen, wanted)
        return Scored(total.reshape(-1, self.noises), seen)

    def _reference(self, drawn: Drawn) -> np.ndarray:
        """The features of a prompt's reference picture: float32 [d], seen once."""
        if self._folder is None or drawn.reference is None:
            raise PromptSetError(
                f"prompt {drawn.prompt!r} has no reference picture; expected one, as fitness compares "
                "pictures with it: add `reference:` to the prompt set, or score with text"
            )
        path = self._folder / drawn.reference
        if path not in self._references:
            with Image.open(path) as picture:
                self._references[path] = self.scorer.image_features([picture.convert("RGB")])[0]
        return self._references[path]

    def consistency(self, ja: Scored, en: Scored) -> np.ndarray:
        """How alike the twins' pictures are: float64 [prompts, noises], in 0..1."""
        return consistency(ja.features, en.features).reshape(-1, self.noises)


def check_captions(prompts: PromptSet, scorer: Scorer, pipeline: LivePipeline) -> list[str]:
    """Refuse a prompt set without both languages; returns the captions that scorer or text encoders would cut short.

    Raises:
        PromptSetError: a prompt lacks a language.
    """
    if set(prompts.languages) != {"ja", "en"}:
        raise PromptSetError(
            f"prompt set {prompts.name!r}: expected a Japanese and an English caption for every prompt, found both "
            "only for some; add the missing twins"
        )
    captions = [*prompts.texts("ja"), *prompts.texts("en")]
    return list(dict.fromkeys([*scorer.truncated(captions), *pipeline.truncated(captions)]))


def save_picture(drawn: Drawn, path: Path, *, recipe: Recipe, settings: Settings) -> None:
    """Write a picture as PNG with its generation data in a text chunk: whoever has it finds the individual again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = picture_data(recipe.name, drawn.request, drawn.language, settings)
    write_png(drawn.image, path, {**data, "recipe": recipe.digest})
