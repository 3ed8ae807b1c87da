"""A live pipeline: woven in place for one recipe after another, with text embeddings kept and noise fixed.

Pictures are what plain diffusers makes of the exported folder: the same `StableDiffusionXLPipeline`, the same
scheduler, one `torch.Generator("cpu")` per picture, seeded with the picture's seed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import accelerate
import diffusers
import numpy as np
import torch
import transformers
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from .errors import GenerationError, SourceError
from .keys import WEIGHTED
from .recipe import Recipe
from .sources import COMPONENTS, Source
from .weave import LiveWeights, Plan


class Settings(BaseModel):
    """How pictures are made; part of every score's meaning."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = Field(8, ge=1, le=1000, description="denoising steps of the source's own scheduler")
    guidance: float = Field(3.0, ge=0, description="classifier-free guidance scale; 1 or less turns it off")
    size: int | None = Field(None, gt=0, multiple_of=8, description="side in pixels; the model's own if left out")
    batch: int = Field(16, ge=1, description="pictures drawn at once")


@dataclass(frozen=True)
class Request:
    """One picture to draw: the prompt as written and the seed of its noise."""

    prompt: str
    seed: int


def best_device() -> torch.device:
    """The accelerator of this machine where there is one, else the CPU."""
    device: torch.device = accelerate.PartialState().device
    return device


def compute_dtype(device: torch.device) -> torch.dtype:
    """float32 on a CPU, which has no fast half precision; bfloat16 or float16 on an accelerator."""
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if device.type != "cuda" or torch.cuda.is_bf16_supported() else torch.float16


