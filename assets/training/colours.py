"""Colours of pictures in words of both languages, and the exchanges of channels that give a picture another one."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import matplotlib.colors
import numpy as np


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
COLOUR_PHRASES = (*dict.fromkeys(Phrase(en, ja) for _, en, ja in COLOURS), BROWN)
COLOUR_NUMBERS = {phrase.en: number for number, phrase in enumerate(COLOUR_PHRASES)}
BROWN_NUMBER = COLOUR_NUMBERS[BROWN.en]
EXCHANGES = tuple(itertools.permutations(range(3)))


def colour(picture: np.ndarray) -> Phrase | None:
    """The colour of uint8 [64, 64, 3] where one hue holds three quarters of all that is coloured, else None."""
    pixels = picture.reshape(-1, 3)[::3] / 255.0
    drawn = pixels[pixels.min(1) < 0.9]
    spread = drawn.max(1) - drawn.min(1)
    strong = drawn[(spread > 0.3) & (drawn.max(1) > 0.35)]
    if len(strong) < max(0.35 * len(drawn), 40):
        return None
    hue, saturation, value = matplotlib.colors.rgb_to_hsv(strong).T
    band = np.searchsorted([top for top, _, _ in COLOURS], hue * 360)
    words = np.array([COLOUR_NUMBERS[en] for _, en, _ in COLOURS])[band.clip(max=len(COLOURS) - 1)]
    dull = ((value < 0.75) | (saturation < 0.5)) & np.isin(words, [COLOUR_NUMBERS["orange"], COLOUR_NUMBERS["red"]])
    counts = np.bincount(np.where(dull, BROWN_NUMBER, words))
    return COLOUR_PHRASES[int(counts.argmax())] if counts.max() >= 0.75 * len(strong) else None


def tints(picture: np.ndarray) -> list[tuple[Phrase, int]]:
    """Every colour that an exchange of channels gives a picture of one colour, with a number of `EXCHANGES`."""
    found: dict[Phrase, int] = {}
    if colour(picture):
        for number, exchange in enumerate(EXCHANGES):
            if tint := colour(picture[:, :, exchange]):
                found.setdefault(tint, number)
    return list(found.items())
