"""Everything that can be seen and said: pictures in all styles, and what each may be called, as rows of numbers.

Run `python -m assets.training.views` to make them. Half of what a model draws from are names, the others phrases: a
colour before the name, with the picture in that colour, a keyword, or two things side by side. A picture is put
together from its row when it is wanted, on the device that trains. Beside each caption of more than one word stands
one that is half true: another colour, or another second thing.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass, fields

import numpy as np
import torch

from assets.training.colours import EXCHANGES, Phrase, tints
from assets.training.data import names, pictures
from assets.training.more_styles import UNSEEN, more_pictures
from assets.training.phrases import HALF, coloured, compositions, fits, half, keywords, other_second
from assets.training.settings import DEVICE, PICTURE_SIZE, STYLE_WORDS, STYLES, WORK
from assets.training.tokenizer import tokenize

log = logging.getLogger("assets.training")
KINDS = ("name", "colour", "keyword", "two")
TONGUES = ("en", "ja")
#: Styles in which every composition is shown, the plain one first.
COMPOSED_STYLES = 3


@dataclass(frozen=True)
class Views:
    """A picture and its captions per row.

    Attributes:
        kind: int64 [views], number of `KINDS`.
        style: int64 [views]; the first three are `STYLES`.
        first, second: int64 [views], rows of `Stack.shown`; the second is -1 where one thing is shown.
        exchange: int64 [views], number of `EXCHANGES`.
        caption: int64 [views], row of `tokens`.
        styled: int64 [views], the caption with the word for the style behind it.
        half_true: int64 [views], or -1.
        thing, other_thing: int64 [views], numbers of the names that are shown; the same for one thing.
        tokens: int64 [captions, languages, tokens], languages in the order of `TONGUES`.
        shown: uint8 [pictures, 64, 64, 3].
    """

    kind: torch.Tensor
    style: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    exchange: torch.Tensor
    caption: torch.Tensor
    styled: torch.Tensor
    half_true: torch.Tensor
    thing: torch.Tensor
    other_thing: torch.Tensor
    tokens: torch.Tensor
    shown: torch.Tensor

    @functools.cached_property
    def halves(self) -> torch.Tensor:
        """Pictures as they stand in a composition: uint8 [pictures, 40, 40, 3]."""
        return torch.from_numpy(np.stack([half(picture) for picture in self.shown.cpu().numpy()])).to(DEVICE)

    @functools.cached_property
    def exchanges(self) -> torch.Tensor:
        """int64 [6, 3], `EXCHANGES` on the device."""
        return torch.tensor(EXCHANGES, device=DEVICE)

    def render(self, rows: torch.Tensor) -> torch.Tensor:
        """Pictures float32 [n, 3, 64, 64] in -1..1 of views int64 [n]."""
        n, second = len(rows), self.second[rows]
        channels = self.exchanges[self.exchange[rows]].view(n, 1, 1, 3)
        first = self.shown[self.first[rows]]
        single = first.gather(3, channels.expand_as(first))
        page = torch.full_like(first, 255)
        page[:, :HALF, :HALF] = self.halves[self.first[rows]]
        corner = slice(PICTURE_SIZE - HALF, PICTURE_SIZE)
        page[:, corner, corner] = torch.minimum(page[:, corner, corner], self.halves[second.clamp(min=0)])
        chosen = torch.where((second < 0).view(n, 1, 1, 1), single, page)
        return as_tensor(chosen)


def as_tensor(images: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Pictures uint8 [n, 64, 64, 3] as float32 [n, 3, 64, 64] in -1..1, where they lie."""
    return torch.as_tensor(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)


class _Book:
    """Captions by number, each once."""

    def __init__(self) -> None:
        self.numbers: dict[Phrase, int] = {}

    def number(self, phrase: Phrase) -> int:
        return self.numbers.setdefault(phrase, len(self.numbers))

    def tokens(self) -> torch.Tensor:
        columns = [tokenize([getattr(phrase, tongue) for phrase in self.numbers]) for tongue in TONGUES]
        return torch.stack(columns, dim=1)


