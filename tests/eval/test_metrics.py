"""Numbers that can be checked by hand, and intervals that keep their promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from eval.errors import MetricError
from eval.metrics import (
    Estimate,
    bootstrap_mean,
    cross_lingual_consistency,
    mean_by_category,
    paired_bootstrap,
    similarity,
)


def test_similarity_is_the_cosine_without_its_negative_half():
    a = [[1.0, 0.0], [3.0, 4.0], [2.0, 0.0], [1.0, 1.0], [0.0, 5.0]]
    b = [[1.0, 0.0], [4.0, 3.0], [-1.0, 0.0], [1.0, 0.0], [7.0, 0.0]]
    assert_allclose(similarity(a, b), [1.0, 24 / 25, 0.0, np.sqrt(0.5), 0.0], rtol=1e-15)


def test_similarity_never_leaves_its_range():
    features = np.random.default_rng(0).normal(size=(200, 7)).astype(np.float32)
    values = similarity(features, features)
    assert values.dtype == np.float64
    assert values.max() <= 1.0
    assert_allclose(values, 1.0, rtol=1e-12)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_features_without_a_direction_are_refused(bad):
    with pytest.raises(MetricError, match="finite features that are not all zero, found otherwise in row 1"):
        similarity([[1.0, 0.0], bad], [[1.0, 0.0], [1.0, 0.0]])


def test_features_of_different_shapes_are_refused():
    with pytest.raises(MetricError, match=r"found \(2, 3\) and \(2, 4\)"):
        similarity(np.ones((2, 3)), np.ones((2, 4)))


def test_consistency_pairs_twins():
    assert_allclose(cross_lingual_consistency([[1, 0], [0, 1]], [[1, 0], [1, 0]]), [1, 0])


def test_equal_values_leave_no_doubt():
    assert bootstrap_mean([0.25] * 10) == Estimate(mean=0.25, low=0.25, high=0.25)


def test_of_two_prompts_a_quarter_of_resamples_hold_one_twice():
    # means 0, 1/2, 1 with shares 1/4, 1/2, 1/4: the 2.5 % points are the ends, the 30 % points the middle
    assert bootstrap_mean([0.0, 1.0]) == Estimate(mean=0.5, low=0.0, high=1.0)
    assert bootstrap_mean([0.0, 1.0], level=0.4) == Estimate(mean=0.5, low=0.5, high=0.5)


def test_the_interval_is_near_the_normal_one():
    values = np.random.default_rng(5).normal(0.3, 0.1, size=400)
    half = 1.96 * values.std() / np.sqrt(400)
    estimate = bootstrap_mean(values)
    assert_allclose([estimate.low, estimate.high], [values.mean() - half, values.mean() + half], atol=0.1 * half)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(11)
    estimates = [bootstrap_mean(rng.normal(size=50), resamples=500, seed=i) for i in range(200)]
    assert 0.90 <= np.mean([e.low <= 0 <= e.high for e in estimates]) <= 0.98


def test_equal_seeds_give_equal_intervals():
    values = np.random.default_rng(0).random(30)
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
    assert bootstrap_mean(values, seed=3) != bootstrap_mean(values, seed=4)


def test_pairing_removes_what_prompts_have_in_common():
    rng = np.random.default_rng(2)
    difficulty = rng.normal(0.5, 0.2, size=60)
    a, b = difficulty + 0.02 + rng.normal(0, 0.01, size=60), difficulty
    paired = paired_bootstrap(a, b)
    assert paired.mean == pytest.approx((a - b).mean())
    assert paired.excludes_zero
    assert bootstrap_mean(a).low < bootstrap_mean(b).high  # each alone, their intervals overlap


def test_an_estimate_knows_whether_it_is_apart_from_zero():
    assert Estimate(-0.2, -0.3, -0.1).excludes_zero
    assert not Estimate(0.1, -0.1, 0.3).excludes_zero
    assert not paired_bootstrap([0.5, 0.6], [0.5, 0.6]).excludes_zero


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_interval_lies_within_the_values(values):
    estimate = bootstrap_mean(values, resamples=200)
    assert min(values) - 1e-12 <= estimate.low <= estimate.high <= max(values) + 1e-12


def test_means_per_category_keep_the_order_of_appearance():
    means = mean_by_category([0.1, 0.4, 0.3, 0.6], ["food", "animals", "food", "animals"])
    assert list(means) == ["food", "animals"]
    assert means == {"food": pytest.approx(0.2), "animals": pytest.approx(0.5)}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_mean([]), r"values: expected one number per prompt, at least one, found shape \(0,\)"),
        (lambda: bootstrap_mean([[0.1, 0.2]]), r"found shape \(1, 2\)"),
        (lambda: bootstrap_mean([0.1, np.nan]), "values: expected finite numbers, found nan at prompt 1"),
        (lambda: paired_bootstrap([0.1, 0.2], [0.1]), "one value per prompt on both sides, found 2 and 1"),
        (lambda: paired_bootstrap([0.1], [np.inf]), "b: expected finite numbers, found inf at prompt 0"),
        (lambda: mean_by_category([0.1], ["a", "b"]), "one category per value, found 2 for 1 values"),
    ],
)
def test_numbers_that_cannot_be_averaged_are_refused(call, message):
    with pytest.raises(MetricError, match=message):
        call()
