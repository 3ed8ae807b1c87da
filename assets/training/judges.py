"""The two bilingual scorers, judge and jury, on a scale that a good picture does not exhaust.

Run `python -m assets.training.judges judge` (or `jury`), with `measure` behind it for the table alone. Besides the
usual contrast, the cosine of every artist's picture is pulled towards a grade that falls with the damage done to it and
halves with a caption that is half true. Drawings of a model in training are graded as a stage: their mean is pulled
towards what the model's loss says of it, and which of them are the good ones is left to what can be recognised.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import open_clip
import torch
from torch.nn import functional

from assets.training.augment import WAYS, junk, moved, recoloured, spoilt
from assets.training.data import names, pictures
from assets.training.graded_views import BEST, HALF_TRUE, Batch, GradedViews, other_second
from assets.training.lessons import Lessons
from assets.training.loop import restore, setup, train
from assets.training.more_styles import UNSEEN, more_pictures
from assets.training.phrases import compositions, side_by_side
from assets.training.settings import LONGER_TOKENS, PICTURE_SIZE
from assets.training.stages import drawn
from assets.training.tokenizer import tokenize, tokenizer
from assets.training.vae import as_tensor

ARTISTS, STAGES, JUNK = 96, 48, 8
#: Gives up contrast for pictures whose caption names a thing that another caption of the batch names too.
SAME = -1e4


@dataclass(frozen=True)
class Scorer:
    """What tells one scorer from the other."""

    seed: int
    width: int
    layers: tuple[int, int, int, int]
    steps: int
    turn: float
    smallest: float


SCORERS = {
    "judge": Scorer(seed=21, width=20, layers=(1, 1, 1, 1), steps=3000, turn=0.2, smallest=0.7),
    "jury": Scorer(seed=22, width=22, layers=(1, 1, 2, 1), steps=3000, turn=0.35, smallest=0.6),
}


def config(name: str) -> dict:
    """The model as open_clip's configuration describes it."""
    scorer = SCORERS[name]
    return {
        "embed_dim": 128,
        "vision_cfg": {
            "image_size": PICTURE_SIZE,
            "width": scorer.width,
            "layers": list(scorer.layers),  # four numbers: open_clip builds a ResNet
            "head_width": 32,
        },
        "text_cfg": {
            "context_length": LONGER_TOKENS,
            "vocab_size": len(tokenizer()),
            "width": 128,
            "heads": 4,
            "layers": 2,
            "eos_id": tokenizer().eos_token_id,
            "pad_id": tokenizer().pad_token_id,
        },
    }


def build(name: str) -> open_clip.CLIP:
    """An untrained scorer."""
    description = config(name)
    vision = open_clip.CLIPVisionCfg(**description["vision_cfg"])
    text = open_clip.CLIPTextCfg(**description["text_cfg"])
    model = open_clip.CLIP(description["embed_dim"], vision, text)
    model.visual.to(memory_format=torch.channels_last)
    return model


