"""Evaluate one individual: weave it, draw its pictures, score them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image

from eval.errors import PromptSetError
from eval.metrics import cross_lingual_consistency, similarity
from eval.prompts.prompt_set import Language, PromptSet
from eval.scorers.scorer import FeatureScorer, Scorer
from pipelines.checkpoints.sources import Source
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax, caption_of
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import write_whole
from pipelines.storage.pictures import read_picture
from studio.png_metadata import png_bytes
from studio.runs.config import FitnessKind
from studio.runs.noise import Noise, picture_data


@dataclass(frozen=True)
class DrawingConditions:
    """What pictures are drawn under, so that individuals can be compared.

    Attributes:
        settings: how they are drawn.
        noise: which noise, the same for all.
        syntax: how prompts are read.
    """

    settings: GenerationSettings
    noise: Noise
    syntax: PromptSyntax = PLAIN

    @property
    def prompts_per_round(self) -> int:
        """As many whole prompts as a batch holds, and one at least."""
        return max(1, self.settings.batch // self.noise.count)

    def rounds(self, prompts: PromptSet) -> list[PromptSet]:
        """The prompts that are drawn and scored together, one round after another.

        The last bit of a score can depend on the batch, so an evaluation that stops early has the same ones.
        """
        size = self.prompts_per_round
        return [
            prompts.model_copy(update={"prompts": prompts.prompts[start : start + size]})
            for start in range(0, len(prompts), size)
        ]


@dataclass(frozen=True)
class Fitness:
    """What a picture is worth.

    Attributes:
        weights: of likeness to the caption ("text") and to the reference picture ("image", the paper's NCS).
        folder: where reference pictures lie, if any weight is theirs.
    """

    weights: Mapping[FitnessKind, float]
    folder: Path | None = None


CAPTIONS_ALONE = Fitness({"text": 1.0})


@dataclass(frozen=True)
class DrawnPicture:
    """A picture with what it takes to draw it again."""

    image: Image.Image
    prompt: str  # id
    language: Language
    noise: int
    request: PictureRequest
    reference: str | None = None  # picture to compare with, relative to the prompt set


@dataclass(frozen=True)
class EncodedPicture:
    """A picture as its file will be: what comes back from a worker in another process."""

    png: bytes
    prompt: str  # id
    language: Language
    noise: int


Picture = DrawnPicture | EncodedPicture


@dataclass(frozen=True)
class PictureScores:
    """Scores of pictures, float64 [prompts, noises] in 0..1, and the pictures' features, float32 [pictures, d]."""

    scores: np.ndarray
    features: np.ndarray

    def consistency(self, twin: PictureScores) -> np.ndarray:
        """How alike the pictures are to those of the same prompts in the other language, noise by noise.

        Returns:
            float64 [prompts, noises], in 0..1.
        """
        return cross_lingual_consistency(self.features, twin.features).reshape(self.scores.shape)


class Evaluator:
    """Draws and scores individuals over one set of sources, on one live pipeline.

    What to draw, under which conditions, and who scores it are arguments: one call leaves no trace in the next, but
    for the time it takes.
    """

    def __init__(
        self, recipe: Recipe, sources: Mapping[str, Source], *, settings: GenerationSettings, scorer_bytes: int
    ) -> None:
        """Build the pipeline.

        Args:
            recipe: any that has the host and chromosomes of those to come.
            sources: opened sources by the recipe's names.
            settings: of the pictures to come, which decide how the pipeline fits the device.
            scorer_bytes: weights of the largest scorer that is to work on the same device.
        """
        self._settings, self._scorer_bytes = settings, scorer_bytes
        self.pipeline = LivePipeline(recipe, sources, settings=settings, scorer=scorer_bytes)
        # Features of reference pictures by their files, seen once by each scorer.
        self._references: WeakKeyDictionary[FeatureScorer, dict[Path, np.ndarray]] = WeakKeyDictionary()

    def reopen(self) -> None:
        """Build the pipeline again once it was released."""
        before = self.pipeline
        self.pipeline = LivePipeline(before.recipe, before.sources, settings=self._settings, scorer=self._scorer_bytes)

    def draw(
        self,
        recipe: Recipe,
        prompts: PromptSet,
        language: Language,
        conditions: DrawingConditions,
        progress: Callable[[int], None] | None = None,
    ) -> list[DrawnPicture]:
        """Draw every prompt with every noise, prompt by prompt; another host means another pipeline, one at a time.

        Raises:
            GenerationError: a picture is none, or the device is full; see `LivePipeline.generate`.
            RecipeError: the recipe does not go with the sources.
        """
        settings, noise = conditions.settings, conditions.noise
        if not self.pipeline.can_weave(recipe):
            sources = self.pipeline.sources
            self.pipeline.release()
            self.pipeline = LivePipeline(recipe, sources, settings=settings, scorer=self._scorer_bytes)
        self.pipeline.weave(recipe)
        drawn: list[DrawnPicture] = []
        for some in conditions.rounds(prompts):
            wanted = [
                (prompt, number, PictureRequest(text, noise.seed(prompt.id, number), conditions.syntax))
                for prompt, text in zip(some.prompts, some.captions_in(language), strict=True)
                for number in range(noise.count)
            ]
            before = len(drawn)
            on_progress = (lambda done, before=before: progress(before + done)) if progress else None
            images = self.pipeline.generate([request for *_, request in wanted], settings, progress=on_progress)
            drawn += [
                DrawnPicture(image, prompt.id, language, number, request, prompt.reference)
                for image, (prompt, number, request) in zip(images, wanted, strict=True)
            ]
        return drawn

    def score(
        self,
        drawn: Sequence[DrawnPicture],
        scorer: FeatureScorer,
        conditions: DrawingConditions,
        fitness: Fitness = CAPTIONS_ALONE,
    ) -> PictureScores:
        """How well pictures fit their captions, or their references, and what the scorer saw in them.

        Args:
            drawn: what `draw` gave under the same conditions.
            scorer: who looks at them, as many at a time as were drawn together.
            conditions: see `draw`.
            fitness: what counts.

        Raises:
            PromptSetError: fitness looks at reference pictures, and a prompt has none.
            ScorerError: the device is full, or the scorer's weights are damaged.
        """
        size = conditions.prompts_per_round * conditions.noise.count
        with scorer.on_device():
            pictures = [picture.image for picture in drawn]
            seen = np.concatenate(
                [scorer.image_features(pictures[start : start + size]) for start in range(0, len(drawn), size)]
            )
            total, whole = np.zeros(len(drawn)), sum(fitness.weights.values())
            for kind, weight in fitness.weights.items():
                if kind == "text":
                    wanted = scorer.text_features([picture.request.caption for picture in drawn])
                else:
                    wanted = np.stack([self._reference(picture, scorer, fitness.folder) for picture in drawn])
                total += weight / whole * similarity(seen, wanted)
        return PictureScores(total.reshape(-1, conditions.noise.count), seen)

    def _reference(self, drawn: DrawnPicture, scorer: FeatureScorer, folder: Path | None) -> np.ndarray:
        """The features of a prompt's reference picture: float32 [d], seen once."""
        if folder is None or drawn.reference is None:
            raise PromptSetError(
                "prompt {prompt!r} has no reference picture; expected one, as fitness compares "
                "pictures with it: add `reference:` to the prompt set, or score with text",
                prompt=drawn.prompt,
            )
        path, seen = folder / drawn.reference, self._references.setdefault(scorer, {})
        if path not in seen:
            seen[path] = scorer.image_features([read_picture(path)])[0]
        return seen[path]


def check_captions(prompts: PromptSet, scorer: Scorer, pipeline: LivePipeline, syntax: PromptSyntax) -> list[str]:
    """Refuse a prompt set without both languages; returns the captions that scorer or text encoders would cut short.

    Text encoders cut plain ones alone: others are drawn in as many chunks as they need.

    Raises:
        PromptSetError: a prompt lacks a language.
    """
    if set(prompts.languages) != {"ja", "en"}:
        raise PromptSetError(
            "prompt set {name!r}: expected a Japanese and an English caption for every prompt, found both "
            "only for some; add the missing twins",
            name=prompts.name,
        )
    captions = [*prompts.captions_in("ja"), *prompts.captions_in("en")]
    drawn_short = pipeline.truncated_captions(captions) if syntax == PLAIN else []
    return list(dict.fromkeys([*scored_short(scorer.truncated, captions, syntax), *drawn_short]))


def scored_short(
    truncated: Callable[[Sequence[str]], list[str]], captions: Sequence[str], syntax: PromptSyntax
) -> list[str]:
    """The captions, as they are written, of which a scorer reads only the beginning.

    Args:
        truncated: tells which texts are too long for it.
        captions: as they are written.
        syntax: how they are read; the scorer gets their words.
    """
    words = {caption: caption_of(caption, syntax) for caption in captions}
    cut = set(truncated(list(words.values())))
    return [caption for caption in captions if words[caption] in cut]


def encoded(drawn: Picture, *, recipe: Recipe, settings: GenerationSettings) -> EncodedPicture:
    """A picture as PNG with its generation data in a text chunk: whoever has it finds the individual again."""
    if isinstance(drawn, EncodedPicture):
        return drawn
    data = picture_data(recipe.name, drawn.request, drawn.language, settings)
    png = png_bytes(drawn.image, {**data, "recipe": recipe.digest})
    return EncodedPicture(png, drawn.prompt, drawn.language, drawn.noise)


def save_picture(drawn: Picture, path: Path, *, recipe: Recipe, settings: GenerationSettings) -> None:
    """Write a picture as its file, see `encoded`."""
    write_whole(path, encoded(drawn, recipe=recipe, settings=settings).png)
