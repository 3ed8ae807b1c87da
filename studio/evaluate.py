"""Evaluate one individual: weave it, draw its pictures, score them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from eval.clip import ClipScorer
from eval.errors import PromptSetError
from eval.metrics import consistency, similarity
from eval.prompts import Language, PromptSet
from pipelines.generate import LivePipeline, Request, Settings
from pipelines.recipe import Recipe
from pipelines.sources import Source


def noise_seed(prompt: str, noise: int) -> int:
    """The seed of a prompt's noise: the same for every individual and both languages (common random numbers)."""
    return int.from_bytes(hashlib.sha256(f"{prompt}/{noise}".encode()).digest()[:4], "big")


@dataclass(frozen=True)
class Drawn:
    """A picture with what it takes to draw it again."""

    image: Image.Image
    prompt: str  # id
    language: Language
    noise: int
    request: Request


@dataclass(frozen=True)
class Scored:
    """Scores of pictures, float64 [prompts, noises] in 0..1, and the pictures' features, float32 [pictures, d]."""

    scores: np.ndarray
    features: np.ndarray


class Evaluator:
    """Draws and scores individuals over one set of sources, on one live pipeline."""

    def __init__(
        self,
        recipe: Recipe,
        sources: Mapping[str, Source],
        scorer: ClipScorer,
        *,
        settings: Settings,
        noises: int,
        room: int | None = None,
    ) -> None:
        """Build the pipeline.

        Args:
            recipe: any that has the host and chromosomes of those to come.
            sources: opened sources by the recipe's names.
            scorer: what scores, until another one takes its place.
            settings: how pictures are drawn.
            noises: pictures per prompt.
            room: bytes of the largest scorer to come; of this one if left out.
        """
        self._room = scorer.weights_bytes if room is None else room
        self.pipeline = LivePipeline(recipe, sources, settings=settings, scorer=self._room)
        self.scorer = scorer
        self.settings = settings
        self.noises = noises

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
        wanted = [
            (prompt.id, noise, Request(text, noise_seed(prompt.id, noise)))
            for prompt, text in zip(prompts.prompts, prompts.texts(language), strict=True)
            for noise in range(self.noises)
        ]
        images = self.pipeline.generate([request for *_, request in wanted], self.settings, progress=progress)
        return [
            Drawn(image, id, language, noise, request)
            for image, (id, noise, request) in zip(images, wanted, strict=True)
        ]

    def score(self, drawn: Sequence[Drawn]) -> Scored:
        """How well pictures fit their captions, and what the scorer saw in them."""
        with self.scorer.on_device():
            seen = self.scorer.image_features([d.image for d in drawn])
            said = self.scorer.text_features([d.request.prompt for d in drawn])
        return Scored(similarity(seen, said).reshape(-1, self.noises), seen)

    def consistency(self, ja: Scored, en: Scored) -> np.ndarray:
        """How alike the twins' pictures are: float64 [prompts, noises], in 0..1."""
        return consistency(ja.features, en.features).reshape(-1, self.noises)


def check_captions(prompts: PromptSet, scorer: ClipScorer, pipeline: LivePipeline) -> list[str]:
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


def save_picture(drawn: Drawn, path: Path, *, individual: str, settings: Settings) -> None:
    """Write a picture as PNG with its generation data in a text chunk."""
    info = PngInfo()
    info.add_itxt(
        "m2n2",
        json.dumps(
            {
                "individual": individual,
                "prompt": drawn.request.prompt,
                "language": drawn.language,
                "seed": drawn.request.seed,
                **settings.model_dump(exclude_none=True),
            },
            ensure_ascii=False,
        ),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.image.save(path, pnginfo=info, compress_level=1)  # a tenth larger, in half the time
