"""One archive's competition: what `niches` says, to the bit, and who mates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from studio.evolution import competition as module
from studio.evolution.competition import Competition
from studio.evolution.errors import EvolutionError
from studio.evolution.niches import attraction, fitness, roulette

RAW = np.array([[0.50, 0.25, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25], [0.25, 0.50, 0.25, 0.50]])  # as in test_niches


class Draws:
    """A generator that gives the uniform numbers it is told to."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def random(self):
        return self.numbers.pop(0)


def parents_by_definition(scores, rng, *, alpha, attract=True):
    """As `Competition.pick_parents`, from the functions of `niches`."""
    fit = fitness(scores, alpha=alpha)
    mother = roulette(fit, rng)
    others = np.delete(np.arange(len(scores)), mother)
    appeal = attraction(scores, mother, alpha=alpha) if attract else np.zeros(len(scores))
    weights = appeal if appeal.any() else fit
    return mother, others[roulette(weights[others], rng)]


def rough_and_ready(seed, *, individuals=6, niches=9):
    """Scores of every kind: fine or coarse, with copies, equal niches, differences by rounding, and next to nothing."""
    rng = np.random.default_rng(seed)
    scores = rng.random((individuals, niches)) ** rng.integers(1, 4)
    if rng.random() < 0.5:
        scores = np.round(scores * 2) / 2
    if rng.random() < 0.3:
        scores[rng.integers(individuals)] = scores[rng.integers(individuals)]
    if rng.random() < 0.3:
        scores[:, rng.integers(niches)] = rng.choice([0.0, 0.3, 1.0])
    if rng.random() < 0.3:
        scores[:, rng.integers(niches)] = rng.choice([0.3, 0.1 + 0.2], individuals)
    if rng.random() < 0.2:
        scores[:, rng.integers(niches)] = rng.random(individuals) * 1e-12
    return scores


@pytest.mark.parametrize("alpha", [0, 1, 2])
def test_fitness_and_attraction_are_those_of_niches(alpha):
    competition = Competition(RAW, alpha=alpha)
    assert_array_equal(competition.fitness, fitness(RAW, alpha=alpha))
    for mother in range(3):
        assert_array_equal(competition.attraction(mother), attraction(RAW, mother, alpha=alpha))


def test_memory_that_is_handed_over_changes_nothing():
    room = np.full((2, 5, 4), np.nan)
    assert_array_equal(Competition(RAW, room=room[:, :3]).fitness, fitness(RAW))
    assert np.isfinite(room[:, :3]).all()
    assert np.isnan(room[:, 3:]).all()


@pytest.mark.parametrize(
    ("alpha", "row"),
    [
        (0, 2),  # as in test_archive: 42/96, 56/96, 18/96, 54/96
        (1, 2),  # 42/96, 56/96, 40/96, 54/96
        (2, 0),  # 7/16, 25/36, 11/9, 9/16
    ],
)
def test_the_least_fit_beside_a_newcomer(alpha, row):
    assert Competition(RAW, alpha=alpha).least_fit_beside(np.array([1.0, 0.25, 0.25, 0.25])) == [row]


def test_several_may_be_least_fit_beside_a_newcomer():
    # All wins are exact: a copy of the least fit has a tie with it; where nobody wins anything it is everyone.
    assert Competition(RAW).least_fit_beside(RAW[2]) == [2, 3]
    assert Competition(np.full((3, 4), 0.7)).least_fit_beside(np.full(4, 0.7)) == [0, 1, 2, 3]
    # Scores about as small as the smallest crowd that counts are left to the functions of `niches`.
    assert Competition(np.array([[0.5, 1e-12], [0.9, 0.0]])).least_fit_beside(np.array([0.1, 0.0])) == [0, 1, 2]


