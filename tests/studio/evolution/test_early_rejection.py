"""Early rejection: never of one that could still enter, and of everyone who cannot.

One niche where the two alive have 1/2 and 1/4: adjusted scores a = [1/4 0], top 1/4, crowd 1/4; a perfect score is
u = 3/4 above the worst, and crowd and u together are 1.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from studio.evolution.archive import Archive
from studio.evolution.early_rejection import cannot_enter, headroom, prompt_order
from studio.evolution.errors import EvolutionError
from studio.evolution.niches import adjusted, fitness, price
from studio.evolution.search import Search

ALPHAS = [0, 0.5, 1, 1.5, 2, 2.5, 3, 5, 10]
NICHE = np.array([[0.5], [0.25]])
NAN = np.nan
U = (7 + 33**0.5) / 32


def full_archive(rows, *, alpha=1.0):
    archive = Archive(len(rows), alpha=alpha)
    for number, row in enumerate(rows):
        archive.insert(str(number), row)
    return archive


def enters(rows, newcomer, *, alpha):
    return full_archive(rows, alpha=alpha).insert("newcomer", newcomer).entered


def leads(niche, scores, *, alpha):
    """What a newcomer with each of many scores in one niche wins more than those alive there, [alive, scores]."""
    table = np.vstack([np.repeat(niche[:, np.newaxis], len(scores), axis=1), scores])
    s = adjusted(table)
    won = s * price(s.max(axis=0), s.sum(axis=0), alpha=alpha)
    return won[-1] - won[:-1]


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        # a perfect score: c = 3/4, z^alpha = 1, ahead by 3/4 - 1/4 and 3/4 - 0
        (0, [3 / 8, 9 / 16]),
        (1, [3 / 8, 9 / 16]),
        (2, [3 / 8, 9 / 16]),
        # of the second more is won at u = 1/2: (1/2)^2 / (3/4)^3
        (3, [3 / 8, 16 / 27]),
        # at alpha 6 that is so for both: of the first most is won at the larger root of 4 u^2 - (7/4) u + 1/16,
        # u = (7 + 33^.5) / 32, and of the second below the best, where c = 1/4, at u = 1/20: (1/4) (1/20) / (3/10)^6
        (6, [U * (U - 1 / 4) / (U + 1 / 4) ** 6, 12500 / 729]),
    ],
)
def test_headroom_is_the_largest_lead(alpha, expected):
    assert_allclose(headroom(NICHE, alpha=alpha)[:, 0], expected, rtol=1e-8)


def test_headroom_where_all_are_equal_is_alone_in_the_niche():
    # c = z = u = 3/4, which is all won alone; at alpha 2 any u wins u^2 / u^2
    assert_allclose(headroom([[0.25], [0.25]], alpha=0), [[9 / 16], [9 / 16]], rtol=1e-8)
    assert_allclose(headroom([[0.25], [0.25]], alpha=1), [[3 / 4], [3 / 4]], rtol=1e-8)
    assert_allclose(headroom([[0.25], [0.25]], alpha=2), [[1], [1]], rtol=1e-8)
    # above, the smallest crowd there is wins most: u^2 / u^3 at 1e-12
    assert_allclose(headroom([[0.25], [0.25]], alpha=3), [[1e12], [1e12]], rtol=1e-8)


def test_nobody_can_lead_one_with_a_perfect_score():
    room = headroom([[1.0, 1.0], [1.0, 0.5]], alpha=1)
    assert_array_equal(room[:, 0], [0, 0])  # nor does anybody win anything where all are perfect
    # u = 1/2 like the first's: c = 1/2, z = 1, ahead of the second by 1/4
    assert_allclose(room[:, 1], [0, 1 / 4], atol=1e-8)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_headroom_is_as_large_as_the_best_of_many_scores_and_no_larger(alpha):
    rng = np.random.default_rng(0)
    for _ in range(10):
        niche = rng.random(rng.integers(2, 5)) ** 2
        if rng.random() < 0.3:
            niche = np.round(niche * 4) / 4 * 0.75
        scores = np.clip(niche.min() + np.geomspace(1e-7, 1, 2000), 0, 1)
        best = leads(niche, scores, alpha=alpha).max(axis=1)
        room = headroom(niche[:, np.newaxis], alpha=alpha)[:, 0]
        assert (room >= best).all()
        if np.ptp(niche) > 0:  # else the best may lie below every step
            assert_allclose(room, np.maximum(best, 0), rtol=1e-3, atol=1e-7)


def test_a_newcomer_that_cannot_catch_up_cannot_enter():
    # Two niches that each of the two alive has to itself with 3/4. In the first niche the newcomer has nothing:
    # c = z = 3/4, so the first wins 3/4 there. A perfect score in the second: s = [0 3/4 1], c = 1, z = 7/4, price 4/7;
    # the newcomer wins 4/7, the first 3/4, the second 3/7. It is ahead of the second and enters.
    rows = [[0.75, 0.0], [0.0, 0.75]]
    assert not cannot_enter(full_archive(rows), [0.0, NAN])
    assert enters(rows, [0.0, 1.0], alpha=1)
    # With a third niche that both have perfect, so that a newcomer lifts them by falling behind there:
    # s = [1 1 0], c = 1, z = 2, 1/2 for each of the two; 4/7 against 3/7 + 1/2 and 3/4 + 1/2.
    rows = [[0.75, 0.0, 1.0], [0.0, 0.75, 1.0]]
    assert cannot_enter(full_archive(rows), [0.0, NAN, 0.0])
    assert not enters(rows, [0.0, 1.0, 0.0], alpha=1)
    # What it may still get there decides, and without any score everything is possible.
    assert not cannot_enter(full_archive(rows), [0.0, NAN, NAN])
    assert not cannot_enter(full_archive(rows), [NAN, NAN, NAN])


def test_a_tie_at_best_cannot_enter_when_everything_is_known():
    rows = [[0.5, 0.0], [0.0, 0.5]]
    assert cannot_enter(full_archive(rows), rows[0])
    assert cannot_enter(full_archive(rows), [0.0, 0.0])
    assert cannot_enter(full_archive([[0.5, 0.5]] * 2), [0.5, 0.5])  # nobody wins anything
    assert not cannot_enter(full_archive(rows), [0.5, 0.1])


def test_nobody_is_ahead_of_two_who_are_perfect_in_the_rest():
    # Behind nowhere and ahead nowhere, whatever the second score: zero against zero or less, and the newest leaves.
    assert cannot_enter(full_archive([[0.0, 1.0], [0.0, 1.0]]), [0.0, NAN])
    assert not cannot_enter(full_archive([[0.0, 1.0], [0.0, 1.0]]), [0.1, NAN])


def test_while_there_is_room_everybody_can_enter():
    archive = Archive(3)
    assert not cannot_enter(archive, [0.0, 0.0])
    archive.insert("a", [1.0, 1.0])
    archive.insert("b", [1.0, 1.0])
    assert not cannot_enter(archive, [0.0, 0.0])
    archive.insert("c", [1.0, 1.0])
    assert cannot_enter(archive, [0.0, 0.0])


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("coarse", [False, True])
def test_whoever_cannot_enter_is_turned_away_with_any_scores_and_whoever_can_ties_at_least_with_some(alpha, coarse):
    rng = np.random.default_rng([int(2 * alpha), coarse])
    told = {True: 0, False: 0}
    for _ in range(50):
        alive, niches = rng.integers(2, 5, 2)
        table = rng.random((alive + 1, niches))
        unknown = rng.permutation(niches)[: rng.integers(1, min(niches, 3))]
        table[:-1, unknown] = 1 - table[:-1, unknown] * rng.choice([0.1, 0.4, 1.0])  # of good ones little is to be won
        table[-1] *= rng.choice([0.0, 0.3, 1.0])
        if coarse:  # ties, niches where all are equal, zeros and ones
            table = np.round(table * 4) / 4
        rows, newcomer = table[:-1], table[-1]
        newcomer[unknown] = NAN
        answer = cannot_enter(full_archive(rows, alpha=alpha), newcomer)
        told[answer] += 1
        if answer:
            some = [np.unique([0.0, 0.5, 1.0, *rows[:, niche], *rng.random(2)]) for niche in unknown]
            for scores in itertools.product(*some):
                assert not enters(rows, completed(newcomer, unknown, scores), alpha=alpha)
        else:  # with the best answer to one of those alive in each niche
            best = zip(*[best_answers(rows[:, niche], alpha=alpha) for niche in unknown], strict=True)
            won = [fitness([*rows, completed(newcomer, unknown, scores)], alpha=alpha) for scores in best]
            assert any(one[-1] >= one[:-1].min() for one in won)
            assert coarse or any(one[-1] > one[:-1].min() for one in won)
    assert min(told.values()) >= 2


def completed(newcomer, unknown, scores):
    full = newcomer.copy()
    full[unknown] = scores
    return full


def best_answers(niche, *, alpha):
    """For each of those alive, the score of many with which a newcomer leads it by most."""
    steps = np.clip(niche.min() + np.geomspace(1.01e-12, 1, 200), 0, 1)
    scores = np.unique([*niche, *steps])
    return scores[leads(niche, scores, alpha=alpha).argmax(axis=1)]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_nobody_who_enters_was_ever_said_not_to_and_nobody_recovers(data):
    alpha = data.draw(st.sampled_from(ALPHAS))
    alive, niches = data.draw(st.integers(2, 4)), data.draw(st.integers(1, 4))
    score = st.one_of(st.floats(0, 1), st.integers(0, 4).map(lambda k: k / 4))
    rows = [[data.draw(score) for _ in range(niches)] for _ in range(alive + 1)]
    *rows, newcomer = rows
    archive, seen, answers = full_archive(rows, alpha=alpha), np.full(niches, NAN), []
    for niche in data.draw(st.permutations(range(niches))):
        answers.append(cannot_enter(archive, seen))
        seen[niche] = newcomer[niche]
    answers.append(cannot_enter(archive, seen))
    assert answers == sorted(answers)
    assert answers[-1] != enters(rows, newcomer, alpha=alpha)


@given(st.integers(0, 10**6), st.sampled_from([0, 0.5, 1, 1.7, 2]))
@settings(max_examples=100, deadline=None)
def test_up_to_alpha_two_the_most_to_hope_for_is_a_perfect_rest(seed, alpha):
    rng = np.random.default_rng(seed)
    *rows, newcomer = rng.random((4, 4))
    newcomer *= 0.5
    known = rng.random(4) < 0.7
    answer = cannot_enter(full_archive(rows, alpha=alpha), np.where(known, newcomer, NAN))
    assert answer != enters(rows, np.where(known, newcomer, 1.0), alpha=alpha)


def test_what_tells_most_is_where_most_is_open():
    # Niche by niche: mean of 3/8 and 9/16; all equal, 3/4 for both; both perfect, nothing.
    archive = full_archive([[0.5, 0.25, 1.0], [0.25, 0.25, 1.0]])
    assert_allclose(headroom(archive.scores).mean(axis=0), [15 / 32, 3 / 4, 0], rtol=1e-8)
    assert prompt_order(archive, [slice(0, 1), slice(1, 2), slice(2, 3)]) == [1, 0, 2]
    assert prompt_order(archive, [slice(1, 2), slice(0, 1), slice(2, 3)]) == [0, 1, 2]
    assert prompt_order(archive, [slice(2, 3), slice(0, 2)]) == [1, 0]  # 0 against 15/32 + 3/4


def test_rounds_that_tell_as_much_stay_in_order():
    assert prompt_order(full_archive([[0.5, 0.5, 0.5]] * 2), [slice(0, 1), slice(1, 2), slice(2, 3)]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.5], "a score or NaN for each of 2 niches, found shape"),
        ([[0.5, 0.5]], "a score or NaN for each of 2 niches, found shape"),
        ([NAN, 1.5], r"expected scores in 0\.\.1, found 1\.5 for individual 0 in niche 1"),
        ([-0.1, NAN], r"expected scores in 0\.\.1, found -0\.1"),
        ([np.inf, NAN], r"expected scores in 0\.\.1, found inf"),
    ],
)
def test_what_is_no_score_is_refused(scores, message):
    with pytest.raises(EvolutionError, match=message):
        cannot_enter(full_archive([[0.5, 0.5], [0.2, 0.2]]), scores)


LENGTH = 12


def breed(*, early, batch=3, alpha=1.0, steps=300):
    """A search for the vector of ones; with `early`, scores are looked at in batches, the most telling first."""
    search = Search(
        Archive(4, alpha=alpha),
        rng=np.random.default_rng(5),
        crossover=lambda mother, father, rng: np.clip(
            np.where(rng.random(LENGTH) < 0.5, mother, father) * rng.choice([0.2, 1.0]) + rng.normal(0, 0.05, LENGTH),
            0,
            1,
        ),
    )
    for number in range(4):
        scores = np.zeros(LENGTH)
        scores[number::4] = 0.9
        search.add(f"source {number}", scores, scores)
    looked_at, history = 0, []
    for number in range(steps):
        offspring = search.ask()
        rejected = False
        if early:
            order = np.array(prompt_order(search.archive, [slice(niche, niche + 1) for niche in range(LENGTH)]))
            seen = np.full(LENGTH, NAN)
            for start in range(0, LENGTH, batch):
                some = order[start : start + batch]
                seen[some] = offspring.genome[some]
                looked_at += len(some)
                rejected = cannot_enter(search.archive, seen)
                if rejected:
                    search.discard(offspring)
                    break
        if not rejected:
            search.tell(f"child {number}", offspring, offspring.genome)
        history.append(search.state())
    return search, history, looked_at


@pytest.mark.parametrize("alpha", [0, 1, 3])
def test_a_search_with_early_rejection_is_the_search_without(alpha):
    plain, expected, _ = breed(early=False, alpha=alpha)
    search, history, looked_at = breed(early=True, alpha=alpha)
    assert history == expected
    assert search.archive.scores.tobytes() == plain.archive.scores.tobytes()
    assert looked_at < 0.9 * 300 * LENGTH
