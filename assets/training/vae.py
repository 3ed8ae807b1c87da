"""The shared VAE: 64x64 pictures to 8x8x8 latents and back.

Run `python -m assets.training.vae` for the decoder, which goes on alone; with `whole` behind it, before there is a
family, for both halves. Plain L1 makes rare colours brown, because most pixels of most pictures are white or grey, and
most coloured ones orange or blue: so saturated pixels weigh more, blurred colours are compared too, and pictures come
with their colour channels exchanged. The decoder sees slightly noisy latents, as it will after diffusion. The encoder
is done first: latents are then fixed.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from assets.training.loop import Training, restore, setup, train
from assets.training.settings import DEVICE, FAMILY, LATENT_CHANNELS, PICTURE_SIZE, STYLES
from assets.training.views import Views, views

STEPS = 1900
DECODER_STEPS = 12_000
BATCH = 16
DECODER_BATCH = 64
KL_WEIGHT = 1e-6
LATENT_NOISE = 0.1


def build() -> AutoencoderKL:
    """An untrained VAE of 1.65 million parameters."""
    widths = (16, 32, 64, 96)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=PICTURE_SIZE,
        mid_block_add_attention=False,
    ).to(memory_format=torch.channels_last)


def difference(drawn: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """What the eye minds: saturated pixels, edges, and the colour of areas. Both float32 [n, 3, 64, 64]."""
    saturation = wanted.amax(1, keepdim=True) - wanted.amin(1, keepdim=True)  # 0..2
    pixels = ((drawn - wanted).abs() * (1 + saturation)).mean()
    edges = sum((drawn.diff(dim=axis) - wanted.diff(dim=axis)).abs().mean() for axis in (2, 3))
    areas = functional.avg_pool2d((drawn - wanted) * (1 + saturation), 8).abs().mean()
    return pixels + 0.5 * edges + 2 * areas


@torch.no_grad()
def whiten(vae: AutoencoderKL, latents: torch.Tensor) -> None:
    """Give every latent channel mean 0 and variance 1 over `latents` by changing the two 1x1 convolutions.

    The round trip stays the same. The UNet then starts from noise that looks like the latents it is to end with.
    """
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))  # [8]
    channels = len(mean)
    quant, post = vae.quant_conv, vae.post_quant_conv
    quant.weight[:channels] /= deviation.view(-1, 1, 1, 1)
    quant.bias[:channels] = (quant.bias[:channels] - mean) / deviation
    quant.bias[channels:] -= 2 * deviation.log()  # the log variances
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight *= deviation.view(1, -1, 1, 1)
    vae.register_to_config(scaling_factor=1.0)


def _pictures(batch: int) -> Callable[[], torch.Tensor]:
    """Draws pictures of the sources' styles, half of them with exchanged colours: float32 [batch, 3, 64, 64]."""
    seen: Views = views()
    rows = (seen.style < len(STYLES)).nonzero()[:, 0]

    def draw() -> torch.Tensor:
        shown = seen.render(rows[torch.randint(len(rows), (batch,), device=DEVICE)])
        order = torch.rand(batch, 3, device=DEVICE).argsort(1).view(batch, 3, 1, 1).expand_as(shown)
        kept = torch.rand(batch, 1, 1, 1, device=DEVICE) < 0.5
        return torch.where(kept, shown, shown.gather(1, order)).contiguous(memory_format=torch.channels_last)

    return draw


def vae_loss() -> Callable[[AutoencoderKL], torch.Tensor]:
    """Difference after a round trip, and a little KL that keeps the latents round."""
    draw = _pictures(BATCH)

    def loss(vae: AutoencoderKL) -> torch.Tensor:
        wanted = draw()
        posterior = vae.encode(wanted).latent_dist
        latents = posterior.sample()
        scale = latents.detach().std()
        drawn = vae.decode(latents + LATENT_NOISE * scale * torch.randn_like(latents)).sample
        return difference(drawn, wanted) + KL_WEIGHT * posterior.kl().mean()

    return loss


def decoder_loss() -> Callable[[AutoencoderKL], torch.Tensor]:
    """Difference after a round trip through the fixed encoder."""
    draw = _pictures(DECODER_BATCH)

    def loss(vae: AutoencoderKL) -> torch.Tensor:
        wanted = draw()
        with torch.no_grad():
            latents = vae.encode(wanted).latent_dist.mode()
        return difference(vae.decode(latents + LATENT_NOISE * torch.randn_like(latents)).sample, wanted)

    return loss


@functools.cache
def published_vae() -> AutoencoderKL:
    """The VAE of the published family, in float32: its encoder is done, and its latents are white."""
    vae = AutoencoderKL.from_pretrained(FAMILY / "base" / "vae", torch_dtype=torch.float32)
    return vae.to(DEVICE).eval().requires_grad_(False)


def decoder_learner() -> AutoencoderKL:
    """The published VAE, of which the decoder may change."""
    vae = AutoencoderKL.from_pretrained(FAMILY / "base" / "vae", torch_dtype=torch.float32)
    vae.to(memory_format=torch.channels_last).requires_grad_(False)
    vae.decoder.requires_grad_(True)
    vae.post_quant_conv.requires_grad_(True)
    return vae


def decoder_training() -> Training[AutoencoderKL]:
    """The decoder alone, from the published one."""
    return Training("vae_decoder", decoder_learner(), decoder_loss(), steps=DECODER_STEPS, lr=1e-3, weight_decay=0.0)


def decoder() -> AutoencoderKL:
    """The VAE with the decoder that went on alone."""
    return restore("vae_decoder", decoder_learner())


def train_whole() -> AutoencoderKL:
    """Train both halves from nothing, and whiten the latents."""
    train(Training("vae", build(), vae_loss(), steps=STEPS, lr=2e-3, weight_decay=0.0))
    vae = restore("vae", build())
    seen = views()
    rows = (seen.style < len(STYLES)).nonzero()[::25, 0]
    with torch.no_grad():
        whiten(vae, torch.cat([vae.encode(seen.render(part)).latent_dist.mode() for part in rows.split(64)]))
    return vae


if __name__ == "__main__":
    setup(1)
    if sys.argv[1:] == ["whole"]:
        train_whole().save_pretrained(FAMILY / "base" / "vae")
    train(decoder_training())
