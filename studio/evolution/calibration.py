"""How what was expected of individuals compares with what was found."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

INTERVAL = 0.8  # share of scores that the interval is to hold ...
HALF_WIDTH = 1.2815515655446004  # ... which is so many deviations to either side of a normal distribution's mean
NO_VARIANCE = 1e-18  # of a niche in which all score alike


@dataclass(frozen=True)
class Calibration:
    """How what was expected compares with what was found.

    Attributes:
        individuals: of how many.
        r2: the share of what sets them apart, niche by niche, that was foreseen: 1 is all, 0 no more than to know each
            niche's mean, and below 0 it is worse than that; None where nothing sets them apart.
        coverage: the share of scores within the interval that was to hold `INTERVAL` of them.
    """

    individuals: int
    r2: float | None
    coverage: float


def calibration(mean: ArrayLike, deviation: ArrayLike, found: ArrayLike) -> Calibration:
    """Compare what was expected with what was found.

    Args:
        mean: float64 [individuals, niches], expected.
        deviation: float64 [individuals, niches], one standard deviation of what was to be found.
        found: float64 [individuals, niches]; one individual at least.
    """
    scores, expected = np.asarray(found, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    missed = scores - expected
    apart = float(((scores - scores.mean(axis=0)) ** 2).sum())
    return Calibration(
        individuals=len(scores),
        r2=1.0 - float((missed**2).sum()) / apart if apart > NO_VARIANCE * scores.size else None,
        coverage=float((np.abs(missed) <= HALF_WIDTH * np.asarray(deviation)).mean()),
    )
