"""Competition, attraction and roulette on numbers that can be checked by hand.

raw                    s = raw - worst         c = max s, z = sum s
[.50 .25 .75 .25]      [.25 .00 .50 .00]       c = [.25 .50 .50 .25]
[.25 .75 .75 .25]      [.00 .50 .50 .00]       z = [.25 .75 1.0 .25]
[.25 .50 .25 .50]      [.00 .25 .00 .25]       c / z = [1  2/3  1/2  1]
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from studio.evolution.errors import EvolutionError
from studio.evolution.niches import (
    adjusted,
    attraction,
    capacity,
    check_scores,
    coverage,
    entropy,
    fitness,
    owners,
    price,
    roulette,
)

RAW = np.array([[0.50, 0.25, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25], [0.25, 0.50, 0.25, 0.50]])
S = np.array([[0.25, 0.00, 0.50, 0.00], [0.00, 0.50, 0.50, 0.00], [0.00, 0.25, 0.00, 0.25]])
EVERYONE = (0, 1, 2)

# Multiples of 1/1024 keep sums and differences exact, so that equalities below are about the method, not rounding.
matrices = st.tuples(st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 512).map(lambda k: k / 1024))
)


class Draws:
    """A generator that gives the uniform numbers it is told to."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self):
        return self.numbers.pop(0)


def test_the_worst_score_of_each_niche_is_subtracted():
    assert_array_equal(adjusted(RAW), S)


def test_capacity_is_the_best_adjusted_score():
    assert_array_equal(capacity(RAW), [0.25, 0.50, 0.50, 0.25])


def test_fitness_shares_each_niche_by_score():
    # niches 0 and 3 have one alone; niche 1 is shared 2 : 1, niche 2 1 : 1
    assert_allclose(fitness(RAW), [1 / 4 + 1 / 4, 1 / 3 + 1 / 4, 1 / 6 + 1 / 4], rtol=1e-15)


def test_all_capacity_is_handed_out_at_alpha_one():
    assert fitness(RAW).sum() == pytest.approx(0.25 + 0.50 + 0.50 + 0.25)


def test_no_competition_at_alpha_zero():
    # sum_j c_j s_ij: 1/4 1/4 + 1/2 1/2, 1/2 1/2 + 1/2 1/2, 1/2 1/4 + 1/4 1/4
    assert_allclose(fitness(RAW, alpha=0), [5 / 16, 1 / 2, 3 / 16], rtol=1e-15)


def test_fighting_costs_at_alpha_two():
    # c / z^2 = [4, 8/9, 1/2, 4]: 1 + 1/4, 4/9 + 1/4, 2/9 + 1; now the one with few rivals is ahead of the best
    assert_allclose(fitness(RAW, alpha=2), [5 / 4, 25 / 36, 11 / 9], rtol=1e-15)


def test_attraction_counts_what_the_mother_lacks():
    # to mother 0: 1 is better by 1/2 in niche 1, 2 by 1/4 there, worth 2/3 each, and by 1/4 in niche 3, worth 1
    assert_allclose(attraction(RAW, 0), [0, 1 / 3, 1 / 6 + 1 / 4], rtol=1e-15)
    # to mother 1: 0 by 1/4 in niche 0, 2 by 1/4 in niche 3
    assert_allclose(attraction(RAW, 1), [1 / 4, 0, 1 / 4], rtol=1e-15)
    # to mother 2: 1/4 in niche 0 and 1/2 in niche 2; 1/4 in niche 1 and 1/2 in niche 2
    assert_allclose(attraction(RAW, 2), [1 / 4 + 1 / 4, 1 / 6 + 1 / 4, 0], rtol=1e-15)


def test_attraction_follows_alpha():
    # to mother 0: 1/2 in niche 1; 1/4 there and 1/4 in niche 3; worth [1/2, 1/4] and [8/9, 4]
    assert_allclose(attraction(RAW, 0, alpha=0), [0, 1 / 4, 1 / 8 + 1 / 16], rtol=1e-15)
    assert_allclose(attraction(RAW, 0, alpha=2), [0, 4 / 9, 2 / 9 + 1], rtol=1e-15)


@pytest.mark.parametrize("alpha", [0, 1, 2, 10])
@pytest.mark.parametrize("score", [0.0, 0.7, 1.0])
def test_nobody_wins_or_attracts_where_all_are_equal(score, alpha):
    scores = np.full((3, 4), score)
    assert_array_equal(capacity(scores), [0, 0, 0, 0])
    assert_array_equal(fitness(scores, alpha=alpha), [0, 0, 0])
    for mother in EVERYONE:
        assert_array_equal(attraction(scores, mother, alpha=alpha), [0, 0, 0])
    assert_array_equal(owners(scores), [-1, -1, -1, -1])


