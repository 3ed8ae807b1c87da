"""The numbers of a report: similarity, cross-lingual consistency, averages with intervals. Numpy in, numpy out.

Every interval resamples prompts, because prompts are what a claim generalises over: a value per prompt is first
averaged over its noise seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import MetricError

_BLOCK = 500  # resamples drawn at a time: bounds memory for long prompt sets


@dataclass(frozen=True)
class Estimate:
    """A mean over prompts, and the lower and upper end of its interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of zero."""
        return self.low > 0 or self.high < 0


def similarity(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return the cosine of each row of `a` with the same row of `b`, negative ones counted as 0.

    Args:
        a: features [n, d], of any length above zero.
        b: features [n, d].

    Returns:
        float64 [n], in 0..1.

    Raises:
        MetricError: the shapes differ, or a row is zero, NaN or infinite.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape:
        raise MetricError(
            "expected two feature arrays of one shape [n, d], found {first} and {second}", first=a.shape, second=b.shape
        )
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        row = int(np.argmin(np.isfinite(lengths) & (lengths > 0)))
        raise MetricError("expected finite features that are not all zero, found otherwise in row {row}", row=row)
    cosines = (a * b).sum(axis=1) / lengths
    return np.clip(cosines, 0.0, 1.0)


def cross_lingual_consistency(ja_features: ArrayLike, en_features: ArrayLike) -> NDArray[np.float64]:
    """Measure how alike the pictures of a Japanese caption and of its English twin are (M2N2, Table 3).

    Args:
        ja_features: image features [n, d] of the pictures from Japanese captions, one row per prompt and noise.
        en_features: image features [n, d] of their twins, from the same noise and in the same order.

    Returns:
        float64 [n], cosines clipped to 0..1.

    Raises:
        MetricError: as `similarity`.
    """
    return similarity(ja_features, en_features)


def bootstrap_mean(values: ArrayLike, *, resamples: int = 10_000, level: float = 0.95, seed: int = 0) -> Estimate:
    """Return the mean over prompts with a percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Args:
        values: [n], one number per prompt.
        resamples: how many samples of n prompts are drawn with replacement.
        level: coverage of the interval.
        seed: of the resampling; equal input and seed give equal numbers.

    Raises:
        MetricError: `values` is empty, not one-dimensional, or not finite.
    """
    values = _one_per_prompt("values", values)
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for start in range(0, resamples, _BLOCK):
        block = means[start : start + _BLOCK]
        block[:] = values[rng.integers(len(values), size=(len(block), len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(mean=float(values.mean()), low=float(low), high=float(high))


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, *, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> Estimate:
    """Return the mean of `a - b` over the same prompts, with its bootstrap interval.

    Pairing removes what prompts have in common (some are hard for everyone), so much smaller differences show.

    Args:
        a: [n], one number per prompt.
        b: [n], in the same order.
        resamples: as in `bootstrap_mean`, like the rest.
        level: coverage of the interval.
        seed: of the resampling.

    Raises:
        MetricError: as `bootstrap_mean`, or the lengths differ.
    """
    a, b = _one_per_prompt("a", a), _one_per_prompt("b", b)
    if len(a) != len(b):
        raise MetricError(
            "expected one value per prompt on both sides, found {first} and {second}", first=len(a), second=len(b)
        )
    return bootstrap_mean(a - b, resamples=resamples, level=level, seed=seed)


def mean_by_category(values: ArrayLike, categories: Sequence[str]) -> dict[str, float]:
    """Return the mean per category, in the order in which categories first appear.

    Args:
        values: [n], one number per prompt.
        categories: n names.

    Raises:
        MetricError: as `bootstrap_mean`, or the lengths differ.
    """
    values = _one_per_prompt("values", values)
    if len(values) != len(categories):
        raise MetricError(
            "expected one category per value, found {categories} for {values} values",
            categories=len(categories),
            values=len(values),
        )
    names = np.asarray(categories)
    return {name: float(values[names == name].mean()) for name in dict.fromkeys(categories)}


def _one_per_prompt(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return finite numbers, one per prompt, as float64 [n]; refuse others."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0:
        raise MetricError(
            "{name}: expected one number per prompt, at least one, found shape {shape}", name=name, shape=values.shape
        )
    if not np.isfinite(values).all():
        prompt = int(np.argmin(np.isfinite(values)))
        raise MetricError(
            "{name}: expected finite numbers, found {value} at prompt {prompt}",
            name=name,
            value=values[prompt],
            prompt=prompt,
        )
    return values
