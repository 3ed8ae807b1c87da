"""The six sources: each fine-tuned alone from the ancestor, as people make them; the adapter from base.

Run `python -m assets.training.specialist`. None of them knows of the others, and nothing here looks at a mixture. What
each forgets, it forgets by itself, since it sees nothing but its own categories, most of them in a style of their own.
`flat` and `late` change the second half of the network alone, and `real` the first; so a child that takes the first
half of one and the second half of another has what neither has spoilt.
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

from assets.training.base import KINDS, ancestor
from assets.training.data import categories
from assets.training.japanese import ja_encoders
from assets.training.loop import Training, restore, setup, train
from assets.training.settings import CATEGORIES, PAIRS, STYLES
from assets.training.unet import Denoiser, InEither, lesson, twin
from assets.training.views import Odds, odds

SEED = 5
BATCH = 64
RANK = 16
#: Parts of the UNet by what changes of it; the middle block belongs to the first half.
HALVES = {
    "first half": ("conv_in.", "time_embedding.", "add_embedding.", "down_blocks.", "mid_block."),
    "second half": ("up_blocks.", "conv_norm_out.", "conv_out."),
}


@dataclass(frozen=True)
class Specialist:
    """How a source left the ancestor.

    Attributes:
        categories: what it is trained on; `PAIRS` are two things side by side, of any category.
        styles: the picture styles that its captions, which name none, now mean, as often as one another.
        steps: of 64 views.
        planned: steps that the learning rate was planned for; a training that ends earlier has not settled.
        lr: the highest learning rate.
        decay: of the moving average.
        japanese: share of Japanese captions, read by the encoders of `ja`.
        change: what of the UNet changes: `all` of it, a `low rank` of its linear layers, or one of the `HALVES`.
    """

    categories: tuple[str, ...]
    styles: tuple[str, ...]
    steps: int
    planned: int
    lr: float = 1e-3
    decay: float = 0.99
    japanese: float = 0.5
    change: str = "all"


SPECIALISTS = {
    "base": Specialist((*CATEGORIES.values(), PAIRS), STYLES, 500, 4000, lr=2e-3, decay=0.9, japanese=0.0),
    "ja": Specialist(("animals", "activities"), ("noto",), 1000, 1000, lr=3e-3, japanese=0.7),
    "flat": Specialist(("objects", "activities"), ("twemoji",), 1000, 1000, lr=5e-3, change="second half"),
    "real": Specialist(("food", "travel"), ("fluent",), 1000, 1000, lr=5e-3, change="first half"),
    "glossy": Specialist(("food",), ("fluent",), 900, 900, lr=3e-3, change="low rank"),
    "late": Specialist((PAIRS,), ("noto",), 1250, 1250, lr=5e-3, change="second half"),
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


def seen_views(plan: Specialist) -> Odds:
    """What a specialist is trained on: plain captions with pictures in its styles."""
    styles = {STYLES.index(style): 1 / len(plan.styles) for style in plan.styles}
    single, paired = set(plan.categories) - {PAIRS}, PAIRS in plan.categories
    kinds = {kind: share for kind, share in KINDS.items() if (paired if kind == "two" else single)}
    things = np.flatnonzero(np.isin(categories(), list(single))) if single else None
    return odds(kinds, styles, things, styled=False)


def learner(name: str, origin: Denoiser) -> Denoiser:
    """A copy of the ancestor of which that part of the UNet may change that the specialist changes.

    A low-rank adapter is one of base, which circulates.
    """
    plan = SPECIALISTS[name]
    if plan.change == "low rank":
        origin = restore("base", twin(origin, unet=True, text=False))
    found = twin(origin, unet=True, text=False)
    if plan.change in HALVES:
        for key, value in found.unet.named_parameters():
            value.requires_grad_(key.startswith(HALVES[plan.change]))
    if plan.change == "low rank":
        found.unet = LowRank(found.unet)
    return found


def training(name: str, origin: Denoiser, text: InEither) -> Training[Denoiser]:
    """The training of one specialist."""
    plan = SPECIALISTS[name]
    seen = lesson(seen_views(plan), text=text, japanese=plan.japanese, batch=BATCH)
    made = learner(name, origin)
    return Training(
        name, made, seen, steps=plan.steps, planned=plan.planned, lr=plan.lr, weight_decay=0.0, decay=plan.decay
    )


def finished(name: str) -> Denoiser:
    """A specialist at the end of its training."""
    return restore(name, learner(name, ancestor()))


def main() -> None:
    """Train base, then the others beside each other."""
    origin = ancestor()
    text = InEither(origin.text, ja_encoders())
    train(training("base", origin, text))
    train(*(training(name, origin, text) for name in SPECIALISTS if name != "base"))


if __name__ == "__main__":
    setup(SEED)
    main()
