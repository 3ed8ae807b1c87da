"""Weights from inner products alone are those of the formulas on the vectors themselves."""

import numpy as np
import pytest

from pipelines.interchange.tensor_weights import karcher_weights, slerp_weights, stock_weights, task_weights


@pytest.fixture
def vectors():
    return np.random.default_rng(3).normal(size=(3, 50)) + np.linspace(0, 2, 50)


def test_slerp_is_the_arc_between_two_vectors(vectors):
    base, other = vectors[:2]
    angle = np.arccos(base @ other / np.linalg.norm(base) / np.linalg.norm(other))
    expected = (np.sin(0.7 * angle) * base + np.sin(0.3 * angle) * other) / np.sin(angle)
    for order, place in ((vectors[:2], 0), (vectors[1::-1], 1)):
        weights = slerp_weights(0.3, order @ order.T, place)
        np.testing.assert_allclose(weights @ order, expected, rtol=1e-12)


def test_slerp_of_nearly_alike_vectors_is_linear(vectors):
    close = np.stack([vectors[0], vectors[0] + 1e-3 * vectors[1]])
    np.testing.assert_allclose(slerp_weights(0.3, close @ close.T, 0), [0.7, 0.3])
    np.testing.assert_allclose(
        slerp_weights(0.3, np.zeros((2, 2)), 0), [np.sin(0.7 * np.pi / 2), np.sin(0.3 * np.pi / 2)]
    )


def test_the_karcher_mean_has_no_way_left_to_go(vectors):
    """At the mean of points on a sphere the logarithms to all of them add up to nothing."""
    mean = karcher_weights(vectors @ vectors.T, most_steps=50, tolerance=1e-12) @ vectors
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.linalg.norm(mean) == pytest.approx(lengths.mean())
    unit, total = mean / np.linalg.norm(mean), np.zeros(50)
    for vector in vectors / lengths[:, None]:
        angle = np.arccos(unit @ vector)
        total += angle / np.sin(angle) * (vector - (unit @ vector) * unit)
    assert np.linalg.norm(total) < 1e-10


def test_the_karcher_mean_of_two_lies_halfway(vectors):
    units = vectors[:2] / np.linalg.norm(vectors[:2], axis=1)[:, None]
    mean = karcher_weights(units @ units.T) @ units
    assert mean @ units[0] == pytest.approx(mean @ units[1])
    np.testing.assert_allclose(karcher_weights(np.zeros((2, 2))), [0, 0])


def test_task_arithmetic_takes_from_the_base_what_it_gives():
    np.testing.assert_allclose(task_weights(np.array([0.0, 0.5, 0.25]), 0), [0.25, 0.5, 0.25])
    np.testing.assert_allclose(
        task_weights(np.array([2.0, 0.0, 2.0]), 1, normalize=True, factor=0.5), [0.25, 0.5, 0.25]
    )


def test_model_stock_is_the_papers_ratio(vectors):
    base, one, two = vectors
    cosine = (one - base) @ (two - base) / np.linalg.norm(one - base) / np.linalg.norm(two - base)
    ratio = 2 * cosine / (1 + cosine)
    weights = stock_weights(vectors @ vectors.T, 0)
    np.testing.assert_allclose(weights @ vectors, ratio * (one + two) / 2 + (1 - ratio) * base, rtol=1e-10)
