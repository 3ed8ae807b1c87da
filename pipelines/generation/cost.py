"""What pictures cost: weights, working memory and operations, from headers and configurations alone.

Weights are counted exactly, and so are operations. Working memory is an estimate: its figures are peaks of live
tensors, counted by running SDXL 1.0's own UNet and VAE on torch's meta device with attention fused, as torch's is on
CPUs and CUDA; `HEADROOM` stands for what a count cannot see.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from pipelines.architectures.keys import WEIGHTED_COMPONENTS
from pipelines.errors import SourceError
from pipelines.storage.formats import FLOAT_CODES

from .settings import GenerationSettings

if TYPE_CHECKING:  # settings are read without torch
    from pipelines.checkpoints.sources import Source

_LARGEST, _MOST_LEVELS = 1 << 16, 16  # of what configurations say; SDXL has 2048 and 4

# Counted at 1024 pixels: 15.8 elements per pixel of the latents, picture and channel of the first block (320).
UNET_ELEMENTS = 16
# Counted at 1024 pixels: 6.0 elements per pixel of the picture and channel of the last decoder block (128).
VAE_ELEMENTS = 6
# Convolutions ask for workspaces, and allocators leave gaps. A guess on the safe side, not measured on GPUs.
HEADROOM = 2
TILE_SIDE = 512  # pixels: the side of the tiles that a decoder works on where whole pictures do not fit
EMBEDDINGS_LIMIT = 1 << 30  # bytes of main memory; captions beyond are encoded whenever they are drawn

TensorShapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class OperationCount:
    """The number of operations of one pass for one picture, as a polynomial in the pixels of its latents.

    A multiplication and the addition that goes with it are two; attention is what makes the polynomial quadratic.
    """

    fixed: float
    linear: float
    square: float

    def at(self, pixels: int) -> float:
        """Return the operations for latents of `pixels` pixels."""
        return self.fixed + self.linear * pixels + self.square * pixels**2


@dataclass(frozen=True)
class PipelineSizes:
    """The sizes of a pipeline that decide what it costs to draw with.

    Attributes:
        parameters: numbers per component.
        merged: bytes of the merged components of all sources, as they are stored.
        side: of the pictures that the model was made for, in pixels.
        factor: pixels of a picture per pixel of its latents, on a side.
        unet_width: channels of the UNet's first block.
        vae_width: channels of the VAE's last decoder block.
        upcast: whether the VAE overflows in float16 and has to decode in float32.
        unet: operations of one pass of the UNet.
        vae: operations to decode one picture.
        caption: numbers in the embeddings of a caption and of the empty one beside it, pooled vectors included.
    """

    parameters: Mapping[str, int]
    merged: int
    side: int
    factor: int
    unet_width: int
    vae_width: int
    upcast: bool
    unet: OperationCount
    vae: OperationCount
    caption: int

    def embedding_bytes(self, captions: int, itemsize: int) -> int:
        """Return the bytes of main memory that keep the embeddings of `captions` captions."""
        return min(EMBEDDINGS_LIMIT, captions * self.caption * itemsize)

    def latent_pixels(self, settings: GenerationSettings) -> int:
        """Return the pixels of one picture's latents."""
        return ((settings.size or self.side) // self.factor) ** 2

    def weight_bytes(self, itemsize: int) -> dict[str, int]:
        """Return the bytes per component, in a dtype of `itemsize` bytes."""
        return {part: numbers * itemsize for part, numbers in self.parameters.items()}

    def drawing_bytes(self, settings: GenerationSettings, itemsize: int, batch: int) -> int:
        """Return the bytes that the UNet works in for a batch of pictures."""
        passes = batch * (2 if settings.guided else 1)
        return HEADROOM * UNET_ELEMENTS * self.unet_width * self.latent_pixels(settings) * passes * itemsize

    def decoding_bytes(self, settings: GenerationSettings, itemsize: int, batch: int, *, tiled: bool = False) -> int:
        """Return the bytes that the VAE works in to decode `batch` pictures at once, or one tile of a picture."""
        pixels = self.latent_pixels(settings) * self.factor**2
        if tiled:
            pixels, batch = min(pixels, TILE_SIDE**2), 1
        return HEADROOM * VAE_ELEMENTS * self.vae_width * pixels * batch * itemsize

    def operations(self, settings: GenerationSettings) -> float:
        """Return the operations of one picture; those of text encoders, whose results are kept, are left out."""
        pixels = self.latent_pixels(settings)
        return settings.steps * (2 if settings.guided else 1) * self.unet.at(pixels) + self.vae.at(pixels)


def measure_sizes(sources: Mapping[str, Source], host: Mapping[str, str], merged: Collection[str]) -> PipelineSizes:
    """Measure the pipeline that recipes over these sources become.

    Args:
        sources: opened sources by name.
        host: which of them lends what is not merged, as in a recipe.
        merged: the components that are merged.

    Raises:
        SourceError: the host has not got a component that it is to lend.
    """
    lenders = {part: sources[host.get(part, host["default"])] for part in WEIGHTED_COMPONENTS}
    for part, lender in lenders.items():
        if problem := lender.problem(part):
            raise SourceError(
                "The host {source} {problem}. Name another source for it in the host.",
                source=lender.name,
                problem=problem,
            )
    shapes = {
        part: {name: ref.shape for name, ref in lender.components[part].tensors.items() if ref.dtype in FLOAT_CODES}
        for part, lender in lenders.items()
    }
    tokens = _number(lenders["text_encoder"], "text_encoder", "max_position_embeddings")
    pooled = _number(lenders["text_encoder_2"], "text_encoder_2", "projection_dim")
    factor = 2 ** (len(_widths(lenders["vae"], "vae")) - 1)
    return PipelineSizes(
        parameters={part: sum(map(prod, found.values())) for part, found in shapes.items()},
        merged=sum(
            source.components[part].size for source in sources.values() for part in merged if part in source.components
        ),
        side=_number(lenders["unet"], "unet", "sample_size") * factor,
        factor=factor,
        unet_width=_widths(lenders["unet"], "unet")[0],
        vae_width=_widths(lenders["vae"], "vae")[0],
        upcast=bool(lenders["vae"].config("vae").get("force_upcast", True)),
        unet=unet_operations(shapes["unet"], tokens),
        vae=vae_operations(shapes["vae"]),
        caption=2 * (tokens * _number(lenders["unet"], "unet", "cross_attention_dim") + pooled),
    )


def native_side(source: Source) -> int:
    """Return the side, in pixels, of the pictures that a source's UNet was made for.

    A UNet without a VAE is taken to be decoded by SDXL's.

    Raises:
        SourceError: its configurations do not say it.
    """
    levels = len(_widths(source, "vae")) if source.lends("vae") else 4
    return _number(source, "unet", "sample_size") * 2 ** (levels - 1)


def _number(source: Source, part: str, key: str) -> int:
    """A positive whole number of a component's configuration."""
    value = source.config(part).get(key)
    if not isinstance(value, int) or not 0 < value <= _LARGEST:
        raise SourceError(
            "{path}: the configuration of {part} has no usable {key}. Expected a whole number from 1 to "
            "{largest}: take the configuration of the checkpoint it was made from.",
            path=source.path,
            part=part,
            key=key,
            largest=_LARGEST,
        )
    return value


def _widths(source: Source, part: str) -> list[int]:
    """The widths of a component's levels, as its configuration has them."""
    widths = source.config(part).get("block_out_channels")
    if (
        not isinstance(widths, list)
        or not 0 < len(widths) <= _MOST_LEVELS
        or not all(isinstance(width, int) and 0 < width <= _LARGEST for width in widths)
    ):
        raise SourceError(
            "{path}: the configuration of {part} has no usable block_out_channels. Expected 1 to "
            "{most_levels} whole numbers: take the configuration of the checkpoint it was made from.",
            path=source.path,
            part=part,
            most_levels=_MOST_LEVELS,
        )
    return widths


def unet_operations(shapes: TensorShapes, tokens: int) -> OperationCount:
    """Count the operations of one pass of a UNet.

    Args:
        shapes: canonical names and shapes of its tensors.
        tokens: the length of a text.
    """
    depth = 1 + max(int(name.split(".")[1]) for name in shapes if name.startswith("down_blocks."))
    fixed = linear = square = 0.0
    for name, shape in shapes.items():
        if len(shape) < 2:
            continue
        stage, block, *_ = name.split(".")
        if "embedding" in stage or "time_emb_proj" in name:
            fixed += 2 * prod(shape)
            continue
        if ".attn2.to_k." in name or ".attn2.to_v." in name:
            fixed += 2 * prod(shape) * tokens
            continue
        level = {"down_blocks": lambda k: k, "up_blocks": lambda k: depth - 1 - k, "mid_block": lambda _: depth - 1}
        halved = level[stage](int(block) if block.isdecimal() else 0) if stage in level else 0
        halved += (".downsamplers." in name) - (".upsamplers." in name)
        share = 0.25**halved
        linear += 2 * prod(shape) * share
        if ".attn1.to_q." in name:
            square += 4 * shape[0] * share**2
        elif ".attn2.to_q." in name:
            linear += 4 * shape[0] * share * tokens
    return OperationCount(fixed, linear, square)


def vae_operations(shapes: TensorShapes) -> OperationCount:
    """Count the operations that decode one picture, from the canonical names and shapes of a VAE's tensors."""
    decoder = {name: shape for name, shape in shapes.items() if name.startswith(("decoder.", "post_quant_conv."))}
    last = max(int(name.split(".")[2]) for name in decoder if name.startswith("decoder.up_blocks."))
    linear = square = 0.0
    for name, shape in decoder.items():
        if len(shape) < 2:
            continue
        doubled = last if name.startswith("decoder.conv_out.") else 0
        if name.startswith("decoder.up_blocks."):
            doubled = int(name.split(".")[2]) + (".upsamplers." in name)
        linear += 2 * prod(shape) * 4**doubled
        if ".to_q." in name:
            square += 4 * shape[0]
    return OperationCount(0.0, linear, square)
