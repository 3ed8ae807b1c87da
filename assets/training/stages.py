"""Pictures that the base drew at many stages of its training, with how well it knew its task by then.

Run `python -m assets.training.stages`. Scorers learn from them what lies between mush and a picture. How good a single
drawing is nobody has said; how good a stage is on the whole is measured by the loss it was trained on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from assets.training.lessons import Lessons
from assets.training.longer_base import STAGES, STYLE_ODDS, WEIGHTS
from assets.training.loop import setup
from assets.training.sample import Sampler
from assets.training.settings import LONGER_TOKENS, WORK
from assets.training.unet import BATCH, Denoiser, velocity_loss
from assets.training.vae import published

log = logging.getLogger("assets.training")
#: Views of one kind that every stage draws.
VIEWS = {"name": 400, "colour": 100, "two": 100}
#: Batches behind the measured loss.
BATCHES = 8
#: The last stage with noise in its weights, by strength as a share of a tensor's deviation: what bad merges draw.
SHAKEN = (0.15, 0.3, 0.5)
SAMPLING_STEPS = 10


@dataclass(frozen=True)
class Drawn:
    """What one stage drew.

    Attributes:
        name: the number of steps, or how much noise the weights were given.
        loss: mean square error of the velocity on the captions that it was trained on.
        rows: kind of view to int64 [pictures], the rows of `Lessons.views`.
        pictures: kind of view to uint8 [pictures, 64, 64, 3].
    """

    name: str
    loss: float
    rows: dict[str, np.ndarray]
    pictures: dict[str, np.ndarray]


def drawn() -> list[Drawn]:
    """Everything that `main` has drawn so far."""
    found = []
    for path in sorted(WORK.glob("drawn-*.npz")):
        kept = np.load(path)
        rows, pictures = ({kind: kept[f"{kind} {part}"] for kind in VIEWS} for part in ("rows", "pictures"))
        found.append(Drawn(path.stem.removeprefix("drawn-"), float(kept["loss"]), rows, pictures))
    return found


def read_stage(path: Path, strength: float) -> Denoiser:
    """The model as it was then, with noise in every matrix of its UNet."""
    model = Denoiser(LONGER_TOKENS).eval()
    model.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for value in model.unet.parameters():
            if value.ndim > 1:
                value += strength * value.std() * torch.randn(value.shape, generator=generator)
    return model


@torch.no_grad()
def measured_loss(model: Denoiser, lessons: Lessons) -> float:
    """The loss on the same batches, times and noises for every stage."""
    torch.manual_seed(5)
    losses = []
    for step in range(BATCHES):
        latents, tokens = lessons.draw(np.random.default_rng([5, step]), BATCH, styles=STYLE_ODDS, japanese=0.0)
        losses.append(float(velocity_loss(model.unet, latents, *model.text(tokens))))
    return float(np.mean(losses))


def main() -> None:
    """Draw what is missing, stage by stage."""
    setup(5)
    lessons, vae = Lessons(), published()
    models = {f"stage {stage:05d}": (WORK / f"longer_base-{stage}.safetensors", 0.0) for stage in STAGES}
    models |= {f"shaken {strength}": (WEIGHTS, strength) for strength in SHAKEN}
    for seed, (name, (path, strength)) in enumerate(models.items()):
        into = WORK / f"drawn-{name}.npz"
        if into.is_file() or not path.is_file():
            continue
        model = read_stage(path, strength)
        kept: dict[str, Any] = {"loss": measured_loss(model, lessons)}
        sampler = Sampler(model.text, vae, steps=SAMPLING_STEPS, tokens=LONGER_TOKENS)
        for kind, count in VIEWS.items():
            views = lessons.views[kind]
            plain = np.flatnonzero(views.style == 0)
            rows = np.random.default_rng([6, seed]).choice(plain, count, replace=False)
            kept[f"{kind} rows"] = rows
            kept[f"{kind} pictures"] = sampler.draw_tokens(model.unet, views.tokens["en"][rows], seed)
        np.savez(into, **kept)
        log.info("%s: loss %.4f", name, kept["loss"])


if __name__ == "__main__":
    main()
