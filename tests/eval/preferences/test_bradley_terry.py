"""Bradley-Terry on numbers that can be checked by hand, its intervals on simulated voters, and agreement."""

import math

import numpy as np
import pytest

from eval.errors import MetricError
from eval.preferences.bradley_terry import PairedComparison, fit_strengths, rank_comparisons, scorer_agreement


def votes(one, other, *, wins=0, losses=0, ties=0):
    outcomes = [1.0] * wins + [0.0] * losses + [0.5] * ties
    return [PairedComparison(one, other, won) for won in outcomes]


def test_three_wins_in_four_are_log_three():
    found = fit_strengths(votes("a", "b", wins=3, losses=1), regularisation=0)
    assert found["a"] - found["b"] == pytest.approx(math.log(3), abs=1e-5)
    assert found["a"] + found["b"] == pytest.approx(0)


def test_a_tie_is_half_a_win_for_each():
    mixed = fit_strengths(votes("a", "b", wins=1, losses=0, ties=1), regularisation=0)
    assert mixed["a"] - mixed["b"] == pytest.approx(math.log(3), abs=1e-5)  # 1.5 wins against 0.5
    assert fit_strengths(votes("a", "b", ties=5))["a"] == pytest.approx(0, abs=1e-9)


def test_strengths_add_up_along_a_chain():
    chain = votes("a", "b", wins=3, losses=1) + votes("b", "c", wins=3, losses=1)
    found = fit_strengths(chain, regularisation=0)
    assert found["a"] - found["c"] == pytest.approx(2 * math.log(3), abs=1e-5)
    assert list(found) == ["a", "b", "c"]


def test_the_side_and_the_order_of_votes_do_not_matter():
    given = votes("a", "b", wins=3, losses=1) + votes("c", "a", wins=2, losses=1)
    turned = [PairedComparison(one.second, one.first, 1 - one.won) for one in reversed(given)]
    assert fit_strengths(turned) == pytest.approx(fit_strengths(given), abs=1e-6)


def test_who_never_lost_stays_finite_and_is_not_certain():
    first, last = rank_comparisons(votes("a", "b", wins=1))
    assert (first.name, first.votes, last.name) == ("a", 1, "b")
    # half of d in d + 2 sigmoid(d)... : 1 - sigmoid(2x) = 0.5 x for the strengths x and -x
    assert 1 / (1 + math.exp(2 * first.strength)) == pytest.approx(0.5 * first.strength, abs=1e-5)
    assert first.chance == pytest.approx(1 / (1 + math.exp(-first.strength)))
    assert first.low < 0.5 < first.chance < first.high < 1


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        truth = rng.normal(scale=0.8, size=8)
        given = []
        for _ in range(40):
            i, j = rng.choice(8, 2, replace=False)
            given.append(PairedComparison(str(i), str(j), float(rng.random() < 1 / (1 + np.exp(truth[j] - truth[i])))))
        found = rank_comparisons(given, resamples=200)
        mean = np.mean([truth[int(one.name)] for one in found])
        chances = [1 / (1 + np.exp(mean - truth[int(one.name)])) for one in found]
        held += [one.low <= chance <= one.high for one, chance in zip(found, chances, strict=True)]
    assert np.mean(held) > 0.9


def test_equal_votes_and_seed_give_equal_numbers_and_no_votes_no_ranking():
    given = votes("a", "b", wins=3, losses=2, ties=1)
    assert rank_comparisons(given) == rank_comparisons(given)
    assert rank_comparisons(given, seed=1) != rank_comparisons(given)
    assert rank_comparisons([]) == []


@pytest.mark.parametrize("wrong", [[], [PairedComparison("a", "a", 1)], [PairedComparison("a", "b", 0.7)]])
def test_what_is_no_comparison_is_refused(wrong):
    with pytest.raises(MetricError, match="expected"):
        fit_strengths(wrong)


def test_agreement_counts_what_both_decided():
    found = scorer_agreement([1, 1, 0, 0, 0.5, 1, 1], [0.1, -0.1, -0.2, -0.3, 0.4, float("nan"), 0.0])
    assert (found.share, found.of, found.ties) == (0.75, 4, 3)
    # Wilson's interval for 3 of 4
    assert (found.low, found.high) == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert scorer_agreement([0.5], [0.1]) is None
    assert scorer_agreement([], []) is None
    with pytest.raises(MetricError, match="one margin per vote"):
        scorer_agreement([1, 0], [0.1])
