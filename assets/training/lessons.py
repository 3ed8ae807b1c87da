"""Pictures with what they may be called, as latents and token numbers: what every denoising model here learns from.

Half of the views are names, the others phrases: a colour before the name, with the picture in that colour, a keyword,
or two things side by side.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import torch

from assets.training.data import names, pictures
from assets.training.phrases import EXCHANGES, Phrase, colour, coloured, composed, compositions, fits, keywords
from assets.training.settings import LONGER_TOKENS, STYLE_WORDS, WORK
from assets.training.tokenizer import tokenize
from assets.training.vae import latents_of, published

log = logging.getLogger("assets.training")
#: Odds of a name, a coloured name, a keyword, two things.
KINDS = {"name": 0.5, "colour": 0.18, "keyword": 0.14, "two": 0.18}


@dataclass(frozen=True)
class Views:
    """All views of one kind: a latent and a caption each.

    Attributes:
        name: int64 [views], the number of the name (of the first of two).
        style: int64 [views].
        latent: int64 [views], row of `Lessons.latents`.
        tokens: language to int64 [views, tokens].
        phrases: the captions.
    """

    name: np.ndarray
    style: np.ndarray
    latent: np.ndarray
    tokens: dict[str, torch.Tensor]
    phrases: list[Phrase]


class Lessons:
    """Every view of every kind, computed once and kept in the work folder."""

    def __init__(self) -> None:
        path = WORK / "lessons.pt"
        if not path.is_file():
            torch.save(_make(), path)
        kept = torch.load(path, weights_only=False)
        self.latents: torch.Tensor = kept["latents"]  # float32 [pictures, 8, 8, 8]
        self.views: dict[str, Views] = {}
        for kind, rows in kept["rows"].items():
            name, style, latent = np.array([row[:3] for row in rows]).T
            tokens = {
                tongue: tokenize([getattr(phrase, tongue) for *_, phrase in rows], LONGER_TOKENS)
                for tongue in ("en", "ja")
            }
            self.views[kind] = Views(name, style, latent, tokens, [row[3] for row in rows])

    def draw(
        self, generator: np.random.Generator, size: int, *, styles: np.ndarray, japanese: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch: latents float32 [size, 8, 8, 8] and caption tokens int64 [size, tokens].

        Args:
            generator: picks kind, view and language.
            size: of the batch.
            styles: float [styles], odds of the picture styles.
            japanese: the share of Japanese captions.
        """
        kinds = generator.choice(len(KINDS), size=size, p=list(KINDS.values()))
        latents, tokens = [], []
        for number, kind in enumerate(KINDS):
            views, count = self.views[kind], int((kinds == number).sum())
            odds = styles[views.style] / np.bincount(views.style, minlength=len(styles))[views.style]
            rows = generator.choice(len(odds), size=count, p=odds / odds.sum())
            latents.append(self.latents[views.latent[rows]])
            spoken = torch.from_numpy(generator.random(count) < japanese)[:, None]
            tokens.append(torch.where(spoken, views.tokens["ja"][rows], views.tokens["en"][rows]))
        return torch.cat(latents), torch.cat(tokens)


def _make() -> dict:
    """Encode every picture, and say what it is called."""
    things, shown = names(), pictures()
    rows: dict[str, list[tuple[int, int, int, Phrase]]] = {kind: [] for kind in KINDS}
    stack: list[np.ndarray] = []
    for number, thing in enumerate(things):
        for style, word in enumerate(STYLE_WORDS.values()):
            picture = shown[number, style]

            def add(kind: str, phrase: Phrase, number: int = number, style: int = style, word: str = word) -> None:
                phrase = Phrase(f"{phrase.en} {word}".strip(), f"{phrase.ja} {word}".strip())
                if fits(phrase):
                    rows[kind].append((number, style, len(stack), phrase))

            add("name", Phrase(thing.en, thing.ja))
            for keyword in keywords()[number]:
                add("keyword", keyword)
            stack.append(picture)
            tints: set[str] = set()
            for exchange in EXCHANGES if colour(picture) else ():
                changed = np.ascontiguousarray(picture[:, :, exchange])
                tint = colour(changed)
                if tint and tint.en not in tints:
                    tints.add(tint.en)
                    add("colour", coloured(thing, tint))
                    stack.append(changed)
    for (first, _, phrase), picture in zip(compositions(), composed(), strict=True):
        rows["two"].append((first, 0, len(stack), phrase))
        stack.append(picture)
    log.info("views %s of %d pictures", {kind: len(views) for kind, views in rows.items()}, len(stack))
    images = np.stack(stack)
    return {"latents": latents_of(published(), images), "rows": rows}
