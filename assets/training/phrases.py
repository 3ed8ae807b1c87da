"""What a picture may be called: names, keywords, colours, and two things side by side, in both languages.

A model that has only ever seen names cannot tell what a caption of several words asks for. So half of the views come
with a phrase that says more or less than the name, with a picture that shows just that: "a red car" with a red car.
"""

from __future__ import annotations

import colorsys
import functools
import itertools
import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
from PIL import Image

from assets.training.data import Name, fetch, names, pictures
from assets.training.settings import LONGER_TOKENS, PICTURE_SIZE
from assets.training.tokenizer import tokenizer


@dataclass(frozen=True)
class Phrase:
    """One caption in both languages."""

    en: str
    ja: str


#: The highest hue of each colour in degrees, and its words; red closes the circle.
COLOURS = (
    (15, "red", "赤い"),
    (42, "orange", "オレンジ色の"),
    (68, "yellow", "黄色い"),
    (165, "green", "緑の"),
    (255, "blue", "青い"),
    (300, "purple", "紫の"),
    (342, "pink", "ピンクの"),
    (360, "red", "赤い"),
)
#: A dull orange or red.
BROWN = Phrase("brown", "茶色の")
#: A keyword that fits more names than this says too little.
KEYWORD_NAMES = 3
#: Side of each thing of a composition: the two overlap a little, corner on corner.
HALF = 40
COMPOSITIONS = 6000
EXCHANGES = tuple(itertools.permutations(range(3)))


def article(label: str) -> str:
    """A name with its article, as a person would ask for it: "an apple", "grapes"."""
    plural = label.endswith("s") and not label.endswith(("ss", "us"))
    return label if plural else f"{'an' if label[0].lower() in 'aeiou' else 'a'} {label}"


def colour(picture: np.ndarray) -> Phrase | None:
    """The colour of uint8 [64, 64, 3] where one hue holds three quarters of all that is coloured, else None."""
    pixels = picture.reshape(-1, 3)[::3] / 255.0
    drawn = pixels[pixels.min(1) < 0.9]
    strong = [colorsys.rgb_to_hsv(*pixel) for pixel in drawn if pixel.max() - pixel.min() > 0.3 and pixel.max() > 0.35]
    if len(strong) < max(0.35 * len(drawn), 40):
        return None
    words = Counter(_colour_words(*pixel) for pixel in strong)
    word, count = words.most_common(1)[0]
    return word if count >= 0.75 * len(strong) else None


def _colour_words(hue: float, saturation: float, value: float) -> Phrase:
    en, ja = next((en, ja) for top, en, ja in COLOURS if hue * 360 <= top)
    return BROWN if en in ("orange", "red") and (value < 0.75 or saturation < 0.5) else Phrase(en, ja)


def coloured(name: Name, tint: Phrase) -> Phrase:
    """A name with a colour before it."""
    return Phrase(article(f"{tint.en} {name.en}"), f"{tint.ja}{name.ja}")


@functools.cache
def keywords() -> tuple[tuple[Phrase, ...], ...]:
    """For every name the keywords of CLDR that fit it and at most two others, paired by rank; may be none."""
    folder = fetch() / "emojibase-data"
    tables = {}
    for tongue in ("en", "ja"):
        entries = json.loads((folder / tongue / "data.json").read_text(encoding="utf-8"))
        tags = {entry["hexcode"].lower(): entry.get("tags", []) for entry in entries}
        labels = {getattr(name, tongue) for name in names()}
        own = [[tag for tag in tags.get(name.hexcode, []) if tag not in labels] for name in names()]
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
    return all(
        len(tokenizer()(caption, verbose=False).input_ids) <= LONGER_TOKENS for caption in (phrase.en, phrase.ja)
    )


def side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two pictures uint8 [64, 64, 3] as one: the first above on the left, the second below on the right."""
    page = np.full((PICTURE_SIZE, PICTURE_SIZE, 3), 255, np.uint8)
    for picture, place in ((first, slice(0, HALF)), (second, slice(PICTURE_SIZE - HALF, PICTURE_SIZE))):
        small = np.asarray(Image.fromarray(picture).resize((HALF, HALF), Image.Resampling.LANCZOS))
        page[place, place] = np.minimum(page[place, place], small)
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
        phrase = Phrase(f"{article(one.en)} and {article(other.en)}", f"{one.ja}と{other.ja}")
        if fits(phrase):
            found[first, second] = phrase
    return tuple((first, second, phrase) for (first, second), phrase in found.items())


def composed() -> np.ndarray:
    """The pictures of all compositions, in the plain style: uint8 [compositions, 64, 64, 3]."""
    plain = pictures()[:, 0]
    return np.stack([side_by_side(plain[first], plain[second]) for first, second, _ in compositions()])