@given(st.integers(0, 10**9), st.sampled_from([0, 0.5, 1, 2, 10]))
@settings(max_examples=300, deadline=None)
def test_the_least_fit_are_among_those_named(seed, alpha):
    table = rough_and_ready(seed)
    won = fitness(table, alpha=alpha)
    named = Competition(table[:-1], alpha=alpha).least_fit_beside(table[-1])
    assert set(np.flatnonzero(won == won.min())) <= set(named)


@given(st.integers(0, 10**9), st.sampled_from([0, 0.5, 1, 2, 10]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_parents_are_those_that_the_functions_choose(seed, alpha, attract):
    scores = rough_and_ready(seed)
    competition = Competition(scores, alpha=alpha)
    one, other = np.random.default_rng(seed), np.random.default_rng(seed)
    for _ in range(5):
        found = competition.pick_parents(one, attract=attract)
        assert found == parents_by_definition(scores, other, alpha=alpha, attract=attract)


@pytest.mark.parametrize("alpha", [0, 1, 2])
def test_a_draw_on_a_bound_is_decided_by_the_exact_sums(alpha):
    """Draws at and next to every bound of the roulettes, where dot products alone could go either way."""
    rng = np.random.default_rng(3)
    scores = rng.random((5, 40))
    competition = Competition(scores, alpha=alpha)
    weights = [fitness(scores, alpha=alpha), *(attraction(scores, mother, alpha=alpha) for mother in range(5))]
    shares = np.concatenate([np.cumsum(one) / np.sum(one) for one in weights])
    draws = [np.clip(share + k * 2.0**-53, 0, 1 - 2.0**-53) for share in shares for k in range(-3, 4)]
    for draw in draws:
        for pair in ((draw, 0.3), (0.7, draw), (draw, draw)):
            expected = parents_by_definition(scores, Draws(*pair), alpha=alpha)
            assert competition.pick_parents(Draws(*pair)) == expected


def test_dot_products_decide_nearly_always(monkeypatch):
    """Else the speed is gone: the exact sums are asked for in none of these choices."""
    monkeypatch.setattr(module, "spin", None)
    rng = np.random.default_rng(0)
    competition = Competition(rng.random((20, 300)))
    for _ in range(200):
        competition.pick_parents(rng)
        assert len(competition.least_fit_beside(rng.random(300))) == 1


def pairs_of(scores, *, draws=200, **how):
    rng, competition = np.random.default_rng(1), Competition(np.array(scores))
    return [competition.pick_parents(rng, **how) for _ in range(draws)]


def test_the_mother_is_drawn_by_fitness_and_the_father_by_attraction():
    # Only 0 and 1 win anything; whoever is the mother lacks what the other has, and 2 lacks everything.
    assert set(pairs_of([[0.9, 0.1], [0.1, 0.9], [0.1, 0.1]])) == {(0, 1), (1, 0)}


def test_choosing_parents_takes_two_numbers_from_the_generator():
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    Competition(np.array([[0.9, 0.1], [0.1, 0.9]])).pick_parents(one)
    other.random(2)
    assert one.random() == other.random()


def test_parents_are_uniform_when_all_are_equal():
    pairs = pairs_of([[0.5, 0.5]] * 3, draws=600)
    assert set(pairs) == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}
    assert all(pairs.count(pair) > 60 for pair in set(pairs))


def test_when_nobody_attracts_the_mother_the_father_is_drawn_by_fitness():
    # 0 is best everywhere, so nobody attracts it; 1 wins something, 2 nothing.
    assert set(pairs_of([[0.9, 0.9], [0.5, 0.5], [0.1, 0.1]])) == {(0, 1), (1, 0)}


def test_when_nobody_else_wins_anything_the_father_is_uniform():
    assert set(pairs_of([[0.9, 0.9], [0.1, 0.1], [0.1, 0.1]])) == {(0, 1), (0, 2)}


def test_without_attraction_the_father_is_drawn_by_fitness_alone():
    # To mother 0 only 1 is attractive (niche 1); by fitness, 2 wins as well.
    scores = [[0.9, 0.1], [0.1, 0.5], [0.7, 0.1]]
    attracted, by_fitness = set(pairs_of(scores)), set(pairs_of(scores, attract=False))
    assert (0, 2) not in attracted
    assert (0, 1) in attracted
    assert {(0, 1), (0, 2)} <= by_fitness


# Mother 0 has niche 0; 1 and 2 share niche 1 with 1/2 each: c = 1/2, z = 1, so both attract her by 1/4.
MATES = [[0.5, 0.0], [0.0, 0.5], [0.0, 0.5]]


def fathers_of_0(**how):
    fathers = [father for mother, father in pairs_of(MATES, draws=2000, **how) if mother == 0]
    return np.bincount(fathers, minlength=3) / len(fathers)


def test_attraction_is_multiplied_by_compatibility():
    assert_allclose(fathers_of_0(), [0, 1 / 2, 1 / 2], atol=0.05)
    assert_allclose(
        fathers_of_0(compatibility=lambda mother, row: 3.0 if row == 1 else 1.0), [0, 3 / 4, 1 / 4], atol=0.05
    )
    assert_allclose(fathers_of_0(compatibility=lambda mother, row: float(row == 2)), [0, 0, 1])


def test_a_mother_that_fits_none_of_those_that_attract_her_takes_one_by_fitness():
    # 2 is the fittest and attracts 1, which it does not fit; 0 wins something, but nothing that 1 lacks.
    scores = [[0.5, 0.1], [0.6, 0.1], [0.1, 0.9]]
    fathers = {father for mother, father in pairs_of(scores, compatibility=lambda mother, row: 0.0) if mother == 1}
    assert fathers == {0, 2}
    assert {father for mother, father in pairs_of(scores) if mother == 1} == {2}


def test_compatibility_is_asked_of_the_mother_and_those_that_attract_her():
    asked = set()

    def compatibility(mother, row):
        asked.add((mother, row))
        return 1.0

    assert pairs_of(MATES, compatibility=compatibility) == pairs_of(MATES)
    assert asked == {(0, 1), (0, 2), (1, 0), (2, 0)}


def test_without_attraction_compatibility_is_not_asked():
    assert pairs_of(MATES, attract=False, compatibility=None) == pairs_of(
        MATES, attract=False, compatibility=lambda mother, row: 0.0
    )


@pytest.mark.parametrize("factor", [-0.1, np.nan, np.inf])
def test_a_compatibility_that_is_no_factor_is_refused(factor):
    with pytest.raises(EvolutionError, match="expected a compatibility of 0 or more, found"):
        pairs_of(MATES, compatibility=lambda mother, row: factor)


def test_people_s_favour_multiplies_and_nobody_of_factor_0_mates():
    competition = Competition(RAW)
    won = fitness(RAW) * [0, 1, 3]
    draw = won[1] / won.sum()  # where the roulette goes from the second to the third
    favour = np.array([0.0, 1.0, 3.0])
    assert competition.pick_parents(Draws(draw - 1e-6, 0.0), favour=favour) == (1, 2)
    assert competition.pick_parents(Draws(draw + 1e-6, 0.999), favour=favour) == (2, 1)
    equal = Competition(np.full((3, 2), 0.5))  # nobody wins anything: the factors alone decide
    assert equal.pick_parents(Draws(0.24, 0.5), favour=favour) == (1, 2)
    assert equal.pick_parents(Draws(0.26, 0.5), favour=favour) == (2, 1)


@pytest.mark.parametrize("favour", [[0.0, 0.0, 2.0], [1.0, 1.0], [1.0, -1.0, 1.0], [1.0, np.nan, 1.0]])
def test_a_favour_that_leaves_no_pair_or_is_no_factor_is_refused(favour):
    with pytest.raises(EvolutionError, match="expected a"):
        Competition(RAW).pick_parents(Draws(0.5, 0.5), favour=np.array(favour))
