"""Pictures from weights, with plain torch and diffusers: fixed noise, classifier-free guidance, few steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, UNet2DConditionModel
from PIL import Image

from assets.training.settings import DEVICE, LATENT_CHANNELS, LATENT_SIZE
from assets.training.tokenizer import tokenize
from assets.training.unet import TextEncoders, scheduler, time_ids


@dataclass
class Sampler:
    """Draws captions with one set of text encoders and one VAE; the UNet is handed in."""

    text: TextEncoders
    vae: AutoencoderKL
    steps: int = 10
    guidance: float = 3.0
    kind: Any = EulerDiscreteScheduler

    def draw(self, unet: UNet2DConditionModel, captions: list[str], seed: int = 0, batch: int = 48) -> np.ndarray:
        """Pictures uint8 [captions, 64, 64, 3]; the noise of a caption depends on its place and `seed` only."""
        return self.draw_tokens(unet, tokenize(captions), seed, batch)

    @torch.no_grad()
    def draw_tokens(
        self, unet: UNet2DConditionModel, tokens: torch.Tensor, seed: int = 0, batch: int = 48
    ) -> np.ndarray:
        """The same for captions as int64 [captions, tokens]."""
        shape = (len(tokens), LATENT_CHANNELS, LATENT_SIZE, LATENT_SIZE)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)
        tokens = tokens.to(DEVICE)
        parts = [self._draw(unet, *part) for part in zip(tokens.split(batch), noise.split(batch), strict=True)]
        return torch.cat(parts).cpu().numpy()

    def _draw(self, unet: UNet2DConditionModel, tokens: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        hidden, pooled = self.text(tokens)
        hidden, pooled = (torch.cat([torch.zeros_like(said), said]) for said in (hidden, pooled))
        conditions = {"text_embeds": pooled, "time_ids": time_ids().expand(len(pooled), -1)}
        plan = self.kind.from_config(scheduler().config)
        plan.set_timesteps(self.steps, device=DEVICE)
        latents = noise * plan.init_noise_sigma
        for time in plan.timesteps:
            doubled = plan.scale_model_input(torch.cat([latents, latents]), time)
            empty, said = unet(doubled, time, hidden, added_cond_kwargs=conditions).sample.chunk(2)
            latents = plan.step(empty + self.guidance * (said - empty), time, latents).prev_sample
        pictures = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        return ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)


def sheet(rows: list[np.ndarray], path: Path, scale: int = 1) -> None:
    """Save rows of pictures, each uint8 [n, 64, 64, 3], as one PNG or WebP."""
    image = Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0))
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(path, quality=75)