def _make() -> dict[str, torch.Tensor]:
    things = names()
    styles = {style: dict(enumerate(pictures()[:, number])) for number, style in enumerate(STYLES)}
    styles |= {style: found for style, found in more_pictures().items() if style != UNSEEN}
    words = [*STYLE_WORDS.values(), *[""] * (len(styles) - len(STYLES))]
    book = _Book()
    shown: list[np.ndarray] = []
    place: dict[tuple[int, int], int] = {}
    for style, found in enumerate(styles.values()):
        for number, picture in found.items():
            place[style, number] = len(shown)
            shown.append(picture)
    rows: list[dict[str, int]] = []

    def add(kind: str, style: int, phrase: Phrase, thing: int, **more: int) -> None:
        styled = Phrase(f"{phrase.en} {words[style]}".strip(), f"{phrase.ja} {words[style]}".strip())
        if fits(styled):
            row = {"kind": KINDS.index(kind), "style": style, "first": place[style, thing], "thing": thing}
            row |= {"caption": book.number(phrase), "styled": book.number(styled), "other_thing": thing}
            rows.append(row | {"second": -1, "exchange": 0, "half_true": -1} | more)

    for style, number in place:
        add("name", style, Phrase(things[number].en, things[number].ja), number)
        for keyword in keywords()[number]:
            add("keyword", style, keyword, number)
        colours = tints(shown[place[style, number]])
        for turn, (tint, exchange) in enumerate(colours):
            other = coloured(things[number], colours[(turn + 1) % len(colours)][0])
            wrong = {"half_true": book.number(other)} if len(colours) > 1 and fits(other) else {}
            add("colour", style, coloured(things[number], tint), number, exchange=exchange, **wrong)
    generator = np.random.default_rng(65)
    for number, (first, second, phrase) in enumerate(compositions()):
        other = other_second(first, number)
        wrong = {"half_true": book.number(other)} if fits(other) else {}
        usual = [style for style in range(len(styles)) if {(style, first), (style, second)} <= place.keys()]
        for style in (0, *generator.choice(usual[1:], COMPOSED_STYLES - 1, replace=False).tolist()):
            add("two", style, phrase, first, second=place[style, second], other_thing=second, **wrong)
    columns = {key: torch.tensor([row[key] for row in rows]) for key in rows[0]}
    log.info("%d views of %d pictures, %d captions", len(rows), len(shown), len(book.numbers))
    return columns | {"tokens": book.tokens().short(), "shown": torch.from_numpy(np.stack(shown))}


@functools.cache
def views() -> Views:
    """All views, made at first use and kept in the work folder, on the device."""
    path = WORK / "views.pt"
    if not path.is_file():
        torch.save(_make(), path)
    kept = torch.load(path, weights_only=True)
    kept["tokens"] = kept["tokens"].long()
    return Views(**{field.name: kept[field.name].to(DEVICE) for field in fields(Views)})


@dataclass(frozen=True)
class Odds:
    """Some views with the odds of each.

    Attributes:
        rows: int64 [n] of `Views`.
        weight: float64 [n], adding up to 1.
        styled: bool [n], whether the caption says the style.
    """

    rows: torch.Tensor
    weight: torch.Tensor
    styled: torch.Tensor

    def draw(self, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of views and of their captions, each int64 [size]; draws on the device without asking the host."""
        place = torch.searchsorted(self.sums, torch.rand(size, dtype=torch.float64, device=DEVICE))
        place = place.clamp(max=len(self.rows) - 1)
        rows, seen = self.rows[place], views()
        return rows, torch.where(self.styled[place], seen.styled[rows], seen.caption[rows])

    @functools.cached_property
    def sums(self) -> torch.Tensor:
        """Odds added up: float64 [n]."""
        return self.weight.cumsum(0)

    def beside(self, other: Odds, share: float) -> Odds:
        """These views and others, which get a share of the odds."""
        return Odds(
            torch.cat([self.rows, other.rows]),
            torch.cat([self.weight * (1 - share), other.weight * share]),
            torch.cat([self.styled, other.styled]),
        )


def odds(kinds: dict[str, float], styles: dict[int, float], things: np.ndarray | None = None, *, styled: bool) -> Odds:
    """Odds of views by kind and style, equal within.

    Args:
        kinds: odds of each kind of caption.
        styles: odds of each style by its number.
        things: numbers of names that may be shown, both of two; all if None.
        styled: whether captions say the style.
    """
    seen = views()
    weight = torch.zeros(len(seen.kind), dtype=torch.float64, device=DEVICE)
    allowed = torch.ones_like(weight, dtype=torch.bool)
    if things is not None:
        known = torch.from_numpy(things).to(DEVICE)
        allowed = torch.isin(seen.thing, known) & torch.isin(seen.other_thing, known)
    for kind, share in kinds.items():
        for style, part in styles.items():
            which = (seen.kind == KINDS.index(kind)) & (seen.style == style) & allowed
            weight[which] = share * part / max(int(which.sum()), 1)
    rows = weight.nonzero()[:, 0]
    chosen = weight[rows] / weight.sum()
    return Odds(rows, chosen, torch.full_like(rows, styled, dtype=torch.bool))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    views()
