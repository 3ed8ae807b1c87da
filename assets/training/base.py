"""The ancestor of the family: a UNet and text encoders that were trained to the end, on everything in English.

Run `python -m assets.training.base`. Mostly in the plain style, sometimes in another one that the caption names: a
source then has a style to move to, not one to learn. The ancestor is not published. It draws nearly every name, and
what its descendants each spoil is what there is to win back.
"""

from __future__ import annotations

import torch

from assets.training.loop import Training, restore, setup, train
from assets.training.settings import DEVICE, WORK
from assets.training.unet import Denoiser, lesson
from assets.training.views import Odds, odds

STEPS = 7_662
#: A shorter training of its own, whose stages the scorers learn from.
SHORT_STEPS = 1_000
KINDS = {"name": 0.5, "colour": 0.18, "keyword": 0.14, "two": 0.18}
STYLE_ODDS = {0: 0.8, 1: 0.1, 2: 0.1}
#: Steps of it after which its weights are kept.
STAGES = (120, 250, 400, 600)


def everything() -> Odds:
    """What the ancestor sees."""
    return odds(KINDS, STYLE_ODDS, styled=True)


def _training(name: str, steps: int) -> Training[Denoiser]:
    """UNet and text encoders together."""
    return Training(name, Denoiser(), lesson(everything()), steps=steps, lr=2e-3)


def train_stages() -> None:
    """Train for a short while, and keep the weights as they are at every stage, and the average at the end."""
    training = _training("stages", SHORT_STEPS)
    training.resume()
    for stage in STAGES:
        if training.done < stage:
            training.run(stage)
            torch.save(training.model.state_dict(), WORK / f"stage-{stage:05d}.pt")
    training.run(training.steps)


def ancestor() -> Denoiser:
    """What all sources descend from, frozen."""
    return restore("ancestor", Denoiser()).requires_grad_(False)


def read_stage(stage: int) -> Denoiser:
    """The short training as it was then."""
    model = Denoiser()
    model.load_state_dict(torch.load(WORK / f"stage-{stage:05d}.pt", weights_only=True, map_location=DEVICE))
    return model.to(DEVICE).eval()


if __name__ == "__main__":
    setup(3)
    train_stages()
    train(_training("ancestor", STEPS))