@pytest.mark.parametrize("alpha", [0, 1, 2])
def test_niches_where_all_are_equal_are_as_if_they_were_not_there(alpha):
    # niche 1 is impossible for all, niche 3 is easy for all
    scores = RAW.copy()
    scores[:, [1, 3]] = [0.0, 1.0]
    assert_array_equal(fitness(scores, alpha=alpha), fitness(RAW[:, [0, 2]], alpha=alpha))
    assert_array_equal(attraction(scores, 2, alpha=alpha), attraction(RAW[:, [0, 2]], 2, alpha=alpha))


def test_a_copy_shares_with_its_original():
    # s = [1/4 0 1/2 0] twice and the other two below; z = [1/2 3/4 3/2 1/4]
    scores = RAW[[0, 0, 1, 2]]
    # 1/4 1/2 + 1/2 1/3, the same, 1/3 + 1/2 1/3, 1/6 + 1/4
    assert_allclose(fitness(scores), [7 / 24, 7 / 24, 1 / 2, 5 / 12], rtol=1e-15)
    # nothing is shared at alpha 0
    assert_allclose(fitness(scores, alpha=0), [5 / 16, 5 / 16, 1 / 2, 3 / 16], rtol=1e-15)
    assert attraction(scores, 0)[1] == 0


def test_what_a_unit_of_score_earns():
    c, z = np.array([0.25, 0.50, 0.50, 0.25]), np.array([0.25, 0.75, 1.00, 0.25])
    assert_allclose(price(c, z, alpha=0), [1 / 4, 1 / 2, 1 / 2, 1 / 4], rtol=1e-15)
    assert_allclose(price(c, z), [1, 2 / 3, 1 / 2, 1], rtol=1e-15)
    assert_allclose(price(c, z, alpha=2), [4, 8 / 9, 1 / 2, 4], rtol=1e-15)
    assert_array_equal(price(np.zeros(2), np.zeros(2), alpha=10), [0, 0])


def test_nobody_attracts_the_one_who_is_best_everywhere():
    assert_array_equal(attraction([[0.9, 0.9], [0.1, 0.9], [0.2, 0.3]], 0), [0, 0, 0])


def test_a_niche_where_all_are_equal_hands_out_nothing():
    scores = np.array([[0.9, 0.5], [0.9, 0.1]])
    assert_array_equal(capacity(scores), [0, 0.4])
    assert_allclose(fitness(scores), [0.4, 0], rtol=1e-15)
    assert_array_equal(attraction(scores, 1)[1], 0)


def test_a_niche_that_differs_by_rounding_hands_out_nothing():
    assert_array_equal(fitness([[0.3, 0.3], [0.3, 0.1 + 0.2]], alpha=10), [0, 0])


def test_one_individual_wins_nothing():
    assert_array_equal(fitness([[0.7, 0.2]]), [0])


def test_owners_are_the_best_and_the_oldest_of_equals():
    assert_array_equal(owners(RAW), [0, 1, 0, 2])
    assert_array_equal(owners([[0.5, 0.1], [0.5, 0.2]]), [-1, 1])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -0.01, 1.01])
def test_scores_that_are_none_are_refused_by_name(bad):
    scores = RAW.copy()
    scores[1, 2] = bad
    for function in (check_scores, adjusted, capacity, fitness, owners):
        with pytest.raises(EvolutionError, match=r"expected scores in 0\.\.1, found .* for individual 1 in niche 2"):
            function(scores)


@pytest.mark.parametrize("scores", [[0.1, 0.2], [[]], np.empty((0, 3))])
def test_scores_of_another_shape_are_refused(scores):
    with pytest.raises(EvolutionError, match=r"shape \[individuals, niches\]"):
        check_scores(scores)


@pytest.mark.parametrize("alpha", [-0.1, 10.1, np.nan])
def test_competition_strengths_out_of_range_are_refused(alpha):
    with pytest.raises(EvolutionError, match=r"alpha in 0\.\.10"):
        fitness(RAW, alpha=alpha)
    with pytest.raises(EvolutionError, match=r"alpha in 0\.\.10"):
        attraction(RAW, 0, alpha=alpha)


