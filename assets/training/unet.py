"""The denoising model that all four sources share: UNet, two text encoders, and how a batch is drawn.

The layout is SDXL's, only narrow: cross attention to the second-last hidden states of both text encoders side by
side, the pooled output of the second one and the picture's size added to the time embedding, empty captions as zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from assets.training.data import names, pictures
from assets.training.settings import LATENT_CHANNELS, LATENT_SIZE, PICTURE_SIZE, STYLE_WORDS, STYLES, TOKENS, WORK
from assets.training.tokenizer import tokenize, tokenizer
from assets.training.vae import latents_of, load

WIDTHS = (64, 128)
TEXT_WIDTHS = (64, 96)
BATCH = 64
EMPTY = 0.1
#: Size, crop and target size as the pipeline passes them for a whole picture.
TIME_IDS = (PICTURE_SIZE, PICTURE_SIZE, 0, 0, PICTURE_SIZE, PICTURE_SIZE)


def build_unet() -> UNet2DConditionModel:
    """An untrained UNet of 4.4 million parameters."""
    return UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        cross_attention_dim=sum(TEXT_WIDTHS),
        attention_head_dim=[2, 4],  # heads, as in SDXL's own configuration
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=16,
        projection_class_embeddings_input_dim=TEXT_WIDTHS[1] + 16 * len(TIME_IDS),
        norm_num_groups=16,
    ).to(memory_format=torch.channels_last)


class TextEncoders(nn.Module):
    """Both text encoders, read as the SDXL pipeline reads them."""

    def __init__(self, tokens: int = TOKENS) -> None:
        super().__init__()
        first, second = (_text_config(width, tokens) for width in TEXT_WIDTHS)
        self.text_encoder = CLIPTextModel(first)
        self.text_encoder_2 = CLIPTextModelWithProjection(second)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states float32 [n, tokens, 160] and pooled float32 [n, 96] of int64 [n, tokens]."""
        first = self.text_encoder(tokens, output_hidden_states=True)
        second = self.text_encoder_2(tokens, output_hidden_states=True)
        return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1), second.text_embeds


class Denoiser(nn.Module):
    """A UNet and its text encoders as one thing to train."""

    def __init__(self, tokens: int = TOKENS) -> None:
        super().__init__()
        self.unet = build_unet()
        self.text = TextEncoders(tokens)


def _text_config(width: int, tokens: int) -> CLIPTextConfig:
    vocabulary = tokenizer()
    return CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=3,  # the last one feeds the pooled output only
        num_attention_heads=width // 32,
        max_position_embeddings=tokens,
        hidden_act="gelu",
        bos_token_id=vocabulary.bos_token_id,
        eos_token_id=vocabulary.eos_token_id,
        pad_token_id=vocabulary.pad_token_id,
    )


def scheduler() -> EulerDiscreteScheduler:
    """The noise schedule of training and of the published folders."""
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )


class Data:
    """Latents and caption tokens of every name in every style, computed once."""

    def __init__(self) -> None:
        path = WORK / "latents.pt"
        if not path.is_file():
            vae = load()
            flat = latents_of(vae, pictures().reshape(-1, PICTURE_SIZE, PICTURE_SIZE, 3))
            torch.save(flat.unflatten(0, (-1, len(STYLES))), path)
        self.latents = torch.load(path, weights_only=True)  # [names, styles, 8, 8, 8]
        self.tokens = {tongue: self._tokens(tongue) for tongue in ("en", "ja")}  # [names, styles, 16]

    @staticmethod
    def _tokens(tongue: str) -> torch.Tensor:
        columns = [tokenize([f"{getattr(name, tongue)} {word}" for name in names()]) for word in STYLE_WORDS.values()]
        return torch.stack(columns, dim=1)


SIGNAL = scheduler().alphas_cumprod


def velocity_loss(
    unet: Callable[..., Any],
    latents: torch.Tensor,
    hidden: torch.Tensor,
    pooled: torch.Tensor,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Mean square error of the velocity, at random times; a tenth of the captions count as empty.

    Args:
        unet: called as the pipeline calls it.
        latents: float32 [n, 8, 8, 8], unit variance.
        hidden: float32 [n, tokens, 160].
        pooled: float32 [n, 96].
        generator: of times, noise and empty captions.
    """
    n = len(latents)
    times = torch.randint(0, len(SIGNAL), (n,), generator=generator)
    noise = torch.randn(latents.shape, generator=generator)
    signal = SIGNAL[times].view(-1, 1, 1, 1)
    noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    velocity = signal.sqrt() * noise - (1 - signal).sqrt() * latents
    said = (torch.rand(n, generator=generator) >= EMPTY).float()
    conditions = {"text_embeds": pooled * said[:, None], "time_ids": torch.tensor([TIME_IDS] * n).float()}
    noisy = noisy.to(memory_format=torch.channels_last)
    guess = unet(noisy, times, hidden * said[:, None, None], added_cond_kwargs=conditions).sample
    return (guess - velocity).square().mean()


def draw(rows: np.ndarray, styles: np.ndarray, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Name numbers from `rows` and style numbers by the odds in `styles`, each int64 [64]."""
    name = torch.from_numpy(generator.choice(rows, size=BATCH))
    return name, torch.from_numpy(generator.choice(len(STYLES), size=BATCH, p=styles))
