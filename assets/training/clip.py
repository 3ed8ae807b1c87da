"""The two bilingual scorers, judge and jury, as open_clip models.

Run `python -m assets.training.clip judge` (or `jury`). Both learn, from all three picture styles, which caption
belongs to a picture, in English and Japanese at once, and how much of it a spoilt picture still shows: the cosine
is pulled towards a grade, so that a score of 0.4 means more than one of 0.2. One style of every fifth name is kept
out, for the retrieval table.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import open_clip
import torch
from torch.nn import functional

from assets.training.augment import junk, moved, recoloured, spoilt
from assets.training.data import names, pictures
from assets.training.loop import restore, setup, train
from assets.training.settings import PICTURE_SIZE, STYLES, TOKENS, WORK
from assets.training.tokenizer import tokenize, tokenizer
from assets.training.vae import as_tensor

BATCH = 128
#: Cosines that the picture of a name, clean and just recognisable, is pulled towards.
BEST, LEAST = 0.8, 0.0


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
    "judge": Scorer(seed=11, width=14, layers=(1, 1, 1, 1), steps=950, turn=0.2, smallest=0.75),
    "jury": Scorer(seed=12, width=16, layers=(1, 2, 1, 1), steps=1200, turn=0.35, smallest=0.6),
}


def config(name: str) -> dict:
    """The model as open_clip's configuration describes it."""
    scorer = SCORERS[name]
    return {
        "embed_dim": 96,
        "vision_cfg": {
            "image_size": PICTURE_SIZE,
            "width": scorer.width,
            "layers": list(scorer.layers),  # four numbers: open_clip builds a ResNet
            "head_width": 32,
        },
        "text_cfg": {
            "context_length": TOKENS,
            "vocab_size": len(tokenizer()),
            "width": 96,
            "heads": 3,
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


def kept_out() -> np.ndarray:
    """Pairs that no scorer is trained on: bool [names, styles], one style of every fifth name."""
    out = np.zeros(pictures().shape[:2], dtype=bool)
    rows = np.arange(0, len(out), 5)
    out[rows, (rows // 5) % len(STYLES)] = True
    return out


def redrawn() -> np.ndarray | None:
    """Pictures after the VAE, with noise of three strengths in the latents, once they have been made.

    uint8 [strengths, names, styles, 64, 64, 3]. They look like pictures of a model that is not sure.
    """
    path = WORK / "redrawn.npy"
    return np.load(path, mmap_mode="r") if path.is_file() else None


class Lesson:
    """Draws batches and grades them."""

    def __init__(self, name: str) -> None:
        self.scorer = SCORERS[name]
        self.pairs = np.argwhere(~kept_out())
        self.tokens = {tongue: tokenize([getattr(thing, tongue) for thing in names()]) for tongue in ("en", "ja")}
        self.redrawn = redrawn()

    def loss(self, model: open_clip.CLIP, step: int) -> torch.Tensor:
        """Contrast between the captions of the batch, plus the distance of each cosine from its grade."""
        generator = np.random.default_rng([self.scorer.seed, step])
        chosen = self._pairs(generator)
        images, grade = self._images(chosen, generator)
        seen = model.encode_image(images, normalize=True)  # [batch, 96]
        junk_seen, seen = seen[BATCH:], seen[:BATCH]
        target = torch.eye(BATCH) * grade[:, None]
        clear = grade > 0.5 * BEST
        total = torch.zeros(())
        for tokens in self.tokens.values():
            read = model.encode_text(tokens[chosen[:, 0]], normalize=True)
            cosines = seen @ read.T  # [batch, batch]
            scale = model.logit_scale.exp().clamp(max=40)
            right = torch.arange(BATCH)
            total = total + functional.cross_entropy(scale * cosines[clear], right[clear])
            total = total + functional.cross_entropy(scale * cosines[clear][:, clear].T, right[: int(clear.sum())])
            wrong = (cosines - target).clamp(min=0).square() * (1 - torch.eye(BATCH))
            total = total + 4 * (cosines.diagonal() - grade).square().mean() + 0.5 * wrong.sum() / BATCH
            total = total + 2 * (junk_seen @ read.T).clamp(min=0).square().sum(1).mean()
        return total

    def _pairs(self, generator: np.random.Generator) -> np.ndarray:
        """Name and style numbers, no name twice: int [batch, 2]."""
        order = self.pairs[generator.permutation(len(self.pairs))]
        _, first = np.unique(order[:, 0], return_index=True)
        return order[generator.permutation(first)[:BATCH]]

    def _images(self, chosen: np.ndarray, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Images [batch + junk, 3, 64, 64], the last sixteenth junk, and the grades [batch]."""
        shown = pictures()[chosen[:, 0], chosen[:, 1]].copy()
        grade = torch.full((BATCH,), BEST)
        if self.redrawn is not None:
            strength = generator.integers(0, 3 * len(self.redrawn), size=BATCH)
            for level, value in enumerate((1.0, 0.85, 0.5)):
                rows = np.flatnonzero(strength == level)
                shown[rows] = self.redrawn[level][chosen[rows, 0], chosen[rows, 1]]
                grade[rows] = BEST * value
        images = moved(as_tensor(shown), turn=self.scorer.turn, smallest=self.scorer.smallest)
        images = recoloured(images, 0.4)
        severity = torch.rand(BATCH) * (torch.rand(BATCH) < 0.35)
        images = torch.where((severity > 0).view(-1, 1, 1, 1), spoilt(images, severity), images)
        mild = images + 0.06 * torch.rand(BATCH, 1, 1, 1) * torch.randn_like(images)
        grade = grade * (1 - severity).clamp(min=0) ** 0.7
        return torch.cat([mild, junk(BATCH // 16)]), grade


def load(name: str) -> open_clip.CLIP:
    """The trained scorer in evaluation mode."""
    return restore(name, build(name))


@torch.no_grad()
def text_features(model: open_clip.CLIP, captions: list[str]) -> torch.Tensor:
    """Unit vectors float32 [captions, 96]."""
    return model.encode_text(tokenize(captions), normalize=True)


@torch.no_grad()
def image_features(model: open_clip.CLIP, images: np.ndarray) -> torch.Tensor:
    """Unit vectors float32 [n, 96] of pictures uint8 [n, 64, 64, 3]."""
    parts = [as_tensor(images[start : start + 128]) for start in range(0, len(images), 128)]
    return torch.cat([model.encode_image(part, normalize=True) for part in parts])


def retrieval(model: open_clip.CLIP) -> dict[str, dict[str, float]]:
    """How the right caption ranks among all, on kept-out pictures and on pictures of nothing, per language."""
    pairs = np.argwhere(kept_out())
    seen = image_features(model, pictures()[pairs[:, 0], pairs[:, 1]])
    torch.manual_seed(0)
    nothing = {"noise": torch.randn(64, 3, 64, 64).clamp(-1, 1), "grey": torch.zeros(1, 3, 64, 64), "clouds": junk(64)}
    figures = {}
    for tongue in ("en", "ja"):
        read = text_features(model, [getattr(name, tongue) for name in names()])
        cosines = seen @ read.T
        right = torch.from_numpy(pairs[:, 0])
        own = cosines[torch.arange(len(right)), right]
        rank = (cosines > own[:, None]).sum(1)
        figures[tongue] = {
            "top1": float((rank < 1).float().mean()),
            "top5": float((rank < 5).float().mean()),
            "right": float(own.clamp(min=0).mean()),
            "other": float(cosines.clamp(min=0).mean()),
        }
        with torch.no_grad():
            for kind, images in nothing.items():
                score = model.encode_image(images, normalize=True) @ read.T
                figures[tongue][kind] = float(score.clamp(min=0).mean())
    return figures


def main(name: str) -> None:
    """Train one scorer and print its retrieval."""
    setup(SCORERS[name].seed)
    model = train(name, build(name), Lesson(name).loss, steps=SCORERS[name].steps, lr=2e-3, weight_decay=0.05)
    print(retrieval(model))


if __name__ == "__main__":
    main(*sys.argv[1:])
