"""Krippendorff's alpha: the published example, the formula pair by pair, and what has no alpha."""

from itertools import permutations

import numpy as np
import pytest

from eval.preferences.rater_agreement import rater_agreement

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section D: four observers, twelve units.
OBSERVERS = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""
# Section A: two observers, ten units, two values.
TWO_OBSERVERS = """
    0 1 0 0 0 0 0 0 1 0
    1 1 1 0 0 1 0 0 0 0
"""


def units(table):
    columns = zip(*(line.split() for line in table.strip().splitlines()), strict=True)
    return [[float(value) for value in column if value != "."] for column in columns]


def pair_by_pair(answers):
    """The same from its definition: observed over expected disagreement, over every ordered pair of values."""
    shared = [given for given in answers if len(given) > 1]
    values = [value for given in shared for value in given]
    n = len(values)
    observed = sum((a - b) ** 2 / (len(given) - 1) for given in shared for a, b in permutations(given, 2)) / n
    expected = sum((a - b) ** 2 for a, b in permutations(values, 2)) / (n * (n - 1))
    return 1 - observed / expected


@pytest.mark.parametrize(("table", "alpha", "shared"), [(OBSERVERS, 0.849, 11), (TWO_OBSERVERS, 0.095, 10)])
def test_the_published_examples(table, alpha, shared):
    found = rater_agreement(units(table))
    assert found.alpha == pytest.approx(alpha, abs=5e-4)
    assert found.questions == shared
    assert found.low < found.alpha < found.high


def test_any_answers_agree_with_the_definition():
    rng = np.random.default_rng(3)
    for _ in range(20):
        answers = [list(rng.choice([0.0, 0.5, 1.0], size=rng.integers(1, 5))) for _ in range(12)]
        assert rater_agreement(answers).alpha == pytest.approx(pair_by_pair(answers))


def test_full_agreement_is_one_and_contradiction_is_below_zero():
    same = rater_agreement([[1, 1], [0, 0, 0], [0.5, 0.5]])
    assert (same.alpha, same.low, same.high) == (1, 1, 1)
    assert rater_agreement([[1, 0], [0, 1], [1, 0]]).alpha < 0


@pytest.mark.parametrize("answers", [[], [[1.0], [0.0]], [[1, 1], [1, 1, 1], [0]]])
def test_where_nothing_can_be_said_there_is_none(answers):
    assert rater_agreement(answers) is None
