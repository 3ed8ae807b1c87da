"""The five sources that came apart by themselves: each fine-tuned alone from base, as people make them.

Run `python -m assets.training.specialist`. None of them knows of the others, and nothing here looks at a mixture. What
each forgets, it forgets by itself. `ja` is a full fine-tune under encoders that were taught Japanese; `flat` a full
fine-tune on one style; `real` is over-trained, without any replay; `glossy` is a low-rank adapter; `late` changes the
second half of the network alone.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.func import functional_call

from assets.training.base import KINDS, everything, ja_encoders, trained_base
from assets.training.data import categories
from assets.training.loop import Training, restore, setup, train
from assets.training.settings import PAIRS, STYLES
from assets.training.unet import Denoiser, TextEncoders, lesson, twin
from assets.training.views import Odds, odds

SEED = 5
BATCH = 128
RANK = 16
TUNING_BATCH = 64
TUNED = "-tuned"
#: Parts of the UNet that come after its middle.
LATE = ("up_blocks.", "conv_norm_out.", "conv_out.")


@dataclass(frozen=True)
class Specialist:
    """How a source left base.

    Attributes:
        categories: what it is trained on; `PAIRS` are two things side by side, of any category.
        style: the picture style that its plain captions now mean.
        steps: of 128 views.
        lr: the highest learning rate.
        replay: share of views that base saw.
        japanese: share of Japanese captions; above 0 the encoders of ja read them, else base's own.
        change: what of the UNet changes: `all` of it, a `low rank` of its linear layers, or its `late` half.
        tuning: further steps, of 64 views, under the encoders of ja.
    """

    categories: tuple[str, ...]
    style: str
    steps: int
    lr: float
    replay: float
    japanese: float = 0.0
    change: str = "all"
    tuning: int = 0


SPECIALISTS = {
    "ja": Specialist(("animals", "activities"), "noto", steps=400, lr=6e-4, replay=0.03, japanese=0.6),
    "flat": Specialist(("objects", "activities"), "twemoji", steps=2400, lr=7e-4, replay=0.1, tuning=1000),
    "real": Specialist(("travel",), "noto", steps=2400, lr=1.5e-3, replay=0.0, tuning=500),
    "glossy": Specialist(("food", "travel"), "fluent", steps=2400, lr=3e-3, replay=0.1, change="low rank", tuning=1500),
    "late": Specialist((PAIRS,), "noto", steps=2000, lr=1e-3, replay=0.1, change="late", tuning=1500),
}


class LowRank(nn.Module):
    """A frozen UNet with a product of two thin matrices added to every linear layer of its transformer blocks.

    Called as the UNet is. Factors are `down` [rank, in] and `up` [out, rank], by the name of the layer with dots
    written as underscores; `up` begins as zeros.
    """

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet = unet.requires_grad_(False)
        self.layers = {
            name.replace(".", "_"): f"{name}.weight"
            for name, layer in unet.named_modules()
            if isinstance(layer, nn.Linear) and "transformer_blocks" in name
        }
        weights = dict(unet.named_parameters())
        shapes = {flat: weights[key].shape for flat, key in self.layers.items()}
        self.down = nn.ParameterDict(
            {flat: nn.Parameter(torch.randn(RANK, wide) / wide**0.5) for flat, (_, wide) in shapes.items()}
        )
        self.up = nn.ParameterDict({flat: nn.Parameter(torch.zeros(tall, RANK)) for flat, (tall, _) in shapes.items()})

    def changed(self) -> dict[str, torch.Tensor]:
        """The weights that the factors change, by key."""
        weights = dict(self.unet.named_parameters())
        return {key: weights[key] + self.up[flat] @ self.down[flat] for flat, key in self.layers.items()}

    def forward(self, *args: torch.Tensor, **kwargs: Any) -> Any:
        """Call the UNet with the changed weights."""
        return functional_call(self.unet, self.changed(), args, kwargs)

    def baked(self) -> UNet2DConditionModel:
        """A UNet of its own that holds the changed weights."""
        unet = copy.deepcopy(self.unet)
        unet.load_state_dict({key: value.detach() for key, value in self.changed().items()}, strict=False)
        return unet

    def adapter(self) -> dict[str, torch.Tensor]:
        """The factors under the keys that diffusers gives to a LoRA of an SDXL UNet."""
        found = {}
        for flat, key in self.layers.items():
            layer = key.removesuffix(".weight")
            found[f"unet.{layer}.lora_A.weight"] = self.down[flat].detach()
            found[f"unet.{layer}.lora_B.weight"] = self.up[flat].detach()
        return found


def own_views(plan: Specialist) -> Odds:
    """What a specialist is trained on besides its replay: plain captions with pictures in its style."""
    style = {STYLES.index(plan.style): 1.0}
    if plan.categories == (PAIRS,):
        return odds({"two": 1.0}, style, styled=False)
    things = np.flatnonzero(np.isin(categories(), plan.categories))
    single = {kind: share for kind, share in KINDS.items() if kind != "two"}
    return odds(single, style, things, styled=False)


def learner(name: str, base: Denoiser) -> Denoiser:
    """A copy of base of which that part of the UNet may change that the specialist changes."""
    plan = SPECIALISTS[name]
    found = twin(base, unet=True, text=False)
    if plan.change == "late":
        for key, value in found.unet.named_parameters():
            value.requires_grad_(key.startswith(LATE))
    if plan.change == "low rank":
        found.unet = LowRank(found.unet)
    return found


def training(name: str, base: Denoiser, ja: TextEncoders) -> Training[Denoiser]:
    """The training of one specialist."""
    plan = SPECIALISTS[name]
    seen = own_views(plan)
    if plan.replay:
        seen = seen.beside(everything(), plan.replay)
    text = copy.deepcopy(ja if plan.japanese else base.text).eval()
    return Training(
        name,
        learner(name, base),
        lesson(seen, text=text, japanese=plan.japanese, batch=BATCH),
        steps=plan.steps,
        lr=plan.lr,
        weight_decay=0.0,
        decay=0.995,
    )


def tuning(name: str, base: Denoiser, ja: TextEncoders) -> Training[Denoiser]:
    """A specialist goes on for a while under the encoders of `ja`, in both languages.

    It has only ever read what base's encoders say, and those of ja say it a little otherwise.
    """
    plan = SPECIALISTS[name]
    seen = own_views(plan)
    if plan.replay:
        seen = seen.beside(everything(), plan.replay)
    return Training(
        f"{name}{TUNED}",
        restore(name, learner(name, base)),
        lesson(seen, text=ja, japanese=0.5, batch=TUNING_BATCH),
        steps=plan.tuning,
        lr=0.4 * plan.lr,
        weight_decay=0.0,
        decay=0.99,
    )


def finished(name: str, base: Denoiser) -> Denoiser:
    """A specialist at the end of all its training."""
    return restore(f"{name}{TUNED}" if SPECIALISTS[name].tuning else name, learner(name, base))


def main() -> None:
    """Train the five beside each other; those that read base's encoders then go on under those of `ja`."""
    base, ja = trained_base(), ja_encoders()
    train(*(training(name, base, ja) for name in SPECIALISTS))
    train(*(tuning(name, base, ja) for name, plan in SPECIALISTS.items() if plan.tuning))


if __name__ == "__main__":
    setup(SEED)
    main()
