"""A taste learned from votes: by hand in one dimension, found again in many, and honest where there is none."""

import math

import numpy as np
import pytest

from eval.errors import MetricError
from eval.preferences.preference_model import cross_validated_agreement, fit_preference


def voters(n, d, *, seed=0, sharp=8.0):
    """Features of two pictures per vote, and the answers of somebody with a taste of length `sharp` (0: at random)."""
    rng = np.random.default_rng(seed)
    first, second = (rng.normal(size=(n, d)) / math.sqrt(d) for _ in range(2))
    wanted = sharp * rng.normal(size=d) / math.sqrt(d)
    chance = 1 / (1 + np.exp(-(first - second) @ wanted))
    return first, second, (rng.random(n) < chance).astype(float), wanted


def test_one_dimension_by_hand():
    """Three wins and a loss by a difference of 1: the slope 3 (1 - s(w)) - s(w) - w of the log-posterior is 0."""
    found = fit_preference([[1.0]] * 4, [[0.0]] * 4, [1, 1, 1, 0])
    weight = float(found.weights[0])
    assert 3 - 4 / (1 + math.exp(-weight)) - weight == pytest.approx(0, abs=1e-5)
    assert found.centre.tolist() == [0.5]
    assert found.win_probability([[0.5], [1.5]]) == pytest.approx([0.5, 1 / (1 + math.exp(-weight))])


def test_a_taste_does_not_know_left_from_right():
    first, second, won, _ = voters(30, 6)
    one, other = fit_preference(first, second, won), fit_preference(second, first, 1 - won)
    assert other.weights == pytest.approx(one.weights, abs=1e-6)
    always_left = fit_preference(first, second, np.ones(30))
    assert np.isfinite(always_left.weights).all()


def test_ties_alone_teach_nothing():
    first, second, _, _ = voters(30, 6)
    found = fit_preference(first, second, np.full(30, 0.5))
    assert found.weights == pytest.approx(np.zeros(6), abs=1e-6)
    assert found.win_probability(first) == pytest.approx(np.full(30, 0.5), abs=1e-6)


def test_a_clear_taste_is_found_and_foresees_votes_it_has_not_seen():
    first, second, won, wanted = voters(300, 8, sharp=12.0)
    found = fit_preference(first, second, won)
    assert np.corrcoef(found.weights, wanted)[0, 1] > 0.9
    share = cross_validated_agreement(first, second, won, np.arange(300) % 30)
    assert share.low > 0.7
    assert share.of == 300


def test_no_taste_foresees_no_better_than_chance():
    first, second, won, _ = voters(200, 8, sharp=0.0)
    share = cross_validated_agreement(first, second, won, np.arange(200) % 20)
    assert share.low < 0.5 < share.high


def test_one_caption_alone_says_nothing_about_others():
    first, second, won, _ = voters(10, 3)
    assert cross_validated_agreement(first, second, won, ["cat"] * 10) is None


def test_what_does_not_fit_is_refused():
    first, second, won, _ = voters(10, 3)
    with pytest.raises(MetricError, match="different pictures"):
        fit_preference(first, first, won)
    with pytest.raises(MetricError, match=r"n outcomes, found \(10, 3\), \(9, 3\) and \(10,\)"):
        fit_preference(first, second[:9], won)
    with pytest.raises(MetricError, match="0, 0.5 or 1"):
        fit_preference(first, second, won * 2)
