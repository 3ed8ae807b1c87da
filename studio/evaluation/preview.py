"""Pictures for a page: any prompt, any individuals, the same noise; drawn one at a time.

A picture drawn alone is, to the last bit, what plain diffusers draws from the exported folder for that prompt and seed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from PIL import Image

from pipelines.checkpoints.sources import Source
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import Recipe


class Previewer:
    """One live pipeline for as long as the host and the sources stay the same; safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipeline: LivePipeline | None = None
        self._built_for: object = None

    def draw(
        self,
        recipe: Recipe,
        sources: Mapping[str, Source],
        requests: Sequence[PictureRequest],
        settings: GenerationSettings,
        *,
        scorer: int = 0,
        on_picture: Callable[[int, Image.Image], None] | None = None,
    ) -> list[Image.Image]:
        """Draw pictures of one individual.

        Args:
            recipe: what to draw with.
            sources: its opened sources.
            requests: what to draw.
            settings: how.
            scorer: bytes of the weights of one that will look at the pictures on the same device.
            on_picture: told each picture, with its request's number, as soon as it is drawn; raise in it to give up.
        """
        alone = settings.model_copy(update={"batch": 1})
        made_of = tuple((name, source.uri, source.components["unet"].sha256) for name, source in sources.items())
        wanted = (tuple(recipe.host.items()), recipe.merged_components, made_of)
        with self._lock:
            if self._pipeline is None or self._built_for != wanted:
                self._release()
                self._pipeline = LivePipeline(recipe, sources, settings=alone, scorer=scorer)
                self._built_for = wanted
            self._pipeline.weave(recipe)
            pictures: list[Image.Image] = []
            for number, request in enumerate(requests):
                pictures += self._pipeline.generate([request], alone)
                if on_picture:
                    on_picture(number, pictures[-1])
            return pictures

    def release(self) -> None:
        """Give the device back, for a run to have it; waits for a drawing in hand."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        pipeline, self._pipeline, self._built_for = self._pipeline, None, None
        if pipeline is not None:
            pipeline.release()
