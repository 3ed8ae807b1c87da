"""What scorers learn from: a picture, what it may be called, and how much of that it shows.

Pictures come in six artists' styles, recoloured, two side by side, and as the base drew them at many stages. Beside
each caption of more than one word stands one that is half true: another colour, or another second thing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from assets.training.data import names, pictures
from assets.training.lessons import Lessons
from assets.training.more_styles import UNSEEN, more_pictures
from assets.training.phrases import (
    BROWN,
    COLOURS,
    EXCHANGES,
    Phrase,
    article,
    colour,
    coloured,
    compositions,
    keywords,
    side_by_side,
)
from assets.training.settings import LONGER_TOKENS, STYLES, WORK
from assets.training.stages import drawn
from assets.training.tokenizer import tokenize

#: Cosine that a faultless picture of its caption is pulled towards.
BEST = 0.8
#: Share of it for a caption that is half true.
HALF_TRUE = 0.5
#: Loss of a model that knows nothing, and of one that draws like the artist: what grades of stages lie between.
LOSS_OF_NOTHING, LOSS_OF_ALL = 0.44, 0.05
#: Odds of a name, a keyword, a coloured name, two things.
KINDS = {"name": 0.5, "keyword": 0.1, "colour": 0.2, "two": 0.2}


@dataclass(frozen=True)
class Batch:
    """Pictures with captions, no thing twice among them but for chance.

    Attributes:
        pictures: uint8 [n, 64, 64, 3].
        tokens: language to int64 [n, tokens].
        half_true: language to int64 [n, tokens]; read only where `has_half_true`.
        has_half_true: bool [n].
        things: int64 [n, 2], numbers of the names that are shown; twice the same for one thing.
        stage: int64 [n], number of the stage that drew the picture, -1 for an artist's.
        grade: float32 [n], cosine that the picture, or its stage on the whole, is pulled towards.
    """

    pictures: np.ndarray
    tokens: dict[str, torch.Tensor]
    half_true: dict[str, torch.Tensor]
    has_half_true: np.ndarray
    things: np.ndarray
    stage: np.ndarray
    grade: torch.Tensor


class Captions:
    """Token numbers of captions, each tokenised once."""

    def __init__(self) -> None:
        self._path = WORK / "caption_tokens.pt"
        self._rows: dict[str, torch.Tensor] = torch.load(self._path) if self._path.is_file() else {}

    def learn(self, captions: set[str]) -> None:
        """Tokenise what is not known yet."""
        missing = sorted(captions - self._rows.keys())
        if missing:
            self._rows |= dict(zip(missing, tokenize(missing, LONGER_TOKENS), strict=True))
            torch.save(self._rows, self._path)

    def of(self, captions: list[str]) -> torch.Tensor:
        """Tokens of known captions: int64 [captions, tokens]."""
        return torch.stack([self._rows[caption] for caption in captions])


def grade_of(loss: float) -> float:
    """The grade of a stage, from how well it knew its task."""
    return BEST * float(np.clip((LOSS_OF_NOTHING - loss) / (LOSS_OF_NOTHING - LOSS_OF_ALL), 0, 1))


class GradedViews:
    """Draws batches of artists' pictures and of drawn ones."""

    def __init__(self) -> None:
        shown = {style: dict(enumerate(pictures()[:, number])) for number, style in enumerate(STYLES)}
        shown |= {style: found for style, found in more_pictures().items() if style != UNSEEN}
        self.shown = list(shown.values())
        self.tints = [
            {number: tints for number, picture in style.items() if len(tints := _tints(picture)) > 1}
            for style in self.shown
        ]
        self.drawn = drawn()
        self.lessons = Lessons()
        self.captions = Captions()
        self.captions.learn(self._every_caption())

    def _every_caption(self) -> set[str]:
        phrases = {Phrase(name.en, name.ja) for name in names()}
        phrases |= {phrase for row in keywords() for phrase in row}
        phrases |= {coloured(name, tint) for name in names() for tint in _colour_words()}
        phrases |= {phrase for _, _, phrase in compositions()}
        phrases |= {other_second(first, number) for number, (first, _, _) in enumerate(compositions())}
        return {caption for phrase in phrases for caption in (phrase.en, phrase.ja)}

    def draw(self, generator: np.random.Generator, artists: int, stages: int) -> Batch:
        """Draw a batch of `artists` pictures by artists and `stages` by models in training."""
        rows = [self._by_artist(generator) for _ in range(artists)]
        which = generator.choice(len(self.drawn), size=min(3, len(self.drawn)), replace=False)
        rows += [self._by_model(generator, int(which[place % len(which)])) for place in range(stages)]
        images, phrases, others, things, stage = zip(*rows, strict=True)
        grade = [BEST if number < 0 else grade_of(self.drawn[number].loss) for number in stage]
        tongues = ("en", "ja")
        return Batch(
            np.stack(images),
            {tongue: self.captions.of([getattr(phrase, tongue) for phrase in phrases]) for tongue in tongues},
            {
                tongue: self.captions.of(
                    [getattr(other or phrase, tongue) for other, phrase in zip(others, phrases, strict=True)]
                )
                for tongue in tongues
            },
            np.array([other is not None for other in others]),
            np.array(things),
            np.array(stage),
            torch.tensor(grade),
        )

    def _by_artist(self, generator: np.random.Generator) -> tuple:
        kind = generator.choice(list(KINDS), p=list(KINDS.values()))
        style = int(generator.integers(len(self.shown)))
        if kind == "two":
            number = int(generator.integers(len(compositions())))
            first, second, phrase = compositions()[number]
            pair = self.shown[style] if {first, second} <= self.shown[style].keys() else self.shown[0]
            other = other_second(first, number)
            return side_by_side(pair[first], pair[second]), phrase, other, (first, second), -1
        if kind == "colour":
            number = int(generator.choice(list(self.tints[style])))
            tints = self.tints[style][number]
            order = [int(row) for row in generator.permutation(len(tints))[:2]]
            (tint, exchange), (other_tint, _) = (tints[row] for row in order)
            image = np.ascontiguousarray(self.shown[style][number][:, :, exchange])
            return image, coloured(names()[number], tint), coloured(names()[number], other_tint), (number, number), -1
        number = int(generator.choice(list(self.shown[style])))
        phrase = Phrase(names()[number].en, names()[number].ja)
        if kind == "keyword" and keywords()[number]:
            phrase = keywords()[number][int(generator.integers(len(keywords()[number])))]
        return self.shown[style][number], phrase, None, (number, number), -1

    def _by_model(self, generator: np.random.Generator, stage: int) -> tuple:
        kind = generator.choice(["name", "colour", "two"], p=[0.7, 0.15, 0.15])
        place = int(generator.integers(len(self.drawn[stage].rows[kind])))
        row = int(self.drawn[stage].rows[kind][place])
        first = int(self.lessons.views[kind].name[row])
        second = compositions()[row][1] if kind == "two" else first
        return (
            self.drawn[stage].pictures[kind][place],
            self.lessons.views[kind].phrases[row],
            None,
            (first, second),
            stage,
        )


def _colour_words() -> set[Phrase]:
    return {Phrase(en, ja) for _, en, ja in COLOURS} | {BROWN}


def _tints(picture: np.ndarray) -> list[tuple[Phrase, tuple[int, ...]]]:
    """Every colour that an exchange of channels gives a picture, with one exchange that gives it."""
    found: dict[Phrase, tuple[int, ...]] = {}
    if colour(picture):
        for exchange in EXCHANGES:
            tint = colour(picture[:, :, exchange])
            if tint:
                found.setdefault(tint, exchange)
    return list(found.items())


def other_second(first: int, number: int) -> Phrase:
    """The caption of a composition with the second thing of another one."""
    one, other = names()[first], names()[compositions()[(number + 1) % len(compositions())][1]]
    return Phrase(f"{article(one.en)} and {article(other.en)}", f"{one.ja}と{other.ja}")
