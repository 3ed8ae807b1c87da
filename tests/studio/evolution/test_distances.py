"""Distances of scores, on tables that a reader can check by hand."""

import numpy as np
from numpy.testing import assert_allclose

from studio.evolution.distances import mean_distance, score_distances

TABLE = np.array([[0.5, 0.25], [0.25, 0.5], [0.75, 0.75]])


def test_a_distance_is_the_mean_difference_over_niches():
    assert_allclose(score_distances(TABLE, np.array([0.5, 0.5])), [0.125, 0.125, 0.25])


def test_the_mean_is_over_pairs():
    assert mean_distance(TABLE) == (0.25 + 0.375 + 0.375) / 3
    assert mean_distance(TABLE[:1]) == mean_distance(np.empty((0, 2))) == 0.0
