"""Crossover: split point, mixing ratio and SLERP turn two recipes into one, without touching a weight.

SLERP of two vectors is `a*x + b*y` with scalars that depend only on the ratio and the angle, so the child of two
weighted sums of the sources is a weighted sum of the sources again (M2N2, arXiv 2508.16204, Eq. 2; angle as in the
reference code: one per chromosome, of the whole vectors, which are not normalised).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.architectures.keys import Layout

from .gram import Gram
from .recipe import Chromosome, Lineage, Recipe, Segment

Angle = Literal["chromosome", "tensor", "genome"]


@dataclass(frozen=True)
class Genes:
    """What is drawn for one chromosome: split points in elements, rising, and the ratio of each stretch, 0..1.

    `mirrored` gives those of the paper; there is one ratio more than split points.
    """

    split_points: tuple[int, ...]
    ratios: tuple[float, ...]

    @classmethod
    def mirrored(cls, split_points: Sequence[int], mixing_ratio: float) -> Genes:
        """Ratio w up to the first split point, 1 - w after it (M2N2, Eq. 2), w again after a second one, and so on."""
        both = (mixing_ratio, 1.0 - mixing_ratio)
        return cls(tuple(split_points), tuple(both[k % 2] for k in range(len(split_points) + 1)))


def slerp_coefficients(ratio: float, cosine: float) -> tuple[float, float]:
    """Return the scalars (a, b) of SLERP `a*x + b*y`; linear where the vectors are so alike that sin(omega) <= 1e-6.

    Args:
        ratio: 0 gives x, 1 gives y.
        cosine: of the angle between x and y; clipped to -1..1.
    """
    omega = math.acos(min(1.0, max(-1.0, cosine)))
    sine = math.sin(omega)
    if sine <= 1e-6:
        return 1.0 - ratio, ratio
    return math.sin((1.0 - ratio) * omega) / sine, math.sin(ratio * omega) / sine


def cosine(mother: Chromosome, father: Chromosome, gram: Gram, start: int, stop: int) -> float:
    """Return the cosine of the angle between two descendants over elements `start` to `stop`.

    One of them all zero there has no angle; 1.0 then, so that SLERP is linear.
    """
    return _cosine(_inner(mother, father, gram, start, stop))


def genome_cosine(mother: Recipe, father: Recipe, grams: Mapping[str, Gram]) -> float:
    """Return the cosine of the angle between two descendants, over all chromosomes in `grams` together."""
    return _cosine(
        np.sum(
            [
                _inner(mine, father.chromosomes[name], grams[name], 0, mine.size)
                for name, mine in mother.chromosomes.items()
                if name in grams
            ],
            axis=0,
        )
    )


def _inner(mother: Chromosome, father: Chromosome, gram: Gram, start: int, stop: int) -> np.ndarray:
    """Return the inner products over a stretch: float64 [mother x father, mother x mother, father x father]."""
    inner = np.zeros(3)
    for begin, end, mine, theirs in _aligned(mother, father, start, stop):
        products = gram.between(begin, end)  # [K, K]
        a, b = np.array(mine), np.array(theirs)
        inner += [a @ products @ b, a @ products @ a, b @ products @ b]
    return inner


def _cosine(inner: np.ndarray) -> float:
    norms = math.sqrt(max(inner[1], 0.0)) * math.sqrt(max(inner[2], 0.0))
    return float(inner[0] / norms) if norms > 0 else 1.0


def cross_chromosomes(
    mother: Chromosome,
    father: Chromosome,
    genes: Genes,
    *,
    gram: Gram,
    layout: Layout,
    angle: Literal["chromosome", "tensor"] | float = "chromosome",
) -> Chromosome:
    """Cross one chromosome of two parents.

    Args:
        mother: weights that ratio 0 keeps.
        father: weights that ratio 1 keeps.
        genes: split points s, 0 <= s <= size, and a mixing ratio before, between and after them.
        gram: inner products of the sources over this chromosome.
        layout: where its tensors begin; used by `angle="tensor"`.
        angle: one angle for the whole chromosome, one for each tensor, or the cosine of an angle that was worked out
            elsewhere.
    """
    size, segments = mother.size, []
    stretches = [(layout.start(i), int(s)) for i, s in enumerate(layout.stops)] if angle == "tensor" else [(0, size)]
    for start, stop in stretches:
        similarity = angle if isinstance(angle, float) else cosine(mother, father, gram, start, stop)
        cuts = [min(max(split, start), stop) for split in (start, *genes.split_points, stop)]
        for (begin, end), ratio in zip(itertools.pairwise(cuts), genes.ratios, strict=True):
            a, b = slerp_coefficients(ratio, similarity)
            for _, piece_end, mine, theirs in _aligned(mother, father, begin, end):
                weights = tuple(a * x + b * y for x, y in zip(mine, theirs, strict=True))
                segments.append(Segment(stop=piece_end, weights=weights))
    return mother.model_copy(update={"segments": joined(segments)})


def cross(
    mother: Recipe,
    father: Recipe,
    genes: Mapping[str, Genes],
    *,
    grams: Mapping[str, Gram],
    layouts: Mapping[str, Layout],
    lineage: Lineage | None = None,
    angle: Angle = "chromosome",
) -> Recipe:
    """Return the child of two recipes over the same sources and host; `genes`, `grams` and `layouts` are by chromosome.

    A chromosome without genes is the mother's.
    `angle` is one for each chromosome, for each tensor, or for the whole genome.
    """
    chosen = genome_cosine(mother, father, grams) if angle == "genome" else angle
    crossed = {
        name: cross_chromosomes(
            mother.chromosomes[name],
            father.chromosomes[name],
            genes[name],
            gram=grams[name],
            layout=layouts[name],
            angle=chosen,
        )
        for name in genes
    }
    chromosomes = {**mother.chromosomes, **crossed}
    return mother.model_copy(update={"name": "", "chromosomes": chromosomes, "lineage": lineage})


def _aligned(
    mother: Chromosome, father: Chromosome, start: int, stop: int
) -> Iterator[tuple[int, int, tuple[float, ...], tuple[float, ...]]]:
    """Yield stretches over which both parents' weights are constant: (start, stop, mother's, father's)."""
    if start >= stop:
        return
    for begin, end, mine in mother.spans_within(start, stop):
        for piece_begin, piece_end, theirs in father.spans_within(begin, end):
            yield piece_begin, piece_end, mine, theirs


def joined(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Join neighbouring segments that have equal weights."""
    found: list[Segment] = []
    for segment in segments:
        if found and found[-1].weights == segment.weights:
            found.pop()
        found.append(segment)
    return tuple(found)
