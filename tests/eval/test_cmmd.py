"""CMMD on points that can be checked by hand, against its formula, and on the embedded family's pictures."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

import assets
from eval.cmmd import cmmd
from eval.errors import MetricError
from eval.prompts.prompt_set import load_prompts
from eval.scorers.clip import ClipScorer

EAST, NORTH, WEST, SOUTH = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]
RIGHT_ANGLE = np.exp(-0.01)  # the kernel of two directions at right angles: |x - y|^2 = 2, 2 sigma^2 = 200
OPPOSITE = np.exp(-0.02)  # |x - y|^2 = 4


def by_formula(x, y):
    """The unbiased estimate, term by term: every distance and every kernel of the whole matrix at once."""
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x, y))

    def kernels(a, b):
        return np.exp(-((a[:, np.newaxis] - b[np.newaxis]) ** 2).sum(axis=-1) / 200)

    def without_diagonal(square):
        return (square.sum() - np.trace(square)) / (len(square) * (len(square) - 1))

    return 1000 * (without_diagonal(kernels(x, x)) + without_diagonal(kernels(y, y)) - 2 * kernels(x, y).mean())


def test_two_points_against_two_opposite_ones():
    # within: one right angle a side. Between: two right angles, two opposites
    expected = 1000 * (2 * RIGHT_ANGLE - 2 * (2 * RIGHT_ANGLE + 2 * OPPOSITE) / 4)
    assert cmmd([EAST, NORTH], [WEST, SOUTH]) == pytest.approx(expected, rel=1e-12)
    assert expected == pytest.approx(9.8512, abs=1e-4)


def test_two_sets_of_one_point_each_are_as_far_apart_as_their_points():
    assert cmmd([EAST, EAST], [WEST, WEST]) == pytest.approx(1000 * (2 - 2 * OPPOSITE), rel=1e-12)
    assert cmmd([EAST, EAST], [EAST, EAST]) == 0.0


def test_a_set_and_itself_lie_below_zero_as_nothing_is_its_own_neighbour():
    # within: a right angle. Between: two right angles, and two equal pairs with kernel 1
    expected = 1000 * (2 * RIGHT_ANGLE - 2 * (2 * RIGHT_ANGLE + 2) / 4)
    assert cmmd([EAST, NORTH], [EAST, NORTH]) == pytest.approx(expected, rel=1e-12)


def test_large_sets_are_summed_in_blocks():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1100, 4)), rng.normal(size=(30, 4)) + 0.5
    assert_allclose(cmmd(x, y), by_formula(x, y), rtol=1e-9)
    assert_allclose(cmmd(y, x), by_formula(x, y), rtol=1e-9)


def test_neither_order_nor_length_of_rows_matters():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 8)), rng.normal(size=(30, 8)) + 0.3
    longer = x * rng.uniform(0.1, 10, size=(20, 1))
    assert_allclose(cmmd(rng.permutation(longer), rng.permutation(y)), cmmd(x, y), rtol=1e-9)


def test_small_samples_of_one_set_are_at_no_distance_on_average():
    rng = np.random.default_rng(2)
    distances = [cmmd(rng.normal(size=(10, 16)), rng.normal(size=(10, 16))) for _ in range(500)]
    error = np.std(distances) / np.sqrt(500)
    assert abs(np.mean(distances)) < 3 * error
    assert error < 0.05  # the biased estimate would lie at 1000 * 2 / 10 * (1 - RIGHT_ANGLE), which is 2


def test_pictures_with_noise_are_further_from_the_references_than_clean_ones():
    prompts = load_prompts(assets.HELD_OUT)
    pictures = [Image.open(path).convert("RGB") for path in prompts.references(assets.HELD_OUT.parent)]
    rng = np.random.default_rng(0)
    noisy = [
        Image.fromarray(np.clip(np.asarray(one) + rng.normal(0, 80, (64, 64, 3)), 0, 255).astype(np.uint8))
        for one in pictures[::2]
    ]
    scorer = ClipScorer(f"local-dir:{assets.JURY}")
    clean, others, spoilt = (scorer.image_features(some) for some in (pictures[::2], pictures[1::2], noisy))
    assert cmmd(spoilt, others) > 2 * cmmd(clean, others)


@pytest.mark.parametrize(
    ("features", "references", "message"),
    [
        ([EAST], [EAST, NORTH], r"features: expected an array \[n, d\] of at least two pictures, found shape \(1, 2\)"),
        ([EAST, NORTH], EAST, r"references: expected an array \[n, d\] of at least two pictures, found shape \(2,\)"),
        ([EAST, NORTH], [[1, 0, 0], [0, 1, 0]], "of one scorer, found 2 and 3 numbers per picture"),
        ([EAST, [0, 0]], [EAST, NORTH], "features: expected finite features that are not all zero, .* in row 1"),
        ([EAST, NORTH], [[np.nan, 0], EAST], "references: expected finite features .* in row 0"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(features, references, message):
    with pytest.raises(MetricError, match=message):
        cmmd(features, references)
