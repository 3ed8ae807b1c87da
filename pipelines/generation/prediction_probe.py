"""A probe that tells what a UNet predicts, noise or velocity, where its file does not say it: one step on noise.

At the noise level (a, s), with a^2 + s^2 = 1, a UNet sees x = a * x0 + s * e. It was trained on e, or on velocity,
v = a * e - s * x0 (Salimans and Ho, Progressive Distillation, 2022, appendix D). For pictures whose latents have the
variance d, the best guess that is linear in x is

    e:  s / (a^2 d + s^2) * x        v:  a s (1 - d) / (a^2 d + s^2) * x

At the last step of SDXL's schedule a is 0.068. So a UNet that predicts noise gives back what it sees, with a factor of
0.99 to 1.00 for every d up to 3, and one that predicts velocity next to nothing of it: between -0.14 and 0.07. What it
gives instead is its idea of the picture, which noise that was drawn at random does not resemble.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from pipelines.architectures.prediction import EPSILON, VELOCITY
from pipelines.checkpoints.component import Component
from pipelines.checkpoints.sources import Source
from pipelines.errors import SourceError

from .build import empty_module
from .cost import native_side
from .settings import FULL_SIZE_SIDE

_LAST_STEP = 999
_LARGEST_SIDE = 32  # of latents, in pixels: noise is known from a few thousand numbers, and a CPU is to do it
_NOISES = 2
_NOISE_AT_LEAST, _VELOCITY_AT_MOST = 0.75, 0.25  # of the input's share; between them is what neither gives


@dataclass(frozen=True)
class PredictionProbe:
    """What one step on noise told.

    Attributes:
        share: how much of the noise came back: 1 where noise is predicted, about 0 where velocity is.
    """

    share: float

    @property
    def prediction_type(self) -> str | None:
        """What it predicts, as diffusers' schedulers call it; `None` where the share is neither one's."""
        if self.share >= _NOISE_AT_LEAST:
            return EPSILON
        return VELOCITY if abs(self.share) <= _VELOCITY_AT_MOST else None


def probe_prediction(source: Source) -> PredictionProbe:
    """Tell what a source's UNet predicts; reads its weights, and runs it once on the CPU.

    SDXL's own size is computed in bfloat16, which is as good for telling two apart. A layer's weights are in memory for
    as long as it computes.

    Args:
        source: one that draws from text.

    Raises:
        SourceError: another kind of model, or a file that cannot be read.
    """
    if not source.architecture.text_to_image or source.architecture.edm:
        raise SourceError(
            "{source} is {architecture}. Expected SDXL that draws from text; what others predict cannot "
            "be told by a step on noise.",
            source=source.name,
            architecture=source.architecture,
        )
    dtype = torch.bfloat16 if native_side(source) >= FULL_SIZE_SIDE else torch.float32
    component, unet = source.require("unet"), empty_module("unet", source, dtype)
    for name, layer in unet.named_modules():
        _read_while_computing(layer, f"{name}." if name else "", component)
    return probe_unet(unet)


def _read_while_computing(layer: torch.nn.Module, prefix: str, component: Component) -> None:
    """Have a layer read its own weights when it is called, and let go of them when it has answered."""
    weights = dict(layer.named_parameters(recurse=False))

    def fill(*_: object) -> None:
        for name, parameter in weights.items():
            parameter.data = component.read(prefix + name).to(parameter.dtype)

    def empty(*_: object) -> None:
        for parameter in weights.values():
            parameter.data = parameter.data.new_empty(0)

    if weights:
        empty()
        layer.register_forward_pre_hook(fill)
        layer.register_forward_hook(empty)


@torch.no_grad()
def probe_unet(unet: Any, *, seed: int = 0) -> PredictionProbe:
    """Tell what a UNet predicts.

    Args:
        unet: of diffusers, in SDXL's layout, on any device.
        seed: of the noise.
    """
    config, like = unet.config, next(unet.parameters())
    side = min(int(config.sample_size), _LARGEST_SIDE)
    shape = (_NOISES, config.in_channels, side, side)
    noise = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)).to(like)
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    size = float(8 * config.sample_size)
    predicted = unet(
        noise,
        _LAST_STEP,
        encoder_hidden_states=like.new_zeros(_NOISES, 1, config.cross_attention_dim),  # SDXL's empty prompt
        added_cond_kwargs={
            "text_embeds": like.new_zeros(_NOISES, pooled),
            "time_ids": like.new_tensor([[size, size, 0, 0, size, size]] * _NOISES),
        },
        return_dict=False,
    )[0]
    seen, given = noise.double().flatten(), predicted.double().flatten()
    return PredictionProbe(float(seen @ given / (seen @ seen)))
