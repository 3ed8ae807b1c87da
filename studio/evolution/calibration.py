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
        r2: out of sample, the share of what was unusual about them that was foreseen: 1 is all of it, 0 no more than to
            expect what is usual, and below 0 it is worse than that; None where nothing was unusual.
        coverage: the share of scores within the interval that was to hold `INTERVAL` of them.
    """

    individuals: int
    r2: float | None
    coverage: float


def calibration(mean: ArrayLike, deviation: ArrayLike, found: ArrayLike, usual: ArrayLike) -> Calibration:
    """Compare what was expected with what was found.

    The share is of what was unusual at the time, and not of what sets these individuals apart: those that are chosen
    are alike, and the better they are chosen, the less is left to tell them apart by.

    Args:
        mean: float64 [individuals, niches], expected.
        deviation: float64 [individuals, niches], one standard deviation of what was to be found.
        found: float64 [individuals, niches]; one individual at least.
        usual: float64 [individuals, niches], the mean of all that were scored before each.
    """
    scores, expected = np.asarray(found, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    missed = scores - expected
    unusual = float(((scores - np.asarray(usual, dtype=np.float64)) ** 2).sum())
    return Calibration(
        individuals=len(scores),
        r2=1.0 - float((missed**2).sum()) / unusual if unusual > NO_VARIANCE * scores.size else None,
        coverage=float((np.abs(missed) <= HALF_WIDTH * np.asarray(deviation)).mean()),
    )
