"""The denoising model that all sources share: UNet, two text encoders, and what it is to learn.

The layout is SDXL's, only narrow: cross attention to the second-last hidden states of both text encoders side by
side, the pooled output of the second one and the picture's size added to the time embedding, empty captions as zeros.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from assets.training.settings import DEVICE, LATENT_CHANNELS, LATENT_SIZE, PICTURE_SIZE, STYLES, TOKENS, WORK
from assets.training.tokenizer import tokenizer
from assets.training.vae import published_vae
from assets.training.views import Odds, views

WIDTHS = (64, 128)
TEXT_WIDTHS = (64, 96)
BATCH = 256
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

    def __init__(self) -> None:
        super().__init__()
        first, second = (_text_config(width) for width in TEXT_WIDTHS)
        self.text_encoder = CLIPTextModel(first)
        self.text_encoder_2 = CLIPTextModelWithProjection(second)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states float32 [n, tokens, 160] and pooled float32 [n, 96] of int64 [n, tokens]."""
        first = self.text_encoder(tokens, output_hidden_states=True)
        second = self.text_encoder_2(tokens, output_hidden_states=True)
        return torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1), second.text_embeds


class Denoiser(nn.Module):
    """A UNet and its text encoders as one thing to train."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = build_unet()
        self.text = TextEncoders()


def _text_config(width: int) -> CLIPTextConfig:
    vocabulary = tokenizer()
    return CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=3,  # the last one feeds the pooled output only
        num_attention_heads=width // 32,
        max_position_embeddings=TOKENS,
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


@functools.cache
def latents() -> torch.Tensor:
    """Latents of every view in one of the sources' styles, encoded once: float32 [views, 8, 8, 8]; zeros for others."""
    path = WORK / "latents.pt"
    if not path.is_file():
        seen = views()
        found = torch.zeros(len(seen.style), LATENT_CHANNELS, LATENT_SIZE, LATENT_SIZE, dtype=torch.float16)
        vae = published_vae()
        with torch.no_grad():
            for rows in (seen.style < len(STYLES)).nonzero()[:, 0].split(512):
                found[rows.cpu()] = vae.encode(seen.render(rows)).latent_dist.mode().half().cpu()
        torch.save(found, path)
    return torch.load(path, weights_only=True).float().to(DEVICE)


@functools.cache
def signal() -> torch.Tensor:
    """Share of the signal at every time: float32 [1000]."""
    return scheduler().alphas_cumprod.to(DEVICE)


@functools.cache
def time_ids() -> torch.Tensor:
    """float32 [1, 6]."""
    return torch.tensor([TIME_IDS], dtype=torch.float32, device=DEVICE)


def noised(latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents with noise at random times, these times, and the velocity that leads there.

    Args:
        latents: float32 [n, 8, 8, 8], unit variance.
    """
    times = torch.randint(0, len(signal()), (len(latents),), device=DEVICE)
    noise = torch.randn_like(latents)
    part = signal()[times].view(-1, 1, 1, 1)
    noisy = part.sqrt() * latents + (1 - part).sqrt() * noise
    velocity = part.sqrt() * noise - (1 - part).sqrt() * latents
    return noisy.contiguous(memory_format=torch.channels_last), times, velocity


def predicted(
    unet: Callable[..., Any], noisy: torch.Tensor, times: torch.Tensor, hidden: torch.Tensor, pooled: torch.Tensor
) -> torch.Tensor:
    """The velocity that a UNet predicts: float32 [n, 8, 8, 8].

    Args:
        unet: called as the pipeline calls it.
        noisy: float32 [n, 8, 8, 8].
        times: int64 [n].
        hidden: float32 [n, tokens, 160].
        pooled: float32 [n, 96].
    """
    conditions = {"text_embeds": pooled, "time_ids": time_ids().expand(len(noisy), -1)}
    found: torch.Tensor = unet(noisy, times, hidden, added_cond_kwargs=conditions).sample
    return found


def velocity_loss(
    unet: Callable[..., Any],
    latents: torch.Tensor,
    hidden: torch.Tensor,
    pooled: torch.Tensor,
) -> torch.Tensor:
    """Mean square error of the velocity, at random times; a tenth of the captions count as empty.

    Args:
        unet: called as the pipeline calls it.
        latents: float32 [n, 8, 8, 8], unit variance.
        hidden: float32 [n, tokens, 160].
        pooled: float32 [n, 96].
    """
    noisy, times, velocity = noised(latents)
    said = (torch.rand(len(latents), device=DEVICE) >= EMPTY).float()
    guess = predicted(unet, noisy, times, hidden * said[:, None, None], pooled * said[:, None])
    return (guess - velocity).square().mean()


class InEither(nn.Module):
    """Reads English captions with one pair of text encoders and Japanese ones with another; both stay as they are."""

    def __init__(self, english: TextEncoders, japanese: TextEncoders) -> None:
        super().__init__()
        self.english, self.japanese = english.eval(), japanese.eval()

    @torch.no_grad()
    def forward(self, tokens: torch.Tensor, tongue: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What `TextEncoders` gives, for int64 [n, tokens] whose `tongue`, int64 [n], is 1 for Japanese."""
        (hidden, pooled), (other_hidden, other_pooled) = self.english(tokens), self.japanese(tokens)
        other = tongue.bool()
        return torch.where(other[:, None, None], other_hidden, hidden), torch.where(
            other[:, None], other_pooled, pooled
        )


def lesson(
    odds: Odds, *, text: InEither | None = None, japanese: float = 0.0, batch: int = BATCH
) -> Callable[[Denoiser], torch.Tensor]:
    """What a denoiser learns from: the loss on a batch of views.

    Args:
        odds: of the views.
        text: reads the captions, frozen; the model's own encoders if None.
        japanese: the share of Japanese captions.
        batch: views of a step.
    """
    seen, encoded = views(), latents()

    def loss(model: Denoiser) -> torch.Tensor:
        rows, captions = odds.draw(batch)
        tongue = (torch.rand(batch, device=DEVICE) < japanese).long()
        tokens = seen.tokens[captions, tongue]
        said = model.text(tokens) if text is None else text(tokens, tongue)
        return velocity_loss(model.unet, encoded[rows], *said)

    return loss


def twin(model: Denoiser, *, unet: bool, text: bool) -> Denoiser:
    """A copy of which the UNet, or the text encoders, or both are to learn."""
    copied = copy.deepcopy(model)
    copied.unet.requires_grad_(unet)
    copied.text.requires_grad_(text)
    return copied
