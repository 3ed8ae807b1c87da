"""A live pipeline: woven in place for one recipe after another, with text embeddings kept and noise fixed.

Pictures are what plain diffusers makes of the exported folder: the same `StableDiffusionXLPipeline`, the same
scheduler, one `torch.Generator("cpu")` per picture, seeded with the picture's seed.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from pipelines.checkpoints.sources import Source
from pipelines.errors import DeviceError, GenerationError, Phrase
from pipelines.recipes.recipe import Recipe
from pipelines.weaving.plan import Plan

from . import cost
from .broken_pictures import picture_problem
from .build import attach_lora, build_pipeline, make_scheduler
from .devices import DevicePlan, Machine, decode_as_planned, place_pipeline, plan_device, this_machine
from .prompt_chunks import encode_prompts, group_by_length, truncated_prompts
from .prompt_syntax import PLAIN, PromptSyntax, caption_of
from .quiet import quiet_libraries
from .settings import GenerationSettings


@dataclass(frozen=True)
class PictureRequest:
    """One picture to draw: the prompt as written, the seed of its noise, and how the prompt is to be read."""

    prompt: str
    seed: int
    syntax: PromptSyntax = PLAIN

    @property
    def caption(self) -> str:
        """What the prompt says in words: what a scorer compares the picture with."""
        return caption_of(self.prompt, self.syntax)


class LivePipeline:
    """An SDXL pipeline that one recipe after another is woven into without rebuilding it.

    Attributes:
        machine: where it computes.
        sources: opened sources by the recipes' names.
        recipe: the one woven last.
        plan: how it fits the device; its batch and decoding are those of the pictures drawn last.
    """

    def __init__(
        self,
        recipe: Recipe,
        sources: Mapping[str, Source],
        *,
        settings: GenerationSettings | None = None,
        machine: Machine | None = None,
        scorer: int = 0,
    ) -> None:
        """Build the pipeline around a first recipe; others with the same sources and host can follow by `weave`.

        Args:
            recipe: decides the host and which components are merged.
            sources: opened sources by the recipe's names.
            settings: of the pictures to come, which decide how the pipeline fits the device; the largest ones if they
                vary, and the defaults at the model's own size if left out.
            machine: where to compute; this one and its best device if left out.
            scorer: bytes of the weights of a scorer that is to work on the same device.
        """
        self.machine = machine or this_machine()
        self.sources = sources
        self.recipe = recipe
        self._sizes = cost.measure_sizes(sources, recipe.host, recipe.merged_components)
        self._scorer = scorer
        self.plan: DevicePlan = plan_device(self.machine, self._sizes, settings or GenerationSettings(), scorer=scorer)
        plan = Plan(recipe, sources)
        self._pipeline, live = build_pipeline(plan, self.plan.dtype)
        self._live = {part: live[part] for part in recipe.merged_components}
        self._schedulers, self._schedule = plan.lender("scheduler"), plan.scheduler_config()
        try:
            with quiet_libraries():
                place_pipeline(self._pipeline, self.plan, self.machine.device)
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                "{device} has no room for this model. Expected {gigabytes:.1f} GB: close what else uses it.",
                device=self.machine.device,
                gigabytes=self.plan.needs / 1e9,
            ) from error
        self._keep_sources_on(self.machine.device if self.plan.resident else torch.device("cpu"))
        self._embeddings: dict[tuple[str, ...], tuple[torch.Tensor, ...]] = {}
        self._embedded, self._embedded_on = 0, torch.device("cpu")  # bytes in them, and where they are wanted
        self._drawn_with: tuple[str | None, str | None] = (None, None)  # family and file of a few-step LoRA
        self._compiled = False

    def can_weave(self, recipe: Recipe) -> bool:
        """Return whether a recipe can be woven into it: one with the host and merged components it was built for."""
        return recipe.host == self.recipe.host and set(recipe.merged_components) == set(self._live)

    def release(self) -> None:
        """Give back the memory of the device, for the next pipeline to have room; this one draws no more."""
        self._pipeline, self._live = None, {}
        self._forget_embeddings()
        self._keep_sources_on(torch.device("cpu"))
        gc.collect()  # hooks of offloading hold modules in cycles
        if self.machine.memory is not None:
            torch.accelerator.empty_cache()

    def weave(self, recipe: Recipe) -> int:
        """Weave a recipe into the live weights.

        Args:
            recipe: what the pipeline draws from now on.

        Returns:
            How many tensors were touched.

        Raises:
            GenerationError: the recipe has another host or merges other components.
        """
        if not self.can_weave(recipe):
            raise GenerationError(
                "This pipeline was built for host {built_host} and merges {built_parts}; the "
                "recipe has host {host} and merges {parts}. "
                "Build another pipeline for it.",
                built_host=dict(self.recipe.host),
                built_parts=sorted(self._live),
                host=dict(recipe.host),
                parts=sorted(recipe.merged_components),
            )
        plan = Plan(recipe, self.sources)
        if _text_encoder_chromosomes(recipe) != _text_encoder_chromosomes(self.recipe):
            self._forget_embeddings()  # they hold for as long as the text encoders stay
        self.recipe = recipe
        return sum(live.weave(plan) for live in self._live.values())

    def generate(
        self,
        requests: Sequence[PictureRequest],
        settings: GenerationSettings,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> list[Image.Image]:
        """Draw pictures, `settings.batch` at a time, or as many as fit the device.

        A batch equals, to the last bit and on the same machine, what plain diffusers draws for the same batch from the
        exported folder; the last bit of a picture can depend on the batch it is drawn in.

        Args:
            requests: what to draw.
            settings: how.
            progress: told the number of pictures done so far.

        Returns:
            One RGB picture per request.

        Raises:
            GenerationError: a picture is black, of one colour or came out with NaN; the device is full; or the
                few-step LoRA does not fit the model.
        """
        self.plan = self._fit_to(settings)
        pictures: dict[int, Image.Image] = {}
        for alike in group_by_length(self._pipeline, [(one.prompt, one.syntax) for one in requests]):
            for start in range(0, len(alike), self.plan.batch):
                batch = alike[start : start + self.plan.batch]
                pictures |= zip(batch, self._draw([requests[n] for n in batch], settings), strict=True)
                if progress:
                    progress(len(pictures))
        return [pictures[n] for n in range(len(requests))]

    def truncated_captions(self, captions: Sequence[str]) -> list[str]:
        """Return the captions that one of the text encoders would see only the beginning of."""
        return truncated_prompts(self._pipeline, captions)

    def _keep_sources_on(self, device: torch.device) -> None:
        """Keep what weaving reads of the sources on a device; on a CPU, the system's file cache is where it stays."""
        for source in self.sources.values():
            for part in self.recipe.merged_components:
                if part in source.components:
                    source.components[part].keep_on(device)

    def _fit_to(self, settings: GenerationSettings) -> DevicePlan:
        """Bring the pipeline to the settings: decoding, few-step LoRA and scheduler, compilation; return the plan."""
        plan = plan_device(self.machine, self._sizes, settings, scorer=self._scorer)
        decode_as_planned(self._pipeline.vae, plan)
        if (settings.speed, settings.lora) != self._drawn_with:
            self._forget_embeddings()  # a LoRA may speak to the text encoders too
            if self._drawn_with[1]:
                self._pipeline.unload_lora_weights()
            self._pipeline.scheduler = make_scheduler(self._schedulers, config=self._schedule)
            self._drawn_with = (None, None)
            if settings.lora:
                attach_lora(self._pipeline, settings.lora)
                self._pipeline.scheduler = make_scheduler(self._schedulers, settings, config=self._schedule)
                self._drawn_with = (settings.speed, settings.lora)
        if settings.compile and not self._compiled:
            self._pipeline.unet.compile_repeated_blocks()
            self._compiled = True
        return plan

    @torch.no_grad()  # in inference mode, weights that offloading moves could never be woven again
    def _draw(self, batch: Sequence[PictureRequest], settings: GenerationSettings) -> list[Image.Image]:
        latents: list[torch.Tensor] = []  # of the last step: float [batch, channels, height, width]

        def keep_latents(_: Any, __: int, ___: Any, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            latents[:] = [tensors["latents"]]
            return {}

        try:
            with self._compiled_if_asked(settings):
                embedding, negative, pooled, negative_pooled = self._embed(batch)
                drawn: np.ndarray = self._pipeline(
                    prompt_embeds=embedding,
                    negative_prompt_embeds=negative,
                    pooled_prompt_embeds=pooled,
                    negative_pooled_prompt_embeds=negative_pooled,
                    generator=[torch.Generator("cpu").manual_seed(request.seed) for request in batch],
                    num_inference_steps=settings.steps,
                    guidance_scale=settings.guidance,
                    height=settings.size,
                    width=settings.size,
                    output_type="np",
                    callback_on_step_end=keep_latents,
                ).images  # float32 [batch, height, width, 3] in 0..1
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                "{device} ran out of memory while {pictures} pictures were drawn at once. Expected "
                "{gigabytes:.1f} GB for all: close what else uses it, or lower the batch or the size.",
                device=self.machine.device,
                pictures=len(batch),
                gigabytes=self.plan.needs / 1e9,
            ) from error
        pictures = []
        for request, latent, pixels in zip(batch, latents[0], drawn, strict=True):
            problem = picture_problem(latent, pixels, weights=self.plan.dtype, decoding=self.plan.decoding)
            if problem:
                raise GenerationError(
                    "{recipe}: the picture for {prompt!r} (seed {seed}) {problem}",
                    recipe=self.recipe.name or Phrase("This recipe"),
                    prompt=request.prompt,
                    seed=request.seed,
                    problem=problem,
                )
            pictures.append(Image.fromarray((pixels * 255).round().astype("uint8")))
        return pictures

    def _embed(self, batch: Sequence[PictureRequest]) -> tuple[torch.Tensor, ...]:
        """Embed a batch of one syntax: the prompts and what guidance points away from, each with its pooled vector.

        Kept by batch, not by prompt: a text encoder rounds differently in another batch, and pictures are to equal
        those of plain diffusers to the last bit. Kept in main memory: those of thousands of captions, half a megabyte
        each at full size, would fill an accelerator. The first ones stay, as a run asks for its captions in turn.
        """
        key = (batch[0].syntax, *(request.prompt for request in batch))
        if key in self._embeddings:
            return tuple(tensor.to(self._embedded_on) for tensor in self._embeddings[key])
        with quiet_libraries():
            embedded = encode_prompts(self._pipeline, [request.prompt for request in batch], batch[0].syntax)
        size = sum(tensor.nbytes for tensor in embedded)
        if self._embedded + size <= cost.EMBEDDINGS_LIMIT:
            self._embeddings[key] = tuple(tensor.cpu() for tensor in embedded)
            self._embedded += size
            self._embedded_on = embedded[0].device  # where they are wanted: offloading decides
        return embedded

    def _forget_embeddings(self) -> None:
        self._embeddings.clear()
        self._embedded = 0

    def _compiled_if_asked(self, settings: GenerationSettings) -> contextlib.AbstractContextManager[Any]:
        """Choose whether blocks run compiled; those that were compiled once can still be run as they are."""
        if not self._compiled:
            return contextlib.nullcontext()
        return torch.compiler.set_stance("default" if settings.compile else "force_eager")


def _text_encoder_chromosomes(recipe: Recipe) -> dict[str, Any]:
    return {name: part for name, part in recipe.chromosomes.items() if name.startswith("text_encoder")}
