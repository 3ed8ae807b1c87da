"""The two bilingual scorers, judge and jury, on a scale that a good picture does not exhaust.

Run `python -m assets.training.judges` for both. Besides the usual contrast, the cosine of every artist's
picture is pulled towards a grade that falls with the damage done to it and halves with a caption that is half true.
Drawings of a model in training are graded as a stage: their mean is pulled towards what the model's loss says of it,
and which of them are the good ones is left to what can be recognised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import open_clip
import torch
from torch.nn import functional

from assets.training.augment import junk, moved, recoloured, restyled, spoilt
from assets.training.loop import Training, setup, train
from assets.training.settings import DEVICE, PICTURE_SIZE, TOKENS
from assets.training.stages import Drawn, read_drawn
from assets.training.tokenizer import tokenizer
from assets.training.views import as_tensor, odds, views

ARTISTS, SLOTS, OF_A_STAGE, JUNK = 384, 3, 40, 24
#: Cosine that a faultless picture of its caption is pulled towards, and the share of it for a half true caption.
BEST, HALF_TRUE = 0.8, 0.5
#: Loss of a model that knows nothing, and of one that draws like the artist: what grades of stages lie between.
LOSS_OF_NOTHING, LOSS_OF_ALL = 0.5, 0.05
#: Odds of what artists' pictures are called.
CAPTIONS = {"name": 0.55, "keyword": 0.1, "colour": 0.15, "two": 0.2}
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


PLANS = {
    "judge": Scorer(seed=21, width=32, layers=(1, 2, 1, 1), steps=6000, turn=0.25, smallest=0.7),
    "jury": Scorer(seed=22, width=32, layers=(1, 1, 2, 1), steps=6000, turn=0.35, smallest=0.6),
}


def config(name: str) -> dict:
    """The model as open_clip's configuration describes it."""
    scorer = PLANS[name]
    return {
        "embed_dim": 128,
        "vision_cfg": {
            "image_size": PICTURE_SIZE,
            "width": scorer.width,
            "layers": list(scorer.layers),  # four numbers: open_clip builds a ResNet
            "head_width": 32,
        },
        "text_cfg": {
            "context_length": TOKENS,
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


def grade_of(loss: float) -> float:
    """The grade of a stage, from how well it knew its task."""
    return BEST * float(np.clip((LOSS_OF_NOTHING - loss) / (LOSS_OF_NOTHING - LOSS_OF_ALL), 0, 1))


class Lesson:
    """Draws batches, spoils some of their pictures, and says how far a scorer is off.

    A batch holds pictures by artists, then the same number of drawings of each of three stages.
    """

    def __init__(self, scorer: Scorer, drawn: Drawn) -> None:
        self.scorer, self.drawn, self.seen = scorer, drawn, views()
        styles = self.seen.style.unique().tolist()
        self.odds = odds(CAPTIONS, dict.fromkeys(styles, 1.0), styled=False)
        self.grades = torch.tensor([grade_of(loss) for loss in drawn.loss.values()], device=DEVICE)
        counts = torch.bincount(drawn.stage)
        self.ends = counts.cumsum(0)
        self.starts = self.ends - counts

    def batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images float32 [n, 3, 64, 64], rows of `Views` int64 [n], and grades of stages float32 [3]."""
        rows, _ = self.odds.draw(ARTISTS)
        stage = torch.randint(len(self.grades), (SLOTS,), device=DEVICE)
        low, high = self.starts[stage][:, None], self.ends[stage][:, None]
        place = (low + (torch.rand(SLOTS, OF_A_STAGE, device=DEVICE) * (high - low)).long()).flatten()
        drawings = as_tensor(self.drawn.pictures[place])
        images = torch.cat([self.seen.render(rows), drawings])
        return images, torch.cat([rows, self.drawn.rows[place]]), self.grades[stage]

    def __call__(self, model: open_clip.CLIP) -> torch.Tensor:
        """Contrast between the captions of a batch, plus the distance of cosines from their grades."""
        images, rows, stage_grades = self.batch()
        n = len(rows)
        artist = torch.arange(n, device=DEVICE) < ARTISTS
        half_true = self.seen.half_true[rows]
        has_half = (half_true >= 0) & artist
        images, severity = self._shown(images, artist, has_half)
        features = model.encode_image(torch.cat([images, junk(JUNK, images.device)]), normalize=True)
        seen, nothing = features[:n], features[n:]
        grade = BEST * (1 - severity) ** 0.7
        things = torch.stack([self.seen.thing[rows], self.seen.other_thing[rows]], 1)
        same = (things[:, None, :, None] == things[None, :, None, :]).any(3).any(2)
        own_place = torch.eye(n, dtype=torch.bool, device=DEVICE)
        clear = (~artist | (grade > 0.5 * BEST)).float()
        weight = clear * grade / BEST
        scale = model.logit_scale.exp().clamp(max=40)
        right = torch.arange(n, device=DEVICE)
        total = torch.zeros((), device=DEVICE)
        captions = torch.stack([self.seen.caption[rows], half_true.clamp(min=0)])  # read at once: fewer kernels
        read_all = model.encode_text(self.seen.tokens[captions].flatten(0, 2), normalize=True)
        for read, half in read_all.view(2, n, 2, -1).permute(2, 0, 1, 3):
            cosines = seen @ read.T
            logits = (scale * cosines).masked_fill(same & ~own_place, SAME)
            total = total + _weighted(functional.cross_entropy(logits, right, reduction="none"), weight)
            unclear = logits.T.masked_fill((clear < 1)[None] & ~own_place, SAME)
            total = total + _weighted(functional.cross_entropy(unclear, right, reduction="none"), clear)
            own = cosines.diagonal()
            total = total + 8 * _weighted((own - grade).square(), artist.float())
            stages = own[ARTISTS:].view(SLOTS, OF_A_STAGE).mean(1)
            total = total + 4 * (stages - stage_grades).square().sum()
            total = total + 0.5 * (cosines.clamp(min=0).square() * ~same).sum() / n
            total = total + 2 * _weighted(((seen * half).sum(1) - HALF_TRUE * grade).square(), has_half.float())
            total = total + 0.5 * (nothing @ read[:64].T).clamp(min=0).square().sum(1).mean()
        return total

    def _shown(
        self, images: torch.Tensor, artist: torch.Tensor, has_half: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Images as the scorer sees them, and how badly each is spoilt: float32 [n]."""
        n = len(images)
        images = moved(images, turn=self.scorer.turn, smallest=self.scorer.smallest)
        kept = has_half.view(-1, 1, 1, 1)  # whose colour may be what the caption asks for
        images = torch.where(kept, images, recoloured(images, 0.5))
        images = torch.where(kept | ~artist.view(-1, 1, 1, 1), images, restyled(images))
        severity = torch.rand(n, device=DEVICE) * (torch.rand(n, device=DEVICE) < 0.5) * artist
        images = torch.where((severity > 0).view(-1, 1, 1, 1), spoilt(images, severity), images)
        return images + 0.06 * torch.rand(n, 1, 1, 1, device=DEVICE) * torch.randn_like(images), severity


def _weighted(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1e-6)


def training(name: str, drawn: Drawn) -> Training[open_clip.CLIP]:
    """The training of one scorer."""
    scorer = PLANS[name]
    torch.manual_seed(scorer.seed)
    lesson: Callable[[open_clip.CLIP], torch.Tensor] = Lesson(scorer, drawn)
    return Training(name, build(name), lesson, steps=scorer.steps, lr=2e-3, weight_decay=0.05, decay=0.998)


if __name__ == "__main__":
    setup(0)
    found = read_drawn()
    train(*(training(name, found) for name in PLANS))
