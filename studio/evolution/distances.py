"""How far individuals are apart, by their scores alone: the mean absolute difference over niches."""

import numpy as np

from .niches import Floats


def score_distances(table: Floats, row: Floats) -> Floats:
    """Measure how far each individual is from another one: float64 [individuals].

    Args:
        table: raw scores, float64 [individuals, niches].
        row: of the other one, float64 [niches].
    """
    distances: Floats = np.abs(table - row).mean(axis=1)
    return distances


def mean_distance(table: Floats) -> float:
    """Measure how far two of them are apart, the mean over all pairs; 0 where there are fewer than two.

    Args:
        table: raw scores, float64 [individuals, niches].
    """
    pairs = [score_distances(table[place + 1 :], row) for place, row in enumerate(table[:-1])]
    return float(np.concatenate(pairs).mean()) if pairs else 0.0
