"""Pictures that the short training of `base` drew at many stages, with how well it knew its task by then.

Run `python -m assets.training.stages` once base and decoder are done. Scorers learn from them what lies between mush
and a picture. How good a single drawing is nobody has said; how good a stage is on the whole is measured by the loss
it was trained on.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from assets.training.base import STAGES, everything, read_stage
from assets.training.loop import restore, setup
from assets.training.sample import Sampler
from assets.training.settings import DEVICE, WORK
from assets.training.unet import Denoiser, lesson
from assets.training.vae import decoder
from assets.training.views import KINDS, views

log = logging.getLogger("assets.training")
#: Views of one kind that every stage draws.
DRAWN = {"name": 700, "colour": 150, "two": 250}
#: Batches behind the measured loss.
BATCHES = 8
#: The last stage with noise in its weights, by strength as a share of a tensor's deviation: what bad merges draw.
SHAKEN = (0.15, 0.3, 0.5)


@dataclass(frozen=True)
class Drawn:
    """What all stages drew.

    Attributes:
        loss: stage to mean square error of the velocity on the captions that it was trained on.
        stage: int64 [pictures], number of the stage in the order of `loss`.
        rows: int64 [pictures], rows of `Views`.
        pictures: uint8 [pictures, 64, 64, 3].
    """

    loss: dict[str, float]
    stage: torch.Tensor
    rows: torch.Tensor
    pictures: torch.Tensor


def shaken(model: Denoiser, strength: float) -> Denoiser:
    """A copy with noise in every matrix of its UNet."""
    model = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for value in model.unet.parameters():
            if value.ndim > 1:
                value += strength * value.std() * torch.randn(value.shape, generator=generator).to(DEVICE)
    return model


@torch.no_grad()
def measured_loss(model: Denoiser) -> float:
    """The loss on the same batches, times and noises for every stage."""
    torch.manual_seed(5)
    loss = lesson(everything())
    return float(np.mean([float(loss(model)) for _ in range(BATCHES)]))


def draw_all(models: Mapping[str, Denoiser], vae: AutoencoderKL) -> Drawn:
    """Let every stage draw its views in English, and keep what they drew in the work folder."""
    seen, losses, stages, rows, pictures = views(), {}, [], [], []
    for number, (name, model) in enumerate(models.items()):
        losses[name] = measured_loss(model)
        generator = torch.Generator().manual_seed(number)
        for kind, count in DRAWN.items():
            plain = ((seen.style == 0) & (seen.kind == KINDS.index(kind))).nonzero()[:, 0].cpu()
            chosen = plain[torch.randperm(len(plain), generator=generator)[:count]].to(DEVICE)
            drawn = Sampler(model.text, vae).draw_tokens(model.unet, seen.tokens[seen.caption[chosen], 0], number, 512)
            stages.append(torch.full_like(chosen, number))
            rows.append(chosen)
            pictures.append(torch.from_numpy(drawn).to(DEVICE))
        log.info("%s: loss %.4f", name, losses[name])
    found = Drawn(losses, torch.cat(stages), torch.cat(rows), torch.cat(pictures))
    torch.save(vars(found), drawn_file())
    return found


def drawn_file() -> Path:
    """Where drawings are kept."""
    return WORK / "drawn.pt"


def read_drawn() -> Drawn:
    """What was drawn."""
    return Drawn(**torch.load(drawn_file(), weights_only=True, map_location=DEVICE))


def main() -> None:
    """Draw with every stage, with the moving average at the end, and with that one shaken."""
    average = restore("stages", Denoiser()).requires_grad_(False)
    models = {f"stage {stage:05d}": read_stage(stage) for stage in STAGES}
    models |= {f"shaken {strength}": shaken(average, strength) for strength in SHAKEN}
    draw_all(models | {"average": average}, decoder())


if __name__ == "__main__":
    setup(5)
    main()
