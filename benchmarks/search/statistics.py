"""Intervals and tests for a table of seeds and prompts: both are samples of what the claim is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from eval.metrics import Estimate

LEVEL = 0.95


@dataclass(frozen=True)
class Tested(Estimate):
    """A mean with its interval, and the two-sided p-value of its being zero."""

    p: float


def interval(estimate: Estimate, sign: str = "") -> str:
    """A mean with its interval in words; `sign` is "+" for a difference."""
    return f"{estimate.mean:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def crossed(values: ArrayLike) -> Tested:
    """The mean over seeds and prompts, with an interval for other seeds and other prompts of the same kind.

    Seeds and prompts are random and crossed, as readers and cases are where several readers judge the same cases. With
    the mean squares of the two-way table, of seeds `a`, prompts `b` and the rest `c`, the variance of the mean is (a +
    max(b - c, 0)) / (seeds * prompts), with (a + max(b - c, 0))^2 / (a^2 / (seeds - 1)) degrees of freedom of Student's
    t (Hillis, Statistics in Medicine 26, 2007). Few seeds make few degrees of freedom, and so a wide interval, where a
    bootstrap of few seeds is too narrow. Of one seed it is the usual interval over prompts and knows nothing of seeds.

    Args:
        values: [seeds, prompts], at least two prompts.
    """
    values = np.asarray(values, dtype=np.float64)
    seeds, prompts = values.shape
    mean = float(values.mean())
    by_seed, by_prompt = values.mean(axis=1), values.mean(axis=0)
    b = seeds * by_prompt.var(ddof=1)
    if seeds == 1:
        variance, freedom = b / prompts, float(prompts - 1)
    else:
        a = prompts * by_seed.var(ddof=1)
        rest = values - by_seed[:, np.newaxis] - by_prompt + mean
        c = float((rest**2).sum()) / ((seeds - 1) * (prompts - 1))
        spread = a + max(b - c, 0.0)
        variance = spread / (seeds * prompts)
        freedom = spread**2 / a**2 * (seeds - 1) if a > 0 else np.inf
    error = float(np.sqrt(variance))
    half = float(student.ppf((1 + LEVEL) / 2, freedom)) * error
    p = 2 * float(student.sf(abs(mean) / error, freedom)) if error > 0 else float(mean == 0)
    return Tested(mean=mean, low=mean - half, high=mean + half, p=p)


def over_seeds(values: ArrayLike) -> Tested:
    """The mean over seeds, with Student's interval for other seeds.

    Args:
        values: [seeds], at least two.
    """
    values = np.asarray(values, dtype=np.float64)
    mean, freedom = float(values.mean()), len(values) - 1
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(student.ppf((1 + LEVEL) / 2, freedom)) * error
    p = 2 * float(student.sf(abs(mean) / error, freedom)) if error > 0 else float(mean == 0)
    return Tested(mean=mean, low=mean - half, high=mean + half, p=p)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for how many there are (Holm, Scandinavian Journal of Statistics 6, 1979).

    Whoever calls those below 5 % different is wrong about any of them in 5 % of such tables at most.
    """
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * steps), 1.0)
    return adjusted.tolist()
