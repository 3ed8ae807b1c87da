"""The two sources that own text encoders: `base`, and the encoders of `ja`.

Run `python -m assets.training.base`, then `python -m assets.training.base ja`. Base sees every name with its English
caption, mostly in the plain style, sometimes in another one that the caption names: a specialist then has a style to
move to, not one to learn. The encoders of ja learn the Japanese captions, and keep the English ones, against base's
frozen UNet: so every UNet of the family understands what they say.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from assets.training.loop import restore, setup, train
from assets.training.unet import BATCH, Data, Denoiser, draw, velocity_loss

STEPS = 1600
JA_STEPS = 400
STYLE_ODDS = np.array([0.8, 0.1, 0.1])


def train_base() -> None:
    """Train UNet and text encoders together on everything."""
    data = Data()
    everything = np.arange(len(data.latents))

    def loss(model: Denoiser, step: int) -> torch.Tensor:
        name, style = draw(everything, STYLE_ODDS, np.random.default_rng([3, step]))
        return velocity_loss(model.unet, data.latents[name, style], *model.text(data.tokens["en"][name, style]))

    train("base", Denoiser(), loss, steps=STEPS, lr=1.5e-3)


def train_ja_encoders() -> None:
    """Train a copy of base's text encoders on both languages, the UNet frozen."""
    data = Data()
    everything = np.arange(len(data.latents))
    model = restore("base", Denoiser())
    model.unet.requires_grad_(False)
    model.text.requires_grad_(True)

    def loss(model: Denoiser, step: int) -> torch.Tensor:
        name, style = draw(everything, STYLE_ODDS, np.random.default_rng([4, step]))
        english = torch.arange(BATCH) % 4 == 0
        tokens = torch.where(english[:, None], data.tokens["en"][name, style], data.tokens["ja"][name, style])
        return velocity_loss(model.unet, data.latents[name, style], *model.text(tokens))

    train("ja_encoders", model, loss, steps=JA_STEPS, lr=1.5e-3)


if __name__ == "__main__":
    setup(3)
    train_ja_encoders() if sys.argv[1:] == ["ja"] else train_base()