@pytest.mark.parametrize(("draw", "index"), [(0.0, 1), (0.2499, 1), (0.25, 3), (0.9999, 3), (1 - 2**-53, 3)])
def test_roulette_gives_shares_in_order_and_never_a_zero(draw, index):
    assert roulette([0, 1, 0, 3, 0], Draws(draw)) == index


@pytest.mark.parametrize(("draw", "index"), [(0.0, 0), (0.24, 0), (0.25, 1), (0.99, 3)])
def test_roulette_is_uniform_when_all_weights_are_zero(draw, index):
    assert roulette([0, 0, 0, 0], Draws(draw)) == index


def test_roulette_takes_one_number_from_the_generator():
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    roulette([1, 2], one)
    other.random()
    assert one.random() == other.random()


@pytest.mark.parametrize("weights", [[], [1, -1], [np.nan, 1], [np.inf, 1]])
def test_roulette_refuses_what_is_no_weight(weights):
    with pytest.raises(EvolutionError, match="at least one weight"):
        roulette(weights, Draws(0.5))


def test_roulette_draws_in_proportion():
    rng = np.random.default_rng(0)
    draws = np.bincount([roulette([1, 0, 3], rng) for _ in range(4000)], minlength=3) / 4000
    assert_allclose(draws, [0.25, 0, 0.75], atol=0.02)


@given(matrices, st.randoms(use_true_random=False), st.floats(0, 3))
@settings(max_examples=60)
def test_fitness_does_not_depend_on_order(scores, random, alpha):
    rows, niches = list(range(scores.shape[0])), list(range(scores.shape[1]))
    random.shuffle(rows)
    random.shuffle(niches)
    assert_allclose(
        fitness(scores[rows][:, niches], alpha=alpha), fitness(scores, alpha=alpha)[rows], rtol=1e-12, atol=1e-15
    )


@given(matrices, st.data())
@settings(max_examples=60)
def test_an_easier_niche_changes_nothing(scores, data):
    bonus = data.draw(arrays(np.float64, scores.shape[1], elements=st.integers(0, 512).map(lambda k: k / 1024)))
    mother = data.draw(st.integers(0, len(scores) - 1))
    assert_array_equal(fitness(scores + bonus), fitness(scores))
    assert_array_equal(attraction(scores + bonus, mother), attraction(scores, mother))
    assert_array_equal(owners(scores + bonus), owners(scores))


@given(matrices, st.data(), st.floats(0, 10))
@settings(max_examples=60)
def test_attraction_is_for_others_and_never_negative(scores, data, alpha):
    mother = data.draw(st.integers(0, len(scores) - 1))
    appeal = attraction(scores, mother, alpha=alpha)
    assert appeal[mother] == 0
    assert np.isfinite(appeal).all()
    assert (appeal >= 0).all()
    better = (scores > scores[mother]).any(axis=1)
    assert_array_equal(appeal > 0, better)


@given(matrices)
@settings(max_examples=60)
def test_competition_hands_out_its_capacity_and_no_more(scores):
    assert fitness(scores).sum() == pytest.approx(capacity(scores).sum(), abs=1e-12)


@given(matrices, st.floats(0, 10))
@settings(max_examples=60)
def test_equal_individuals_are_equally_fit_to_the_bit(scores, alpha):
    won = fitness(np.vstack([scores, scores[:1]]), alpha=alpha)
    assert won[0] == won[-1]


def test_coverage_and_entropy_of_solved_and_unsolved_are_the_papers():
    solved = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 1]], dtype=bool)  # shares 1, 2/3, 0, 1/3
    third = math.log2(3) - 2 / 3  # entropy of one against two
    assert coverage(solved) == 0.75
    assert entropy(solved) == pytest.approx(2 * third / 4)
    assert entropy(np.array([[True], [False]])) == 1


def test_a_niche_that_is_solved_in_part_counts_in_part():
    assert coverage(RAW) == (0.50 + 0.75 + 0.75 + 0.50) / 4
    assert coverage([[0.5, 0.0], [0.25, 1.0]]) == 0.75


def test_the_archive_disagrees_only_where_scores_differ():
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))  # entropy of a chance of 1/4, and of 3/4
    assert entropy([[0.25, 0.75], [0.25, 0.75]]) == 0  # unsure, but of one mind
    assert entropy([[0.25], [0.75]]) == pytest.approx(1 - quarter)
    assert entropy([[0.25, 0.5], [0.75, 0.5]]) == pytest.approx((1 - quarter) / 2)


@given(matrices)
def test_entropy_is_never_negative_nor_above_a_bit(scores):
    assert -1e-12 <= entropy(scores) <= 1
