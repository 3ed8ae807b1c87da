"""What scorers give to pictures of every kind.

Run `python -m assets.training.measure judge` (or `jury`) for a table of a scorer in training.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import open_clip
import torch

from assets.training.augment import WAYS, junk
from assets.training.data import names, pictures
from assets.training.judges import build
from assets.training.loop import restore
from assets.training.more_styles import UNSEEN, more_pictures
from assets.training.phrases import compositions, other_second, side_by_side
from assets.training.settings import DEVICE
from assets.training.stages import Drawn, read_drawn
from assets.training.tokenizer import tokenize
from assets.training.views import KINDS, TONGUES, as_tensor, views

DEGREES = 8
#: Pictures behind the rank correlation with damage.
SPOILT = 60


@torch.no_grad()
def text_features(model: open_clip.CLIP, captions: Sequence[str]) -> torch.Tensor:
    """Unit vectors float32 [captions, 128]."""
    return model.encode_text(tokenize(list(captions)).to(DEVICE), normalize=True)


@torch.no_grad()
def image_features(model: open_clip.CLIP, images: torch.Tensor) -> torch.Tensor:
    """Unit vectors float32 [n, 128] of images float32 [n, 3, 64, 64] in -1..1."""
    return torch.cat([model.encode_image(part.to(DEVICE), normalize=True) for part in images.split(128)])


def measure(model: open_clip.CLIP, drawn: Drawn | None = None) -> dict[str, dict[str, float]]:
    """What a scorer gives to pictures of every kind, per language.

    `right`: an artist's picture, in a style that no scorer was trained on, with its own name; `top1` and `top5`: how
    often that name comes first, or among the first five, of all; `other`: the same pictures with every name; `seen`: a
    picture in a style that it was trained on; names of stages: drawings of the base after so many steps, where there
    are `drawn` ones; `damage`: rank
    correlation of score and damage over eight degrees of each of five kinds, mean over pictures; `half true` and
    `composed`: two things, with one of them named wrong, and right; `noise`, `grey`, `clouds`: pictures of nothing.
    """
    torch.manual_seed(0)
    numbers, shown = (np.array(list(part)) for part in zip(*more_pictures()[UNSEEN].items(), strict=True))
    unseen = image_features(model, as_tensor(shown))
    seen = image_features(model, as_tensor(pictures()[numbers, 0]))
    noise = torch.randn(64, 3, 64, 64).clamp(-1, 1)
    nothing = {"noise": noise, "grey": torch.zeros(1, 3, 64, 64), "clouds": junk(64, torch.device("cpu"))}
    degrees = torch.linspace(0, 1, DEGREES)
    every = len(shown) // SPOILT
    spoilt_features = _spoilt_features(model, as_tensor(shown[::every]), degrees)
    pairs = compositions()[::100]
    composed = as_tensor(np.stack([side_by_side(pictures()[one, 0], pictures()[two, 0]) for one, two, _ in pairs]))
    composed_features = image_features(model, composed)
    stages = _stages(model, drawn) if drawn else {}
    figures = {}
    for tongue in TONGUES:
        read = text_features(model, [getattr(name, tongue) for name in names()])
        cosines = unseen @ read.T
        own = cosines[torch.arange(len(numbers)), torch.from_numpy(numbers)]
        rank = (cosines > own[:, None]).sum(1)
        row = {
            "top1": (rank < 1).float().mean(),
            "top5": (rank < 5).float().mean(),
            "right": own.clamp(min=0).mean(),
            "other": cosines.clamp(min=0).mean(),
            "seen": (seen * read[torch.from_numpy(numbers)]).sum(1).clamp(min=0).mean(),
        }
        for stage, (features, things) in stages.items():
            row[stage] = (features * read[things]).sum(1).clamp(min=0).mean()
        row["damage"] = _rank_correlation(
            -degrees, (spoilt_features * read[torch.from_numpy(numbers[::every])]).sum(-1).cpu()
        )
        captions = [getattr(phrase, tongue) for _, _, phrase in pairs]
        halves = [getattr(other_second(one, number * 100), tongue) for number, (one, _, _) in enumerate(pairs)]
        row["composed"] = (composed_features * text_features(model, captions)).sum(1).clamp(min=0).mean()
        row["half true"] = (composed_features * text_features(model, halves)).sum(1).clamp(min=0).mean()
        for kind, images in nothing.items():
            row[kind] = (image_features(model, images) @ read.T).clamp(min=0).mean()
        figures[tongue] = {key: float(value) for key, value in row.items()}
    return figures


def _stages(model: open_clip.CLIP, drawn: Drawn) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Features of what each stage drew of single names, and the numbers of these names."""
    named = views().kind[drawn.rows] == KINDS.index("name")
    found = {}
    for number, stage in enumerate(drawn.loss):
        own = named & (drawn.stage == number)
        found[stage] = image_features(model, as_tensor(drawn.pictures[own])), views().thing[drawn.rows[own]]
    return found


def _spoilt_features(model: open_clip.CLIP, images: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    """Features of every image, spoilt in every way to every degree: [degrees, ways, images, 128]."""
    return torch.stack(
        [
            torch.stack([image_features(model, way(images, degree.expand(len(images)))) for way in WAYS])
            for degree in degrees
        ]
    )


def _rank_correlation(wanted: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Spearman's coefficient of `wanted` [degrees] and each column of `scores` [degrees, ways, pictures]: the mean."""
    ranks = scores.argsort(0).argsort(0).float()
    target = wanted.argsort().argsort().float().view(-1, 1, 1)
    centred, goal = ranks - ranks.mean(0), target - target.mean()
    return ((centred * goal).sum(0) / (centred.square().sum(0) * goal.square().sum()).sqrt()).mean()


if __name__ == "__main__":
    for tongue, row in measure(restore(sys.argv[1], build(sys.argv[1])), read_drawn()).items():
        print(sys.argv[1], tongue, {key: round(value, 3) for key, value in row.items()})
