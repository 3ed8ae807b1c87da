"""TIES and DARE by hand, and a dense merge as a source."""

import numpy as np
import pytest

from benchmarks.search.ties_dare import added, dare, task_vectors, ties, trim


def test_trimming_keeps_the_largest_of_either_sign():
    vector = np.array([4, -3, 1, 0.5], np.float32)
    assert trim(vector, 0.5).tolist() == [4, -3, 0, 0]
    assert trim(vector, 0.25).tolist() == [4, 0, 0, 0]
    assert trim(vector, 1.0).tolist() == vector.tolist()


def test_ties_by_hand():
    vectors = np.array([[4, -3, 1, 0.5], [-1, -5, 2, 0.1], [-2, 6, 0, 3]], np.float32)
    # trimmed to half: [4, -3, 0, 0], [0, -5, 2, 0], [0, 6, 0, 3]; signs of the sums [4, -2, 2, 3]: + - + +
    assert ties(vectors, density=0.5).tolist() == [4, (-3 - 5) / 2, 2, 3]
    opposed = np.array([[1, 2, 0, 0], [-1, 2, 0, 0]], np.float32)
    assert ties(opposed, density=0.5).tolist() == [0, 2, 0, 0]


def test_dare_by_hand():
    vectors = np.array([[1, 2, 3, 4], [10, 20, 30, 40]], np.float32)
    assert dare(vectors, np.random.default_rng(0), drop=0.0).tolist() == [11, 22, 33, 44]
    kept = np.random.default_rng(7).random((2, 4), dtype=np.float32) >= 0.5
    assert kept.any()
    assert not kept.all()
    assert dare(vectors, np.random.default_rng(7), drop=0.5).tolist() == (2 * vectors * kept).sum(axis=0).tolist()


def test_dares_expectation_is_the_plain_sum():
    rng, vectors = np.random.default_rng(0), np.array([[1, -2, 0, 4], [0, 1, 0, -1]], np.float32)
    mean = np.mean([dare(vectors, rng, drop=0.9) for _ in range(4000)], axis=0)
    assert mean == pytest.approx([1, -1, 0, 3], abs=0.6)  # standard error of the last: sqrt(17 * 9 / 4000) = 0.2


def test_a_dense_merge_opens_as_a_source_with_what_was_added(family, tmp_path):
    vectors = task_vectors(family, "base")  # ja, flat, real
    merged = added(family["base"], vectors[0], tmp_path / "sum")
    assert merged.name == "sum"
    for name, layout in merged.components["unet"].layouts.items():
        ja = family["ja"].components["unet"].read_flat(layout, 0, layout.size).numpy()
        found = merged.components["unet"].read_flat(layout, 0, layout.size).numpy()
        assert name in ("attention", "backbone")
        assert np.abs(found - ja).max() < 1e-6  # base + (ja - base)
