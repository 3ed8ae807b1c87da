"""The noise that a prompt is drawn with, and what a picture's file says of how it was made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.generation.prompt_syntax import PLAIN
from pipelines.generation.settings import GenerationSettings

if TYPE_CHECKING:  # what noise a picture has is known without drawing one
    from pipelines.generation.live_pipeline import PictureRequest


@dataclass(frozen=True)
class Noise:
    """Which noises each prompt is drawn with.

    Attributes:
        count: pictures per prompt and language.
        rotation: 0 takes the first `count` noises of every prompt, 1 the next ones, and so on.
    """

    count: int
    rotation: int = 0

    def seed(self, prompt: str, number: int) -> int:
        """The seed of one of a prompt's noises, by its number in 0..count - 1."""
        return noise_seed(prompt, self.rotation * self.count + number)


def noise_seed(prompt: str, noise: int) -> int:
    """The seed of a prompt's noise: the same for every individual and both languages (common random numbers)."""
    return int.from_bytes(hashlib.sha256(f"{prompt}/{noise}".encode()).digest()[:4], "big")


def picture_data(
    individual: str, request: PictureRequest, language: str, settings: GenerationSettings
) -> dict[str, Any]:
    """What it takes to draw a picture again, as its file keeps it."""
    return {
        "individual": individual,
        "prompt": request.prompt,
        **({} if request.syntax == PLAIN else {"prompt_syntax": request.syntax}),
        "language": language,
        "seed": request.seed,
        **settings.model_dump(exclude_none=True),
    }
