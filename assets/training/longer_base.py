"""A base trained longer, on captions of more than one word: the first source of the next family.

Run `python -m assets.training.longer_base`, then the same with `keep`. It goes on from the weights that lie beside it,
the first time from the published base, which had seen every name 126 times. It sees everything with English captions,
mostly in the plain style, sometimes in another one that the caption names: a specialist then has a style to move to,
not one to learn. Japanese is what `ja` is to bring.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from assets.training.lessons import Lessons
from assets.training.loop import restore, setup, steps_done, train
from assets.training.sample import Sampler, sheet
from assets.training.settings import FAMILY, LONGER_TOKENS, WORK
from assets.training.tokenizer import take_published
from assets.training.unet import BATCH, Denoiser, velocity_loss
from assets.training.vae import published

#: Of one sitting.
STEPS = 6_000
STYLE_ODDS = np.array([0.8, 0.1, 0.1])
WEIGHTS = Path(__file__).with_name("longer_base.safetensors")
SHEET = Path(__file__).with_name("longer_base.png")
#: Captions of the sheet: names of the prompts of evolution, as they come, then colours and two things.
SHOWN = (
    ("seal", "cupcake", "anchor", "pine decoration", "pencil", "butterfly", "waffle", "snowflake"),
    ("field hockey", "bucket", "panda", "ginger root", "brick", "boxing glove", "jeans", "dodo"),
    ("leafy green", "Japanese castle", "joystick", "label", "fox", "potato", "skateboard", "tennis"),
    ("petri dish", "cactus", "mango", "hotel", "video game", "lipstick", "T-Rex", "watermelon"),
    (
        "a red car", "a blue car", "a green apple", "a purple fish",
        "an apple and a banana", "a cat and a dog", "a car and a tree", "a pizza and a cup",
    ),
)  # fmt: skip
#: Steps after which the averaged weights are kept: pictures of every stage are what the scorers learn from.
STAGES = (250, 500, 1000, 2000, 4000, 8000, 12000)


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


def steps_so_far() -> int:
    """Steps behind the weights that are kept; none before the first sitting."""
    if not WEIGHTS.is_file():
        return 0
    with safe_open(WEIGHTS, "pt") as kept:
        return int(kept.metadata()["steps"])


def kept_base() -> Denoiser:
    """The base as it is kept, or the published one."""
    model = published_base()
    if WEIGHTS.is_file():
        model.load_state_dict({key: value.float() for key, value in load_file(WEIGHTS).items()})
    return model


def train_base(before: int) -> None:
    """Train UNet and text encoders together on everything, after the steps that are behind them."""
    lessons = Lessons()

    def loss(model: Denoiser, step: int) -> torch.Tensor:
        latents, tokens = lessons.draw(
            np.random.default_rng([3, before + step]), BATCH, styles=STYLE_ODDS, japanese=0.0
        )
        return velocity_loss(model.unet, latents, *model.text(tokens))

    def keep_stage(model: nn.Module, step: int) -> None:
        if before + step in STAGES:
            state = {key: value.half().contiguous() for key, value in model.state_dict().items()}
            save_file(state, WORK / f"longer_base-{before + step}.safetensors")

    train(f"longer_base-{before}", kept_base(), loss, steps=STEPS, lr=1e-3, decay=0.999, on_step=keep_stage)


def keep_weights(before: int) -> None:
    """Keep the averaged weights in half precision beside this script, with some of their pictures.

    Checkpoints lie outside of the repository and do not outlive a machine; what descends from this base begins here.
    A sitting that was cut short is kept as far as it got.
    """
    steps = before + steps_done(f"longer_base-{before}")
    model = restore(f"longer_base-{before}", Denoiser(LONGER_TOKENS))
    state = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(state, WEIGHTS, metadata={"format": "pt", "steps": str(steps)})
    model.load_state_dict({key: value.float() for key, value in load_file(WEIGHTS).items()})
    sampler = Sampler(model.text, published(), steps=10, tokens=LONGER_TOKENS)
    pictures = sampler.draw(model.unet, [caption for row in SHOWN for caption in row])
    sheet([pictures[start : start + len(SHOWN[0])] for start in range(0, len(pictures), len(SHOWN[0]))], SHEET, scale=2)


if __name__ == "__main__":
    setup(3)
    take_published()
    keep_weights(steps_so_far()) if sys.argv[1:] == ["keep"] else train_base(steps_so_far())
