"""The map of recipes: axes along which the score is known to change, and what is known where."""

import numpy as np
import pytest

from studio.breeding.score_map import COLUMNS, MARGIN, ROWS, score_map
from studio.evolution.foresight import ScoreModel

DIMENSIONS = 5  # of which the score depends on two


@pytest.fixture(scope="module")
def places():
    """Spread alike in every direction, and in none with another."""
    drawn = np.random.default_rng(0).uniform(-1, 1, (80, DIMENSIONS))
    return np.linalg.qr(drawn - drawn.mean(axis=0))[0] * 5


def mapped(places, scores):
    return score_map(ScoreModel(places, scores, unit=2.0), places)


@pytest.fixture(scope="module")
def found(places):
    """Scores of two niches that rise along the third axis, and are best in the middle of the first."""
    scores = 0.5 + 0.2 * places[:, 2] - 0.1 * places[:, 0] ** 2
    return mapped(places, np.column_stack([scores, scores - 0.1]))


def test_its_axes_are_those_along_which_the_score_changes_most_and_it_rises_to_the_right(places, found):
    assert found.share > 0.99
    assert np.corrcoef(found.points[:, 0], places[:, 2])[0, 1] > 0.99
    assert abs(np.corrcoef(found.points[:, 1], places[:, 0])[0, 1]) > 0.99
    assert (np.diff(found.mean, axis=1) > 0).all()
    assert (found.mean[[0, -1]] < found.mean[ROWS // 2]).all()
    assert found.mean[ROWS // 2, COLUMNS // 2] == pytest.approx(0.45, abs=0.03)


def test_where_scores_only_rise_it_rises_right_and_up(places):
    rising = mapped(places, np.column_stack([0.5 + 0.1 * places[:, 1] + 0.05 * places[:, 3]] * 2))
    assert np.corrcoef(rising.points[:, 0], 2 * places[:, 1] + places[:, 3])[0, 1] > 0.99


def test_everybody_is_on_it_and_as_far_apart_in_either_direction(places, found):
    assert found.points.min() == pytest.approx(MARGIN)
    assert (found.points >= MARGIN - 1e-9).all()
    assert (found.points <= 1 - MARGIN + 1e-9).all()
    across = np.ptp(found.points, axis=0) * (COLUMNS, ROWS) / np.ptp(places[:, [2, 0]], axis=0)
    assert across[0] == pytest.approx(across[1], rel=0.05)


def test_what_lies_far_from_everybody_is_less_certain(places, found):
    assert found.mean.shape == found.certainty.shape == (ROWS, COLUMNS)
    assert found.certainty[ROWS // 2, COLUMNS // 2] > found.certainty[0, 0] + 0.02
    assert (found.certainty <= 1).all()


def test_axes_lie_where_recipes_differ_and_not_where_the_score_alone_would_lead(places):
    """Along an axis on which nobody differs a slope leads nowhere, however steep it is."""
    flat = places * np.array([1, 1, 1e-3, 1, 1])
    scores = 0.5 + 100 * flat[:, 2] + 0.1 * flat[:, 1] + 0.05 * flat[:, 3]
    found = mapped(flat, np.column_stack([scores, scores]))
    assert np.corrcoef(found.points[:, 0], flat[:, 1])[0, 1] > 0.9


def test_where_all_score_alike_there_is_no_map(places):
    assert mapped(places, np.full((80, 2), 0.4)) is None
