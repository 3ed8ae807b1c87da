"""Crossover: split point, mixing ratio and SLERP turn two recipes into one, without touching a weight.

SLERP of two vectors is `a*x + b*y` with scalars that depend only on the ratio and the angle, so the child of two
weighted sums of the sources is a weighted sum of the sources again (M2N2, arXiv 2508.16204, Eq. 2; angle as in the
reference code: one per chromosome, of the whole vectors, which are not normalised).

A mix, for people who look for the place between two models, neither cuts nor turns: it lies on the straight line from
one to the other, and takes no inner products.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipelines.architectures.keys import Layout
from pipelines.errors import Phrase, RecipeError

from .chromosome import Chromosome, Segment
from .lineage import Lineage
from .recipe import Recipe

if TYPE_CHECKING:  # what a crossover may be asked for is known without torch
    from .gram import Gram

AngleScope = Literal["chromosome", "tensor", "genome"]


@dataclass(frozen=True)
class CrossoverParameters:
    """The split points and mixing ratios by which one chromosome of two parents is crossed.

    Attributes:
        split_points: in elements, rising.
        ratios: the mixing ratio of each stretch between them, 0..1; one more than there are split points.
    """

    split_points: tuple[int, ...]
    ratios: tuple[float, ...]

    @classmethod
    def mirrored(cls, split_points: Sequence[int], mixing_ratio: float) -> CrossoverParameters:
        """Alternate between two ratios: w up to the first split point, 1 - w after it (M2N2, Eq. 2), then w again.

        Args:
            split_points: in elements, rising; the paper has one.
            mixing_ratio: w, 0..1.
        """
        both = (mixing_ratio, 1.0 - mixing_ratio)
        return cls(tuple(split_points), tuple(both[k % 2] for k in range(len(split_points) + 1)))

    @property
    def is_single(self) -> bool:
        """Whether there is one split point, and its first ratio says what the second one is."""
        return len(self.split_points) == 1 and self.ratios[1] == 1.0 - self.ratios[0]


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


def chromosome_cosine(mother: Chromosome, father: Chromosome, gram: Gram, start: int, stop: int) -> float:
    """Return the cosine of the angle between two descendants over elements `start` to `stop` of a chromosome.

    It is 1.0 where one of them is all zero and has no angle, so that SLERP is linear there.

    Args:
        mother: weights of the sources in one descendant.
        father: weights of the sources in the other.
        gram: inner products of the sources over this chromosome.
        start: the first element.
        stop: the exclusive end.
    """
    return _cosine(_inner_products(mother, father, gram, start, stop))


def genome_cosine(mother: Recipe, father: Recipe, grams: Mapping[str, Gram]) -> float:
    """Return the cosine of the angle between two descendants, over all chromosomes in `grams` together."""
    return _cosine(
        np.sum(
            [
                _inner_products(mine, father.chromosomes[name], grams[name], 0, mine.size)
                for name, mine in mother.chromosomes.items()
                if name in grams
            ],
            axis=0,
        )
    )


def _inner_products(mother: Chromosome, father: Chromosome, gram: Gram, start: int, stop: int) -> np.ndarray:
    """Return the inner products over a stretch: float64 [mother x father, mother x mother, father x father]."""
    spans = list(_aligned_spans(mother, father, start, stop))
    weights = np.array([[mine, theirs] for _, _, mine, theirs in spans]).reshape(len(spans), 2, -1)
    some = weights.any(axis=(0, 1))  # who has no weight has no say in how a sum is rounded either
    among, inner = np.ix_(some, some), np.zeros(3)
    for (begin, end, _, _), (a, b) in zip(spans, weights[:, :, some], strict=True):
        products = gram.between(begin, end)[among]
        inner += [a @ products @ b, a @ products @ a, b @ products @ b]
    return inner


def _cosine(inner: np.ndarray) -> float:
    """Return the cosine that the three inner products of `_inner_products` give."""
    norms = math.sqrt(max(inner[1], 0.0)) * math.sqrt(max(inner[2], 0.0))
    return float(inner[0] / norms) if norms > 0 else 1.0


def cross_chromosomes(
    mother: Chromosome,
    father: Chromosome,
    parameters: CrossoverParameters,
    *,
    gram: Gram,
    layout: Layout,
    angle: Literal["chromosome", "tensor"] | float = "chromosome",
) -> Chromosome:
    """Cross one chromosome of two parents.

    Args:
        mother: weights that ratio 0 keeps.
        father: weights that ratio 1 keeps.
        parameters: split points s, 0 <= s <= size, and a mixing ratio before, between and after them.
        gram: inner products of the sources over this chromosome.
        layout: where its tensors begin; used by `angle="tensor"`.
        angle: one angle for the whole chromosome, one for each tensor, or the cosine of an angle that was worked out
            elsewhere.

    Returns:
        The child's chromosome, over the same elements.
    """
    size, segments = mother.size, []
    stretches = [(layout.start(i), int(s)) for i, s in enumerate(layout.stops)] if angle == "tensor" else [(0, size)]
    for start, stop in stretches:
        similarity = angle if isinstance(angle, float) else chromosome_cosine(mother, father, gram, start, stop)
        cuts = [min(max(split, start), stop) for split in (start, *parameters.split_points, stop)]
        for (begin, end), ratio in zip(itertools.pairwise(cuts), parameters.ratios, strict=True):
            a, b = slerp_coefficients(ratio, similarity)
            for _, span_end, mine, theirs in _aligned_spans(mother, father, begin, end):
                weights = tuple(a * x + b * y for x, y in zip(mine, theirs, strict=True))
                segments.append(Segment(stop=span_end, weights=weights))
    return mother.model_copy(update={"segments": merge_equal_neighbours(segments)})


def cross_recipes(
    mother: Recipe,
    father: Recipe,
    parameters: Mapping[str, CrossoverParameters],
    *,
    grams: Mapping[str, Gram],
    layouts: Mapping[str, Layout],
    lineage: Lineage | None = None,
    angle: AngleScope | Mapping[str, float] = "chromosome",
) -> Recipe:
    """Cross two recipes over the same sources and host.

    Args:
        mother: weights that ratio 0 keeps; the child has what is not crossed from it.
        father: weights that ratio 1 keeps.
        parameters: split points and mixing ratios by chromosome; one that is left out is the mother's.
        grams: inner products of the sources by chromosome.
        layouts: where the tensors of each chromosome begin.
        lineage: what the child says of its origin.
        angle: one angle for each chromosome, for each tensor, or for the whole genome; or cosines by chromosome that
            were worked out elsewhere.

    Returns:
        The child, without a name.
    """
    angles: Mapping[str, Literal["chromosome", "tensor"] | float]
    if isinstance(angle, str):
        one = genome_cosine(mother, father, grams) if angle == "genome" else angle
        angles = dict.fromkeys(parameters, one)
    else:
        angles = angle
    crossed = {
        name: cross_chromosomes(
            mother.chromosomes[name],
            father.chromosomes[name],
            parameters[name],
            gram=grams[name],
            layout=layouts[name],
            angle=angles[name],
        )
        for name in parameters
    }
    chromosomes = {**mother.chromosomes, **crossed}
    return mother.model_copy(update={"name": "", "chromosomes": chromosomes, "lineage": lineage})


def mix_recipes(first: Recipe, second: Recipe, ratios: Mapping[str, float], *, name: str = "") -> Recipe:
    """Mix two recipes over the same sources and host.

    Args:
        first: what ratio 0 keeps; it is the mother of the mix.
        second: what ratio 1 keeps; it is the father.
        ratios: by chromosome, 0..1, one for each that the recipes have.
        name: what to call the mix.

    Returns:
        A recipe whose weights are `(1 - ratio) * first + ratio * second`, chromosome by chromosome. What a person
        stated of the licences of either does not hold for it.

    Raises:
        RecipeError: they name other sources, another host or other chromosomes.
    """
    if problem := _difference(first, second):
        raise RecipeError(
            "{first} and {second} cannot be mixed: {problem}. Expected two models of one run.",
            first=first.name or Phrase("One recipe"),
            second=second.name or Phrase("another"),
            problem=problem,
        )
    chromosomes = {
        part: _mixed(mine, second.chromosomes[part], ratios[part]) for part, mine in first.chromosomes.items()
    }
    lineage = Lineage(mother=first.name, father=second.name, ratios=dict(ratios))
    return first.model_copy(
        update={"name": name, "chromosomes": chromosomes, "lineage": lineage, "licence_statement": None}
    )


def _mixed(first: Chromosome, second: Chromosome, ratio: float) -> Chromosome:
    segments = [
        Segment(stop=stop, weights=tuple((1.0 - ratio) * x + ratio * y for x, y in zip(mine, theirs, strict=True)))
        for _, stop, mine, theirs in _aligned_spans(first, second, 0, first.size)
    ]
    return first.model_copy(update={"segments": merge_equal_neighbours(segments)})


def _difference(first: Recipe, second: Recipe) -> Phrase | None:
    """Say what keeps two recipes from being mixed; `None` where nothing does."""
    sources, others = ([(one.name, one.sha256) for one in recipe.sources] for recipe in (first, second))
    if sources != others:
        return Phrase("their sources differ")
    if first.host != second.host:
        return Phrase("they take what is not merged from different sources")
    shapes, other_shapes = (
        (recipe.patterns, {part: (one.size, one.layout) for part, one in recipe.chromosomes.items()})
        for recipe in (first, second)
    )
    return Phrase("they merge other parts") if shapes != other_shapes else None


def _aligned_spans(
    mother: Chromosome, father: Chromosome, start: int, stop: int
) -> Iterator[tuple[int, int, tuple[float, ...], tuple[float, ...]]]:
    """Yield stretches over which both parents' weights are constant: (start, stop, mother's, father's)."""
    if start >= stop:
        return
    mothers, fathers = mother.spans_within(start, stop), father.spans_within(start, stop)
    mine, theirs = next(mothers), next(fathers)
    while True:
        end = min(mine.stop, theirs.stop)
        yield start, end, mine.weights, theirs.weights
        if end == stop:
            return
        start = end
        mine = next(mothers) if mine.stop == end else mine
        theirs = next(fathers) if theirs.stop == end else theirs


def merge_equal_neighbours(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Join neighbouring segments that have equal weights."""
    merged: list[Segment] = []
    for segment in segments:
        if merged and merged[-1].weights == segment.weights:
            merged.pop()
        merged.append(segment)
    return tuple(merged)
