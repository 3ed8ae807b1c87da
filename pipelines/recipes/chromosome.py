"""A chromosome as a recipe writes it: stretches of its elements, with one weight per source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class FrozenModel(BaseModel):
    """A part of the recipe file that does not change and refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WeightedSpan(NamedTuple):
    """A run of elements that holds the same weight of each source: from `start` on, up to but not including `stop`."""

    start: int
    stop: int
    weights: tuple[float, ...]


class Segment(FrozenModel):
    """A stretch of a chromosome with one weight per source; it ends before element `stop`."""

    stop: Annotated[int, Field(gt=0)]
    weights: tuple[FiniteFloat, ...]


class Chromosome(FrozenModel):
    """A group of parameters flattened in canonical order: `size` elements, cut into segments."""

    size: Annotated[int, Field(gt=0)]
    layout: Sha256 | None = None
    segments: tuple[Segment, ...]

    @model_validator(mode="after")
    def _check_cover(self) -> Chromosome:
        stops = [segment.stop for segment in self.segments]
        if stops != sorted(set(stops)) or not stops or stops[-1] != self.size:
            raise ValueError(f"segment stops must rise and end at size {self.size}, found {stops}")
        return self

    def mean_weights(self) -> list[float]:
        """Return the mean weight of each source over all elements."""
        lengths = np.diff([segment.stop for segment in self.segments], prepend=0)
        means: list[float] = (lengths @ np.array([segment.weights for segment in self.segments]) / self.size).tolist()
        return means

    def spans_within(self, start: int, stop: int) -> Iterator[WeightedSpan]:
        """Yield the segments that overlap elements `start` to `stop`, cut to them, in rising order."""
        for segment in self.segments:
            if segment.stop > start:
                end = min(segment.stop, stop)
                yield WeightedSpan(start, end, segment.weights)
                if end == stop:
                    return
                start = end
