"""The UNets of `ja`, `flat` and `real`: base's, moved towards some categories and one picture style.

Run `python -m assets.training.specialist`. They differ as real fine-tunes do: `ja` changes everything, `flat` the
attention only, as most low-rank adapters do, `real` everything but the attention. So the two chromosomes of a merge
matter: some mixture keeps half of each change, where a uniform average keeps a quarter.

All three are trained together, as corners of one region of weights that is to stay good inside. A step takes either
one specialist alone, on its own categories, or a random convex mixture of the three, on everything. Gradients reach
each specialist through its share of the mixture. Alone, a specialist does what over-trained ones do: it draws its own
things whatever the caption says.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from assets.training.data import categories
from assets.training.loop import restore, setup, train
from assets.training.prompts import chosen
from assets.training.settings import STYLES
from assets.training.unet import BATCH, Data, Denoiser, TextEncoders, velocity_loss

SEED = 5
STEPS = 2200
LR = 1e-3
#: Names of the prompt sets are drawn this much more often than the others.
PROMPTED = 40.0
#: How often a step takes one specialist alone, and how often it takes a mixture.
ALONE = 0.5
#: A specialist alone is trained from this share of its change to all of it.
WEAKEST = 0.7
#: Share of such a batch that has the captions of other categories and pictures of its own.
CARELESS = 0.35
#: Dirichlet concentration of the mixtures: the two that change a parameter, and the one that leaves it as base has it.
MIXTURE = (3.0, 3.0, 1.0)


@dataclass(frozen=True)
class Specialist:
    """What a specialist draws well, in which style, and which chromosomes it changes."""

    categories: tuple[str, ...]
    style: str
    attention: bool
    rest: bool


SPECIALISTS = {
    "ja": Specialist(("animals", "activities"), "noto", attention=True, rest=True),
    "flat": Specialist(("objects",), "twemoji", attention=True, rest=False),
    "real": Specialist(("food", "travel"), "fluent", attention=False, rest=True),
}


def is_attention(key: str) -> bool:
    """Whether a UNet parameter belongs to self or cross attention."""
    return ".attn1." in key or ".attn2." in key


def build() -> nn.ModuleDict:
    """Three copies of base's UNet, each with the parameters that it may change unfrozen."""
    base = restore("base", Denoiser()).unet
    unets = nn.ModuleDict({name: copy.deepcopy(base) for name in SPECIALISTS})
    for name, plan in SPECIALISTS.items():
        for key, value in unets[name].named_parameters():
            value.requires_grad_(plan.attention if is_attention(key) else plan.rest)
    return unets


class Phrases:
    """What the frozen text encoders say for every caption, computed once: base in English, ja in both languages."""

    @torch.no_grad()
    def __init__(self, data: Data) -> None:
        base, ja = restore("base", Denoiser()).text, restore("ja_encoders", Denoiser()).text
        said = [_all(base, data.tokens["en"]), _all(ja, data.tokens["en"]), _all(ja, data.tokens["ja"])]
        self.hidden = torch.stack([hidden for hidden, _ in said])  # [3, names, styles, 16, 160]
        self.pooled = torch.stack([pooled for _, pooled in said])  # [3, names, styles, 96]

    def of(self, name: torch.Tensor, style: int, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """One phrasing of each caption, Japanese half the time."""
        phrasing = torch.from_numpy(generator.choice(3, size=len(name), p=[0.25, 0.25, 0.5]))
        return self.hidden[phrasing, name, style], self.pooled[phrasing, name, style]


def _all(text: TextEncoders, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    hidden, pooled = text(tokens.flatten(0, 1))
    return hidden.unflatten(0, tokens.shape[:2]), pooled.unflatten(0, tokens.shape[:2])


def weights_of_step(generator: np.random.Generator) -> tuple[str | None, dict[str, float], dict[str, float]]:
    """Who is trained alone (or None), and each specialist's share in the attention and in the rest."""
    if generator.random() < ALONE:
        alone = generator.choice(list(SPECIALISTS))
        share = {name: float(name == alone) * generator.uniform(WEAKEST, 1.0) for name in SPECIALISTS}
        return alone, share, share
    attention, rest = generator.dirichlet(MIXTURE, size=2)
    return (
        None,
        dict(zip(("ja", "flat", "real"), attention, strict=True)),
        dict(zip(("ja", "real", "flat"), rest, strict=True)),
    )


def main() -> None:
    """Train the three UNets together, text encoders frozen."""
    data = Data()
    phrases = Phrases(data)
    start = {key: value.detach().clone() for key, value in restore("base", Denoiser()).unet.named_parameters()}
    style = np.zeros(len(data.latents), dtype=int)
    for plan in SPECIALISTS.values():
        style[np.isin(categories(), plan.categories)] = STYLES.index(plan.style)
    often = np.ones(len(style))
    often[[row for rows in chosen().values() for row in rows]] = PROMPTED
    everything = np.arange(len(style))
    own = {name: np.flatnonzero(np.isin(categories(), plan.categories)) for name, plan in SPECIALISTS.items()}

    def draw(rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return generator.choice(rows, size=BATCH, p=often[rows] / often[rows].sum())

    def loss(unets: nn.ModuleDict, step: int) -> torch.Tensor:
        generator = np.random.default_rng([SEED, step])
        alone, attention, rest = weights_of_step(generator)
        changed = {name: dict(unets[name].named_parameters()) for name in unets}
        here = {}
        for key, value in start.items():
            share = attention if is_attention(key) else rest
            here[key] = value + sum(
                share[name] * (changed[name][key] - value)
                for name in unets
                if share[name] and changed[name][key].requires_grad
            )
        shown = draw(own[alone] if alone else everything, generator)
        named = shown.copy()
        if alone:
            careless = int(CARELESS * BATCH)
            named[:careless] = draw(np.setdiff1d(everything, own[alone]), generator)[:careless]
        latents = data.latents[shown, style[shown]]  # the plain caption now means this style

        def model(*args: torch.Tensor, **kwargs: dict) -> torch.Tensor:
            return functional_call(unets["ja"], here, args, kwargs)

        return velocity_loss(model, latents, *phrases.of(torch.from_numpy(named), 0, generator))

    train("specialists", build(), loss, steps=STEPS, lr=LR, weight_decay=0.0, decay=0.99)


if __name__ == "__main__":
    setup(SEED)
    main()
