"""A base trained longer, on captions of more than one word: the first source of the next family.

Run `python -m assets.training.longer_base`. It goes on from the published base, which had seen every name 126 times,
and sees everything with English captions, mostly in the plain style, sometimes in another one that the caption names: a
specialist then has a style to move to, not one to learn. Japanese is what `ja` is to bring.
"""

from __future__ import annotations

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from assets.training.lessons import Lessons
from assets.training.loop import setup, train
from assets.training.settings import FAMILY, LONGER_TOKENS, WORK
from assets.training.tokenizer import take_published
from assets.training.unet import BATCH, Denoiser, velocity_loss

STEPS = 4_800
STYLE_ODDS = np.array([0.8, 0.1, 0.1])
#: Steps after which the averaged weights are kept: pictures of every stage are what the scorers learn from.
STAGES = (250, 500, 1000, 2000, 4000, 8000)


def published_base() -> Denoiser:
    """The published base, with room for longer captions."""
    model = Denoiser(LONGER_TOKENS)
    folder = FAMILY / "base"
    model.unet.load_state_dict(UNet2DConditionModel.from_pretrained(folder / "unet").state_dict())
    for part, kind in (("text_encoder", CLIPTextModel), ("text_encoder_2", CLIPTextModelWithProjection)):
        ours = getattr(model.text, part).state_dict()
        for key, value in kind.from_pretrained(folder / part).float().state_dict().items():
            if key.endswith("position_embedding.weight"):
                ours[key][: len(value)] = value
                ours[key][len(value) :] = value[-1]
            elif not key.endswith("position_ids"):
                ours[key] = value
        getattr(model.text, part).load_state_dict(ours)
    return model


def train_base() -> None:
    """Train UNet and text encoders together on everything."""
    lessons = Lessons()

    def loss(model: Denoiser, step: int) -> torch.Tensor:
        latents, tokens = lessons.draw(np.random.default_rng([3, step]), BATCH, styles=STYLE_ODDS, japanese=0.0)
        return velocity_loss(model.unet, latents, *model.text(tokens))

    def keep_stage(model: nn.Module, step: int) -> None:
        if step in STAGES:
            state = {key: value.half().contiguous() for key, value in model.state_dict().items()}
            save_file(state, WORK / f"longer_base-{step}.safetensors")

    train("longer_base", published_base(), loss, steps=STEPS, lr=1.2e-3, decay=0.999, on_step=keep_stage)


if __name__ == "__main__":
    setup(3)
    take_published()
    train_base()
