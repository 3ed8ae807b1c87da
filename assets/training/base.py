"""The two sources that own text encoders: `base`, and the encoders of `ja`.

Run `python -m assets.training.base`, then `python -m assets.training.base ja`. Base sees everything with its English
caption, mostly in the plain style, sometimes in another one that the caption names: a specialist then has a style to
move to, not one to learn. The encoders of ja learn the Japanese captions, and keep the English ones, against base's
frozen UNet: so every UNet of the family understands what they say.
"""

from __future__ import annotations

import sys

import torch

from assets.training.loop import Training, restore, setup, train
from assets.training.settings import DEVICE, WORK
from assets.training.unet import Denoiser, TextEncoders, lesson, twin
from assets.training.views import Odds, odds

STEPS = 1_000
JA_STEPS = 2_000
KINDS = {"name": 0.5, "colour": 0.18, "keyword": 0.14, "two": 0.18}
STYLE_ODDS = {0: 0.8, 1: 0.1, 2: 0.1}
#: Steps after which its weights are kept: scorers learn from what it draws by then.
STAGES = (120, 250, 400, 600)


def everything() -> Odds:
    """What base sees."""
    return odds(KINDS, STYLE_ODDS, styled=True)


def base_training() -> Training[Denoiser]:
    """UNet and text encoders together, on everything in English."""
    return Training("base", Denoiser(), lesson(everything()), steps=STEPS, lr=2e-3)


def ja_training(base: Denoiser) -> Training[Denoiser]:
    """A copy of base's text encoders, on three quarters of Japanese, the UNet frozen."""
    learner = twin(base, unet=False, text=True)
    return Training("ja_encoders", learner, lesson(everything(), japanese=0.75), steps=JA_STEPS, lr=1.5e-3)


def train_base() -> None:
    """Train base, and keep its weights as they are at every stage."""
    training = base_training()
    training.resume()
    for stage in STAGES:
        if training.done < stage:
            training.run(stage)
            torch.save(training.model.state_dict(), WORK / f"stage-{stage:05d}.pt")
    training.run(training.steps)
    training.store()


def trained_base() -> Denoiser:
    """Base, frozen."""
    return restore("base", Denoiser()).requires_grad_(False)


def ja_encoders() -> TextEncoders:
    """The text encoders of ja, frozen."""
    return restore("ja_encoders", trained_base()).text


def read_stage(stage: int) -> Denoiser:
    """Base as it was then."""
    model = Denoiser()
    model.load_state_dict(torch.load(WORK / f"stage-{stage:05d}.pt", weights_only=True, map_location=DEVICE))
    return model.to(DEVICE).eval()


if __name__ == "__main__":
    setup(3)
    if sys.argv[1:] == ["ja"]:
        train(ja_training(trained_base()))
    else:
        train_base()
