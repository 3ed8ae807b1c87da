"""How bright, colourful and contrasting pictures are, and how far an individual's have drifted from its sources'."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal, get_args

import numpy as np
from PIL import Image

from pipelines.errors import PictureError
from pipelines.storage.pictures import read_picture
from studio.i18n import Lang, t
from studio.png_metadata import picture_seed
from studio.runs.individual import Individual
from studio.runs.store import RunStore

from .source_shares import source_shares

ColourMeasure = Literal["brightness", "saturation", "contrast"]
MEASURES: tuple[ColourMeasure, ...] = get_args(ColourMeasure)
MOST_PICTURES = 24  # of each model: means over them stand still, and a page does not wait for hundreds


@dataclass(frozen=True)
class Colours:
    """What pictures look like, each measure from 0 to 1.

    Attributes:
        brightness: the mean of the luma, as ITU-R BT.601 weighs red, green and blue.
        saturation: the mean over pixels of (largest - smallest) / largest of the three, as in HSV; black has none.
        contrast: the standard deviation of the luma (RMS contrast).
    """

    brightness: float
    saturation: float
    contrast: float


@dataclass(frozen=True)
class ColourDrift:
    """The colours of a model's pictures beside those of others, drawn for the same prompts with the same seeds.

    Attributes:
        own: the means over its pictures.
        others: those of each other model, by name.
        pictures: over how many pictures of each.
    """

    own: Colours
    others: Mapping[str, Colours]
    pictures: int

    def change(self, measure: ColourMeasure) -> float:
        """Return how far a measure is from the mean of the others'."""
        return float(getattr(self.own, measure) - fmean(getattr(other, measure) for other in self.others.values()))

    @property
    def outside(self) -> tuple[ColourMeasure, ...]:
        """The measures that are below or above those of every other model."""
        return tuple(
            measure
            for measure in MEASURES
            if not min(values := [getattr(other, measure) for other in self.others.values()])
            <= getattr(self.own, measure)
            <= max(values)
        )

    def sentences(self, lang: Lang) -> list[str]:
        """Say the measures and their changes, and which are outside of what the others have."""
        measured = {measure: f"{getattr(self.own, measure):.2f}" for measure in MEASURES}
        changes = {f"{measure}_change": f"{self.change(measure):+z.2f}" for measure in MEASURES}
        names = t(lang, "colours_and").join(self.others)
        said = [t(lang, "colours_are", **measured, **changes, others=names, n=self.pictures)]
        if self.outside:
            measures = t(lang, "colours_and").join(t(lang, f"colour_{measure}") for measure in self.outside)
            said.append(t(lang, "colours_outside", measures=measures))
        return said

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        changes = {measure: self.change(measure) for measure in MEASURES}
        return {**vars(self.own), "change": changes, "outside": list(self.outside), "pictures": self.pictures}


def picture_colours(picture: Image.Image) -> Colours:
    """Measure one picture."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float64) / 255  # [height, width, 3]
    luma = pixels @ np.array([0.299, 0.587, 0.114])
    largest, smallest = pixels.max(axis=-1), pixels.min(axis=-1)
    saturation = np.divide(largest - smallest, largest, out=np.zeros_like(largest), where=largest > 0)
    return Colours(float(luma.mean()), float(saturation.mean()), float(luma.std()))


def offspring_drift(store: RunStore, individual: Individual) -> ColourDrift | None:
    """Measure an offspring's pictures beside those of the sources whose weights are in it.

    Returns:
        `None` for a source, and where no picture was kept of the same prompts and seeds.
    """
    shares = source_shares(individual.recipe)
    sources = [source for source in store.sources() if shares.get(source.id)]
    return None if individual.is_source else colour_drift(store, individual, sources)


def colour_drift(store: RunStore, individual: Individual, others: Sequence[Individual]) -> ColourDrift | None:
    """Measure an individual's pictures beside those of others in its run.

    Args:
        store: the run.
        individual: whose pictures.
        others: whom to compare with; those of whom no pictures were kept are left out.

    Returns:
        The means over the pictures that all of them drew for the same prompt with the same seed, at most
        `MOST_PICTURES`; `None` where there are none.
    """
    own = _pictures(store, individual)
    beside = {other.id: pictures for other in others if (pictures := _pictures(store, other))}
    shared = sorted(own.keys() & set.intersection(*map(set, beside.values()))) if beside else []
    step = max(1, -(-len(shared) // MOST_PICTURES))
    drawn = [[own[name], *(each[name] for each in beside.values())] for name in shared[::step]]
    measured = [[_measured(file, file.stat().st_mtime_ns) for file in files] for files in drawn if _same_seed(files)]
    rows = [[colours for colours in row if colours] for row in measured if None not in row]
    if not rows:
        return None
    own_mean, *others_means = (_mean(column) for column in zip(*rows, strict=True))
    return ColourDrift(own_mean, dict(zip(beside, others_means, strict=True)), len(rows))


def _pictures(store: RunStore, individual: Individual) -> dict[str, Path]:
    """Return the pictures kept of an individual by their names, which say prompt, language and number of the noise."""
    return {file.name: file for file in store.images(individual.id)}


def _same_seed(files: Sequence[Path]) -> bool:
    """Whether pictures were drawn from one seed: noise may have been rotated between them."""
    return len({picture_seed(file) for file in files}) == 1


def _mean(measured: Sequence[Colours]) -> Colours:
    return Colours(*(fmean(getattr(one, measure) for one in measured) for measure in MEASURES))


@functools.lru_cache(maxsize=4096)
def _measured(file: Path, _changed: int) -> Colours | None:
    """Measure a picture's file, which stays in memory until it changes; `None` where it is damaged."""
    try:
        return picture_colours(read_picture(file))
    except PictureError:
        return None