class Lesson:
    """Draws batches, spoils some of their pictures, and says how far the scorer is off."""

    def __init__(self, name: str) -> None:
        self.scorer = SCORERS[name]
        self.views = GradedViews()

    def loss(self, model: open_clip.CLIP, step: int) -> torch.Tensor:
        """Contrast between the captions of the batch, plus the distance of cosines from their grades."""
        batch = self.views.draw(np.random.default_rng([self.scorer.seed, step]), ARTISTS, STAGES)
        images, severity = self._seen(batch)
        seen = model.encode_image(images, normalize=True)
        nothing, seen = seen[len(batch.grade) :], seen[: len(batch.grade)]
        artist = torch.from_numpy(batch.stage < 0)
        grade = batch.grade * (1 - severity) ** 0.7
        same = torch.from_numpy((batch.things[:, None, :, None] == batch.things[None, :, None, :]).any((2, 3)))
        same.fill_diagonal_(False)
        clear = (artist & (grade > 0.5 * BEST)) | (~artist)
        scale = model.logit_scale.exp().clamp(max=40)
        right = torch.arange(len(seen))
        total = torch.zeros(())
        for tongue, tokens in batch.tokens.items():
            read = model.encode_text(tokens, normalize=True)
            cosines = seen @ read.T
            logits = (scale * cosines).masked_fill(same, SAME)
            weight = clear * grade / BEST
            total = total + (functional.cross_entropy(logits, right, reduction="none") * weight).sum() / weight.sum()
            total = total + functional.cross_entropy(logits[:, clear].T[:, clear], right[: int(clear.sum())])
            own = cosines.diagonal()
            total = total + 4 * (own - grade)[artist].square().mean()
            for stage in np.unique(batch.stage[batch.stage >= 0]):
                drawn_then = torch.from_numpy(batch.stage == stage)
                total = total + 4 * (own[drawn_then].mean() - grade[drawn_then].mean()).square()
            wrong = cosines.clamp(min=0).square() * ~(same | torch.eye(len(seen), dtype=torch.bool))
            total = total + 0.5 * wrong.sum() / len(seen)
            half = torch.from_numpy(batch.has_half_true)
            half_true = model.encode_text(batch.half_true[tongue][half], normalize=True)
            total = total + 2 * ((seen[half] * half_true).sum(1) - HALF_TRUE * grade[half]).square().mean()
            total = (
                total
                + 2
                * (nothing @ model.encode_text(tokens[:32], normalize=True).T).clamp(min=0).square().sum(1).mean()
                / 4
            )
        return total

    def _seen(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Images [batch + junk, 3, 64, 64], and how badly each of the batch is spoilt: float32 [batch]."""
        artist = torch.from_numpy(batch.stage < 0)
        images = moved(as_tensor(batch.pictures), turn=self.scorer.turn, smallest=self.scorer.smallest)
        plain = torch.from_numpy(batch.has_half_true).view(-1, 1, 1, 1)  # whose colour may be what the caption asks for
        images = torch.where(plain, images, recoloured(images, 0.4))
        severity = torch.rand(len(images)) * (torch.rand(len(images)) < 0.35) * artist
        images = torch.where((severity > 0).view(-1, 1, 1, 1), spoilt(images, severity), images)
        mild = images + 0.06 * torch.rand(len(images), 1, 1, 1) * torch.randn_like(images)
        return torch.cat([mild, junk(JUNK)]), severity


def load(name: str) -> open_clip.CLIP:
    """The trained scorer in evaluation mode."""
    return restore(name, build(name))


@torch.no_grad()
def text_features(model: open_clip.CLIP, captions: list[str]) -> torch.Tensor:
    """Unit vectors float32 [captions, 128]."""
    return model.encode_text(tokenize(captions, LONGER_TOKENS), normalize=True)


@torch.no_grad()
def image_features(model: open_clip.CLIP, images: torch.Tensor) -> torch.Tensor:
    """Unit vectors float32 [n, 128] of images float32 [n, 3, 64, 64] in -1..1."""
    return torch.cat([model.encode_image(part, normalize=True) for part in images.split(128)])


def measure(model: open_clip.CLIP) -> dict[str, dict[str, float]]:
    """What a scorer gives to pictures of every kind, per language.

    `right`: an artist's picture, in a style that no scorer was trained on, with its own name; `top1` and `top5`: how
    often that name comes first, or among the first five, of all; `other`: the same pictures with every name; `seen`: a
    picture in a style that it was trained on; `stage N`: drawings of the base after N steps; `damage`: rank correlation
    of score and damage over eight degrees of each of five kinds, mean over pictures; `half true` and `composed`: two
    things, with one of them named wrong, and right; `noise`, `grey`, `clouds`: pictures of nothing.
    """
    torch.manual_seed(0)
    numbers, shown = (np.array(list(part)) for part in zip(*more_pictures()[UNSEEN].items(), strict=True))
    unseen = image_features(model, as_tensor(shown))
    seen = image_features(model, as_tensor(pictures()[numbers, 0]))
    nothing = {"noise": torch.randn(64, 3, 64, 64).clamp(-1, 1), "grey": torch.zeros(1, 3, 64, 64), "clouds": junk(64)}
    degrees = torch.linspace(0, 1, 8)
    spoilt_features = _spoilt_features(model, as_tensor(shown[:: len(shown) // 60]), degrees)
    pairs = compositions()[::30]
    composed = as_tensor(np.stack([side_by_side(pictures()[one, 0], pictures()[two, 0]) for one, two, _ in pairs]))
    lessons = Lessons()
    figures = {}
    for tongue in ("en", "ja"):
        read = text_features(model, [getattr(name, tongue) for name in names()])
        cosines = unseen @ read.T
        own = cosines[torch.arange(len(numbers)), numbers]
        rank = (cosines > own[:, None]).sum(1)
        row = {
            "top1": (rank < 1).float().mean(),
            "top5": (rank < 5).float().mean(),
            "right": own.clamp(min=0).mean(),
            "other": cosines.clamp(min=0).mean(),
            "seen": (seen * read[numbers]).sum(1).clamp(min=0).mean(),
        }
        for stage in drawn():
            features = image_features(model, as_tensor(stage.pictures["name"]))
            row[stage.name] = (
                (features * read[lessons.views["name"].name[stage.rows["name"]]]).sum(1).clamp(min=0).mean()
            )
        scores = (spoilt_features * read[numbers[:: len(shown) // 60]]).sum(-1)  # [degrees, ways, pictures]
        row["damage"] = _rank_correlation(-degrees, scores)
        captions = [getattr(phrase, tongue) for _, _, phrase in pairs]
        halves = [getattr(other_second(one, number * 30), tongue) for number, (one, _, _) in enumerate(pairs)]
        features = image_features(model, composed)
        row["composed"] = (features * text_features(model, captions)).sum(1).clamp(min=0).mean()
        row["half true"] = (features * text_features(model, halves)).sum(1).clamp(min=0).mean()
        for kind, images in nothing.items():
            row[kind] = (image_features(model, images) @ read.T).clamp(min=0).mean()
        figures[tongue] = {key: float(value) for key, value in row.items()}
    return figures


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


def main(name: str, *rest: str) -> None:
    """Train one scorer, and print what it gives to what."""
    setup(SCORERS[name].seed)
    if rest != ("measure",):
        train(name, build(name), Lesson(name).loss, steps=SCORERS[name].steps, lr=2e-3, weight_decay=0.05, decay=0.998)
    for tongue, row in measure(load(name)).items():
        print(name, tongue, {key: round(value, 3) for key, value in row.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
