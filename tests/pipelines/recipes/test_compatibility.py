"""Angles and task vectors of sources that are small enough to draw on paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipelines.recipes.compatibility import source_angles, task_angles, task_distances, task_lengths


def products(*vectors):
    rows = np.array(vectors, dtype=np.float64)
    return rows @ rows.T


# A base of length 4 on the x-axis; one source went up by 3, one sideways by 4, one back the first one's way by 3.
BASE, UP, ASIDE, DOWN = (4, 0, 0), (4, 3, 0), (4, 0, 4), (4, -3, 0)


def test_angles_between_sources():
    found = source_angles(products((2, 0), (0, 5), (1, 1)))
    assert found == pytest.approx(np.array([[0, 90, 45], [90, 0, 45], [45, 45, 0]]))


def test_lengths_of_task_vectors_are_shares_of_the_base():
    assert task_lengths(products(BASE, UP, ASIDE, DOWN), 0) == pytest.approx([0, 0.75, 1, 0.75])


def test_task_vectors_that_add_up_are_at_right_angles_and_opposite_ones_at_180():
    found = task_angles(products(BASE, UP, ASIDE, DOWN), 0)
    assert np.isnan(found[0]).all()
    assert np.isnan(found[:, 0]).all()
    assert found[1:, 1:] == pytest.approx(np.array([[0, 90, 180], [90, 0, 90], [180, 90, 0]]))


def test_distances_between_task_vectors_are_those_between_the_sources():
    found = task_distances(products(BASE, UP, ASIDE, DOWN), 0)
    assert found[1, 2] == pytest.approx(5 / 4)  # the hypotenuse of 3 and 4, over the base's 4
    assert found[1, 3] == pytest.approx(6 / 4)
    assert found[0] == pytest.approx(task_lengths(products(BASE, UP, ASIDE, DOWN), 0))


def test_a_copy_of_the_base_has_no_task_vector_though_sums_are_rounded():
    noisy = products(BASE, BASE, UP) * (1 + np.array([[0, 1e-16, 0], [1e-16, 2e-16, 0], [0, 0, 0]]))
    assert task_lengths(noisy, 0).tolist()[:2] == [0, 0]
    assert np.isnan(task_angles(noisy, 0)[1]).all()


@given(arrays(np.float64, (4, 6), elements=st.floats(-4, 4)), st.integers(0, 3))
def test_the_same_as_from_the_vectors_themselves(vectors, base):
    vectors[:, 0] += 10.0  # none is zero
    tasks = vectors - vectors[base]
    scale = np.linalg.norm(vectors[base])
    assert task_lengths(vectors @ vectors.T, base) == pytest.approx(np.linalg.norm(tasks, axis=1) / scale, abs=1e-6)
    apart = np.linalg.norm(tasks[:, None] - tasks[None, :], axis=2) / scale
    assert task_distances(vectors @ vectors.T, base) == pytest.approx(apart, abs=1e-6)