class LivePipeline:
    """An SDXL pipeline that becomes one recipe after another without being rebuilt."""

    def __init__(self, recipe: Recipe, sources: Mapping[str, Source], *, device: torch.device | None = None) -> None:
        """Build the pipeline around a first recipe; others with the same sources and host can follow by `become`.

        Args:
            recipe: decides the host and which components are merged.
            sources: opened sources by the recipe's names.
            device: where to compute; the best of this machine if left out.
        """
        self.device = device or best_device()
        self.dtype = compute_dtype(self.device)
        self.sources = sources
        self._host = recipe.host
        self._pipeline = self._build(recipe)
        self._live = {part: LiveWeights(part, getattr(self._pipeline, part)) for part in recipe.merged_components}
        self._embeddings: dict[tuple[str, ...], tuple[torch.Tensor, ...]] = {}
        self._embedded_by: object = None
        self.become(recipe)

    def become(self, recipe: Recipe) -> int:
        """Weave a recipe into the live weights; returns how many tensors were touched.

        Raises:
            GenerationError: the recipe has another host or merges other components.
        """
        if recipe.host != self._host or set(recipe.merged_components) != set(self._live):
            raise GenerationError(
                f"This pipeline was built for host {dict(self._host)} and merges {sorted(self._live)}; the recipe "
                f"has host {dict(recipe.host)} and merges {sorted(recipe.merged_components)}. "
                "Build another pipeline for it."
            )
        plan = Plan(recipe, self.sources)
        touched = sum(live.weave(plan) for live in self._live.values())
        encoders = {name: part for name, part in recipe.chromosomes.items() if name.startswith("text_encoder")}
        if encoders != self._embedded_by:  # embeddings hold for as long as the text encoders stay as they are
            self._embeddings.clear()
            self._embedded_by = encoders
        return touched

    def generate(
        self,
        requests: Sequence[Request],
        settings: Settings,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> list[Image.Image]:
        """Draw pictures, `settings.batch` at a time.

        A batch equals, to the last bit and on the same machine, what plain diffusers draws for the same batch from the
        exported folder; the last bit of a picture can depend on the batch it is drawn in.

        Args:
            requests: what to draw.
            settings: how.
            progress: told the number of pictures done so far.

        Returns:
            One RGB picture per request.

        Raises:
            GenerationError: a picture came out with NaN.
        """
        pictures: list[Image.Image] = []
        for start in range(0, len(requests), settings.batch):
            pictures += self._draw(requests[start : start + settings.batch], settings)
            if progress:
                progress(len(pictures))
        return pictures

    def truncated(self, captions: Sequence[str]) -> list[str]:
        """The captions that one of the text encoders would see only the beginning of."""
        tokenizers = [self._pipeline.tokenizer, self._pipeline.tokenizer_2]

        def too_long(caption: str) -> bool:
            lengths = [(len(one(caption, verbose=False).input_ids), one.model_max_length) for one in tokenizers]
            return any(found > limit for found, limit in lengths)

        return [caption for caption in captions if too_long(caption)]

    @torch.inference_mode()
    def _draw(self, batch: Sequence[Request], settings: Settings) -> list[Image.Image]:
        embedding, negative, pooled, negative_pooled = self._embed(tuple(request.prompt for request in batch))
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
        ).images  # float32 [batch, height, width, 3] in 0..1
        for request, pixels in zip(batch, drawn, strict=True):
            if not np.isfinite(pixels).all():
                raise GenerationError(
                    f"The picture for {request.prompt!r} (seed {request.seed}) came out with NaN. "
                    "Expected finite pixels; the weights may overflow in half precision: try float32, or a recipe "
                    "nearer to its sources."
                )
        return [Image.fromarray((pixels * 255).round().astype("uint8")) for pixels in drawn]

    def _embed(self, prompts: tuple[str, ...]) -> tuple[torch.Tensor, ...]:
        """Embeddings of a batch: of the prompts and what guidance points away from, each with its pooled vector.

        Kept by batch, not by prompt: a text encoder rounds differently in another batch, and pictures are to equal
        those of plain diffusers to the last bit.
        """
        if prompts not in self._embeddings:
            with _quiet():
                embedded = self._pipeline.encode_prompt(list(prompts), do_classifier_free_guidance=True)
            self._embeddings[prompts] = embedded
        return self._embeddings[prompts]

    def _build(self, recipe: Recipe) -> StableDiffusionXLPipeline:
        parts = {part: _load(part, self.sources[recipe.lender(part)], self.dtype) for part in COMPONENTS}
        index = self.sources[recipe.lender("default")].index
        with _quiet():
            pipeline = StableDiffusionXLPipeline(
                **parts,
                force_zeros_for_empty_prompt=index.get("force_zeros_for_empty_prompt", True),
                add_watermarker=False,
            )
        pipeline.set_progress_bar_config(disable=True)
        modules = [module for module in parts.values() if isinstance(module, torch.nn.Module)]
        weights = sum(parameter.numel() for module in modules for parameter in module.parameters())
        if self.device.type == "cuda" and weights * self.dtype.itemsize > _ROOM * accelerate.utils.get_max_memory()[0]:
            pipeline.enable_model_cpu_offload(device=self.device)  # one component on the device at a time
            return pipeline
        return pipeline.to(self.device)


_ROOM = 0.7  # of an accelerator's free memory may be weights; the rest is for activations


def _load(part: str, source: Source, dtype: torch.dtype) -> object:
    """A component of a source, by the class its model_index.json names; the UNet without values, for they are woven."""
    library, name = source.index.get(part) or ("", "")
    if library not in ("diffusers", "transformers"):
        raise SourceError(
            f"{source.path}: {part} is of class {name!r} from {library!r}. Expected a class of diffusers or "
            "transformers; code that comes with a checkpoint is never run."
        )
    kind = getattr({"diffusers": diffusers, "transformers": transformers}[library], name)
    with _quiet():
        if part == "unet":
            with accelerate.init_empty_weights():
                unet = kind.from_config(kind.load_config(source.path, subfolder=part))
            return torch.nn.Module.to(unet.to_empty(device="cpu"), dtype).requires_grad_(False).eval()
        options = {"dtype": dtype} if part in WEIGHTED else {}
        return kind.from_pretrained(source.path, subfolder=part, local_files_only=True, **options)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No bars and warnings of libraries: progress is told by a callback, long captions are named by `truncated`."""
    libraries = (transformers.utils.logging, diffusers.utils.logging)
    levels = [library.get_verbosity() for library in libraries]
    shown = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    for library in libraries:
        library.set_verbosity_error()
    try:
        yield
    finally:
        for library, level in zip(libraries, levels, strict=True):
            library.set_verbosity(level)
        if shown:
            transformers.utils.logging.enable_progress_bar()
