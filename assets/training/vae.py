"""The shared VAE: 64x64 pictures to 8x8x8 latents and back.

Run `python -m assets.training.vae`. Plain L1 makes rare colours brown, because most pixels of most pictures are
white or grey, and most coloured ones orange or blue: so saturated pixels weigh more, blurred colours are compared
too, and half the pictures come with their colour channels exchanged. The decoder sees slightly noisy
latents, as it will after diffusion. The encoder is done first: latents are then fixed, and the decoder alone goes on.
"""

from __future__ import annotations

import functools
import sys

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from assets.training.data import pictures
from assets.training.loop import restore, setup, train
from assets.training.settings import FAMILY, LATENT_CHANNELS, PICTURE_SIZE, STYLES, WORK

STEPS = 1900
DECODER_STEPS = 2500
BATCH = 16
KL_WEIGHT = 1e-6
LATENT_NOISE = 0.1
#: Noise in whitened latents of the three redrawn copies that scorers learn from.
REDRAWN_NOISE = (0.2, 0.5, 0.9)


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


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """Pictures uint8 [n, 64, 64, 3] as float32 [n, 3, 64, 64] in -1..1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def difference(drawn: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """What the eye minds: saturated pixels, edges, and the colour of areas. Both float32 [n, 3, 64, 64]."""
    saturation = wanted.amax(1, keepdim=True) - wanted.amin(1, keepdim=True)  # 0..2
    pixels = ((drawn - wanted).abs() * (1 + saturation)).mean()
    edges = sum((drawn.diff(dim=axis) - wanted.diff(dim=axis)).abs().mean() for axis in (2, 3))
    areas = functional.avg_pool2d((drawn - wanted) * (1 + saturation), 8).abs().mean()
    return pixels + 0.5 * edges + 2 * areas


def batch(generator: np.random.Generator) -> torch.Tensor:
    """Pictures of all styles, half of them mirrored, half with exchanged colours: float32 [16, 3, 64, 64]."""
    shown = pictures().reshape(-1, PICTURE_SIZE, PICTURE_SIZE, 3)[generator.integers(len(pictures()) * 3, size=BATCH)]
    shown = np.where(generator.random((BATCH, 1, 1, 1)) < 0.5, shown, shown[:, :, ::-1])
    exchanged = np.stack([generator.permutation(3) for _ in shown])[:, None, None]
    shown = np.where(generator.random((BATCH, 1, 1, 1)) < 0.5, shown, np.take_along_axis(shown, exchanged, 3))
    return as_tensor(np.ascontiguousarray(shown)).to(memory_format=torch.channels_last)


def vae_loss(vae: AutoencoderKL, step: int) -> torch.Tensor:
    """Difference after a round trip, and a little KL that keeps the latents round."""
    wanted = batch(np.random.default_rng([1, step]))
    posterior = vae.encode(wanted).latent_dist
    latents = posterior.sample()
    scale = latents.detach().std()
    drawn = vae.decode(latents + LATENT_NOISE * scale * torch.randn_like(latents)).sample
    return difference(drawn, wanted) + KL_WEIGHT * posterior.kl().mean()


def decoder_loss(vae: AutoencoderKL, step: int) -> torch.Tensor:
    """Difference after a round trip through the fixed encoder."""
    wanted = batch(np.random.default_rng([2, step]))
    with torch.no_grad():
        latents = vae.encode(wanted).latent_dist.mode()
    noise = LATENT_NOISE * latents.std() * torch.randn_like(latents)
    return difference(vae.decode(latents + noise).sample, wanted)


@torch.no_grad()
def latents_of(vae: AutoencoderKL, images: np.ndarray) -> torch.Tensor:
    """Latents in the VAE's own scale: float32 [n, 8, 8, 8] of pictures uint8 [n, 64, 64, 3]."""
    return torch.cat([vae.encode(as_tensor(part)).latent_dist.mode() for part in np.array_split(images, 32)])


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


@functools.cache
def load() -> AutoencoderKL:
    """The trained VAE with whitened latents, with the longer trained decoder once there is one."""
    longer = (WORK / "checkpoints" / "vae_decoder.pt").is_file()
    vae = restore("vae_decoder" if longer else "vae", build())
    images = pictures().reshape(-1, PICTURE_SIZE, PICTURE_SIZE, 3)
    whiten(vae, latents_of(vae, images[:: len(STYLES) + 1]))
    return vae


@functools.cache
def published() -> AutoencoderKL:
    """The VAE of the published family, in float32; its latents are white already."""
    return AutoencoderKL.from_pretrained(FAMILY / "base" / "vae", torch_dtype=torch.float32).eval()


@torch.no_grad()
def redraw() -> None:
    """Keep all pictures as the decoder draws them from noisy latents, for the scorers' training.

    Writes uint8 [strengths, names, styles, 64, 64, 3]: what a model draws that is more or less sure of itself.
    """
    vae = load()
    images = pictures().reshape(-1, PICTURE_SIZE, PICTURE_SIZE, 3)
    latents = latents_of(vae, images)
    drawn = []
    for strength in REDRAWN_NOISE:
        noisy = latents + strength * torch.randn_like(latents)
        parts = [vae.decode(part).sample.clamp(-1, 1) for part in noisy.split(64)]
        drawn.append(((torch.cat(parts) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
    np.save(WORK / "redrawn.npy", np.stack(drawn).reshape(len(REDRAWN_NOISE), *pictures().shape))


def main(part: str = "all") -> None:
    """Train the whole VAE, then the decoder alone, then redraw every picture."""
    setup(1)
    if part in ("all", "encoder"):
        train("vae", build(), vae_loss, steps=STEPS, lr=2e-3, weight_decay=0.0)
    if part in ("all", "decoder"):
        vae = restore("vae", build()).requires_grad_(False)
        vae.decoder.requires_grad_(True)
        vae.post_quant_conv.requires_grad_(True)
        train("vae_decoder", vae, decoder_loss, steps=DECODER_STEPS, lr=1e-3, weight_decay=0.0)
    if part in ("all", "redraw"):
        redraw()


if __name__ == "__main__":
    main(*sys.argv[1:])
