"""What a picture may be called: names, keywords, colours, and two things side by side, in both languages.

A model that has only ever seen names cannot tell what a caption of several words asks for. So half of the views come
with a phrase that says more or less than the name, with a picture that shows just that: "a red car" with a red car.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image

from assets.training.colours import Phrase
from assets.training.data import Name, names
from assets.training.settings import PICTURE_SIZE, TOKENS
from assets.training.tokenizer import tokenizer

#: A keyword that fits more names than this says too little.
KEYWORD_NAMES = 3
#: Side of each thing of a composition: the two overlap a little, corner on corner.
HALF = 40
COMPOSITIONS = 20_000


def article(label: str) -> str:
    """A name with its article, as a person would ask for it: "an apple", "grapes"."""
    plural = label.endswith("s") and not label.endswith(("ss", "us"))
    return label if plural else f"{'an' if label[0].lower() in 'aeiou' else 'a'} {label}"


def both(first: Name, second: Name) -> Phrase:
    """The caption that asks for two things."""
    return Phrase(f"{article(first.en)} and {article(second.en)}", f"{first.ja}と{second.ja}")


def coloured(name: Name, tint: Phrase) -> Phrase:
    """A name with a colour before it."""
    return Phrase(article(f"{tint.en} {name.en}"), f"{tint.ja}{name.ja}")


@functools.cache
def keywords() -> tuple[tuple[Phrase, ...], ...]:
    """For every name the keywords of CLDR that fit it and at most two others, paired by rank; may be none."""
    tables = {}
    for tongue in ("en", "ja"):
        labels = {getattr(name, tongue) for name in names()}
        own = [[tag for tag in getattr(name, f"keywords_{tongue}") if tag not in labels] for name in names()]
        often = Counter(itertools.chain.from_iterable(own))
        tables[tongue] = [[tag for tag in row if often[tag] <= KEYWORD_NAMES] for row in own]
    return tuple(
        tuple(Phrase(en[number % len(en)], ja[number % len(ja)]) for number in range(max(len(en), len(ja))))
        if en and ja
        else ()
        for en, ja in zip(tables["en"], tables["ja"], strict=True)
    )


def fits(phrase: Phrase) -> bool:
    """Whether both captions are whole within the token limit."""
    return all(len(tokenizer()(caption, verbose=False).input_ids) <= TOKENS for caption in (phrase.en, phrase.ja))


def half(picture: np.ndarray) -> np.ndarray:
    """A picture as it stands in a composition: uint8 [40, 40, 3]."""
    return np.asarray(Image.fromarray(picture).resize((HALF, HALF), Image.Resampling.LANCZOS))


def side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two pictures uint8 [64, 64, 3] as one: the first above on the left, the second below on the right."""
    page = np.full((PICTURE_SIZE, PICTURE_SIZE, 3), 255, np.uint8)
    for picture, place in ((first, slice(0, HALF)), (second, slice(PICTURE_SIZE - HALF, PICTURE_SIZE))):
        page[place, place] = np.minimum(page[place, place], half(picture))
    return page


@functools.cache
def compositions() -> tuple[tuple[int, int, Phrase], ...]:
    """Pairs of names with the caption that asks for both, each pair once in one order."""
    generator = np.random.default_rng(64)
    simple = [row for row, name in enumerate(names()) if len(name.en.split()) <= 2 and len(name.ja) <= 6]
    found: dict[tuple[int, int], Phrase] = {}
    while len(found) < COMPOSITIONS:
        first, second = (int(row) for row in generator.choice(simple, size=2, replace=False))
        one, other = names()[first], names()[second]
        phrase = both(one, other)
        if fits(phrase):
            found[first, second] = phrase
    return tuple((first, second, phrase) for (first, second), phrase in found.items())


def other_second(first: int, number: int) -> Phrase:
    """The caption of a composition with the second thing of another one."""
    one, other = names()[first], names()[compositions()[(number + 1) % len(compositions())][1]]
    return both(one, other)


def held_out_pairs(count: int, things: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of names, by number, that are in no composition in either order, no name in two of them."""
    taken = {(first, second) for first, second, _ in compositions()}
    short = {first for first, _ in taken}
    pool = [thing for thing in things if thing in short]
    generator = np.random.default_rng(66)
    found: list[tuple[int, int]] = []
    while len(found) < count:
        first, second = (int(thing) for thing in generator.choice(pool, size=2, replace=False))
        if (first, second) not in taken and (second, first) not in taken:
            found.append((first, second))
            pool = [thing for thing in pool if thing not in (first, second)]
    return found
