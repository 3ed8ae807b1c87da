"""How far people agree with each other: Krippendorff's alpha.

Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section E: alpha is 1 less the disagreement that was
observed over that which chance would bring. It takes any number of raters, and questions that some of them left out.
The distance of two answers is the square of their difference, so that with 1, 0.5 and 0 for a win, a tie and a loss a
tie lies halfway between the others, as it does in a ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 500


@dataclass(frozen=True)
class RaterAgreement:
    """Krippendorff's alpha with its interval.

    Attributes:
        alpha: 1 where all agree, 0 where they agree as chance would have it, below where they contradict each other.
        low: the lower end of its interval.
        high: its upper end.
        questions: how many were answered by several raters.
    """

    alpha: float
    low: float
    high: float
    questions: int


def rater_agreement(answers: Sequence[Sequence[float]], *, level: float = 0.95, seed: int = 0) -> RaterAgreement | None:
    """Measure how far raters agree.

    Args:
        answers: to each question, one of each rater who answered it; questions that one alone answered do not count.
        level: coverage of the interval, percentiles of a bootstrap over questions.
        seed: of the resampling; equal input and seed give equal numbers.

    Returns:
        The agreement; `None` where no question was answered by two, or all answers to such are the same, for then
        chance would agree as well.
    """
    shared = [np.asarray(given, dtype=np.float64) for given in answers if len(given) > 1]
    if not shared:
        return None
    sizes = np.array([len(given) for given in shared], dtype=np.float64)
    sums = np.array([given.sum() for given in shared])
    squares = np.array([(given**2).sum() for given in shared])
    once = np.ones((1, len(shared)))
    alpha = float(_alphas(once, sizes, sums, squares)[0])
    if np.isnan(alpha):
        return None
    drawn = np.random.default_rng(seed).multinomial(
        len(shared), np.full(len(shared), 1 / len(shared)), size=RESAMPLES
    )  # [resamples, questions]
    spread = _alphas(drawn.astype(np.float64), sizes, sums, squares)
    low, high = np.nanquantile(np.append(spread, alpha), [(1 - level) / 2, (1 + level) / 2])
    return RaterAgreement(alpha, float(low), float(high), len(shared))


def _alphas(
    counts: NDArray[np.float64],
    sizes: NDArray[np.float64],
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return alpha, float64 [samples], of questions [samples, questions] that are counted so often; NaN as `None`.

    The squared differences of all ordered pairs among m values add up to 2 (m * sum of squares - square of the sum).
    """
    within = (sizes * squares - sums**2) / (sizes - 1)
    n, total, squared = counts @ sizes, counts @ sums, counts @ squares
    chance = n * squared - total**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(chance > 1e-12 * n, 1 - (n - 1) * (counts @ within) / chance, np.nan)
