"""Who enters the archive and who leaves it."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from studio.evolution.archive import Archive, Insertion
from studio.evolution.errors import EvolutionError
from studio.evolution.niches import attraction, fitness
from tests.studio.evolution.small_archive import ROWS, filled


@pytest.fixture
def archive():
    """Full, with capacity 3; as in test_niches: fitness 1/2, 7/12, 5/12."""
    return filled()


def test_there_is_room_until_capacity(archive):
    assert archive.ids == ("a", "b", "c")
    assert_array_equal(archive.scores, list(ROWS.values()))
    assert Archive(3).insert("a", [0, 0]) == Insertion(entered=True)
    roomy = filled(capacity=4)
    assert (archive.is_full, roomy.is_full) == (True, False)
    assert roomy.insert("nothing", [0, 0, 0, 0]) == Insertion(entered=True)
    assert roomy.insert("less", [0, 0, 0, 0]) == Insertion(entered=False)


# d is best in niche 0: s = [1/4 0 1/2 0], [0 1/2 1/2 0], [0 1/4 0 1/4], [3/4 0 0 0]; c = [3/4 1/2 1/2 1/4],
# z = [1 3/4 1 1/4]. A unit of score earns [3/4 1/2 1/2 1/4] at alpha 0, [3/4 2/3 1/2 1] at 1, [3/4 8/9 1/2 4] at 2.
@pytest.mark.parametrize(
    ("alpha", "dropped"),
    [
        (0, "c"),  # 3/16 + 1/4, 1/4 + 1/4, 1/8 + 1/16, 9/16
        (1, "c"),  # 3/16 + 1/4 = 42/96, 1/3 + 1/4, 1/6 + 1/4 = 40/96, 9/16
        (2, "a"),  # 3/16 + 1/4, 4/9 + 1/4, 2/9 + 1, 9/16
    ],
)
def test_the_least_fit_of_the_four_leaves(alpha, dropped):
    archive, d = filled(alpha=alpha), [1.0, 0.25, 0.25, 0.25]
    assert archive.insert("d", d) == Insertion(entered=True, dropped=(dropped,))
    stay = [id for id in ROWS if id != dropped]
    assert archive.ids == (*stay, "d")
    assert_array_equal(archive.scores, [*(ROWS[id] for id in stay), d])


@pytest.mark.parametrize("scores", [[0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 0.0, 0.0]])
def test_a_newcomer_that_is_least_fit_is_turned_away(archive, scores):
    assert archive.insert("d", scores) == Insertion(entered=False)
    assert archive.ids == ("a", "b", "c")
    assert_array_equal(archive.scores, list(ROWS.values()))


def test_fitness_is_worked_out_with_the_newcomer_included():
    archive = Archive(2)
    archive.insert("a", [1.0, 0.0, 0.5])
    archive.insert("b", [0.0, 0.6, 0.5])
    # Without c: a wins 1, b wins .6. c takes over niche 1 and lifts niche 2 a little:
    # s: a [1 0 0], b [0 .6 0], c [0 .8 .1]; c = 1, .8, .1; a 1, b .48/1.4 = .343, c .64/1.4 + .1 = .557
    assert archive.insert("c", [0.0, 0.8, 0.6]) == Insertion(entered=True, dropped=("b",))
    # A mediocre one that is unlike the others stays out when the niche it has is small:
    # s: a [1 0 0], c [0 .8 .1], d [0 0 0]
    assert archive.insert("d", [0.0, 0.0, 0.5]).entered is False


def test_of_equals_the_newest_leaves():
    archive = Archive(2)
    archive.insert("old", [0.5, 0.0])
    archive.insert("new", [0.5, 0.0])
    assert archive.insert("copy", [0.5, 0.0]) == Insertion(entered=False)  # all win nothing
    assert archive.insert("better", [0.9, 0.0]) == Insertion(entered=True, dropped=("new",))
    assert archive.ids == ("old", "better")


@pytest.mark.parametrize("alpha", [0, 1, 2, 10])
def test_a_copy_never_displaces_its_original(alpha):
    archive = filled(alpha=alpha)
    for original, scores in ROWS.items():
        archive.insert("copy", scores)
        assert original in archive
        archive = filled(alpha=alpha)


@pytest.mark.parametrize("alpha", [0, 1])
def test_a_copy_of_the_least_fit_is_turned_away(alpha):
    # Of a, b, c and another c: s as before, z = [1/4 1 1 1/2]. c wins 1/4 1/2 + 1/4 1/2 = 1/4 at alpha 1 and, as
    # before, 3/16 at alpha 0; a and b win 1/4 + 1/4 and 1/4 + 1/4 at alpha 1, 5/16 and 1/2 at alpha 0.
    assert filled(alpha=alpha).insert("copy of c", ROWS["c"]) == Insertion(entered=False)


def test_among_identical_ones_the_newest_leaves_without_competition():
    archive = Archive(3, alpha=0)
    for id in "abc":
        archive.insert(id, [0.5, 0.5, 0.5, 0.5])
    assert archive.insert("d", [0.5, 0.5, 0.5, 0.5]) == Insertion(entered=False)
    # e wins 1/4 alone, all others nothing
    assert archive.insert("e", [1.0, 0.5, 0.5, 0.5]) == Insertion(entered=True, dropped=("c",))
    assert archive.ids == ("a", "b", "e")


def test_a_specialist_outlives_better_generalists():
    archive = Archive(2)
    archive.insert("crowd", [0.8, 0.8, 0.8, 0.0])
    archive.insert("specialist", [0.0, 0.0, 0.0, 0.6])
    archive.insert("crowd too", [0.8, 0.8, 0.8, 0.0])  # wins 1.2, like the first; the specialist wins .6
    assert archive.ids == ("crowd", "crowd too")
    archive = Archive(3)
    for id, scores in {"a": [0.8, 0.8, 0], "b": [0.8, 0.8, 0], "specialist": [0, 0, 0.6]}.items():
        archive.insert(id, scores)
    # a, b, c win 16/30 each, the specialist .6, though its mean score is the lowest by far
    assert archive.insert("c", [0.8, 0.8, 0]).entered is False
    assert "specialist" in archive


def test_competition_strength_decides_who_leaves():
    # The same four at alpha 0, where nothing is shared: the specialist is the least fit.
    archive = Archive(3, alpha=0)
    for id, scores in {"a": [0.8, 0.8, 0], "b": [0.8, 0.8, 0], "specialist": [0, 0, 0.6]}.items():
        archive.insert(id, scores)
    assert archive.insert("c", [0.8, 0.8, 0]) == Insertion(entered=True, dropped=("specialist",))


def test_best_has_the_highest_mean_raw_score(archive):
    assert archive.best() == "b"  # means 7/16, 1/2, 3/8
    assert [archive.mean(id) for id in "abc"] == [7 / 16, 1 / 2, 3 / 8]
    with pytest.raises(EvolutionError, match="one of the individuals alive, a, b, c; found 'd'"):
        archive.mean("d")
    archive = Archive(2)
    archive.insert("first", [0.2, 0.4])
    archive.insert("second", [0.4, 0.2])
    assert archive.best() == "first"


def test_best_of_nobody_is_an_error():
    with pytest.raises(EvolutionError, match="empty; insert the sources first"):
        Archive(2).best()
    assert len(Archive(2)) == 0
    assert Archive(2).scores.shape == (0, 0)


@pytest.mark.parametrize(
    ("id", "scores", "message"),
    [
        ("a", [0, 0, 0, 0], "expected a new id, found 'a'"),
        ("d", [0, 0], "scores of 'd' refused: expected 4 niches, found 2"),
        ("d", [0, np.nan, 0, 0], r"scores of 'd' refused: expected scores in 0\.\.1, found nan"),
        ("d", [0, 0, 0, 1.5], r"scores of 'd' refused: .* found 1\.5"),
        ("d", [[0, 0, 0, 0]], "scores of 'd' refused: expected scores of shape"),
        ("d", 0.5, "scores of 'd' refused: expected scores of shape"),
    ],
)
def test_a_bad_newcomer_is_refused_and_nothing_changes(archive, id, scores, message):
    before = archive.scores
    with pytest.raises(EvolutionError, match=message):
        archive.insert(id, scores)
    assert archive.ids == ("a", "b", "c")
    assert_array_equal(archive.scores, before)


def test_scores_cannot_be_changed_from_outside(archive):
    mine = np.array([1.0, 0.25, 0.25, 0.25])
    archive.insert("d", mine)
    mine[:] = 0
    archive.scores[:] = 0
    assert_array_equal(archive.scores[-1], [1.0, 0.25, 0.25, 0.25])


def test_competition_follows_every_change(archive):
    assert_allclose(archive.competition.fitness, [1 / 2, 7 / 12, 5 / 12], rtol=1e-15)
    archive.insert("turned away", [0, 0, 0, 0])
    assert_allclose(archive.competition.fitness, [1 / 2, 7 / 12, 5 / 12], rtol=1e-15)
    # of a, b and d: s = [1/4 0 1/2 0], [0 1/2 1/2 0], [3/4 0 0 0]; c / z = 3/4, 1, 1/2, 0
    archive.insert("d", [1.0, 0.25, 0.25, 0.25])
    assert_allclose(archive.competition.fitness, [3 / 16 + 1 / 4, 1 / 2 + 1 / 4, 9 / 16], rtol=1e-15)
    archive.rescore(dict.fromkeys(archive.ids, [0, 0, 0, 0]))
    assert_array_equal(archive.competition.fitness, [0, 0, 0])


def test_nobody_competes_in_an_empty_archive():
    with pytest.raises(EvolutionError, match="empty; insert the sources first"):
        Archive(2).competition  # noqa: B018


@pytest.mark.parametrize("alpha", [0, 0.7, 1, 2, 10])
@pytest.mark.parametrize("coarse", [True, False])
def test_the_archive_does_bit_for_bit_what_the_functions_say(alpha, coarse):
    """Of many, often equal, newcomers: who leaves by the definition, and the competition of those who stay."""
    rng = np.random.default_rng(7)
    archive, alive = Archive(9, alpha=alpha), {}
    for number in range(200):
        row = rng.integers(0, 3, 12) / 2 if coarse else rng.random(12) ** 2
        if alive and rng.random() < 0.2:
            row = list(alive.values())[rng.integers(len(alive))]
        archive.insert(str(number), row)
        alive[str(number)] = np.asarray(row)
        if len(alive) > 9:
            won = fitness(list(alive.values()), alpha=alpha)
            del alive[[id for id, one in zip(alive, won, strict=True) if one == won.min()][-1]]
        scores = np.array(list(alive.values()))
        assert archive.ids == tuple(alive)
        assert archive.scores.tobytes() == scores.tobytes()
        assert archive.competition.fitness.tobytes() == fitness(scores, alpha=alpha).tobytes()
        assert archive.competition.attraction(0).tobytes() == attraction(scores, 0, alpha=alpha).tobytes()


def test_everyone_is_scored_again_at_once(archive):
    again = {"c": [0.1] * 4, "b": [0.2] * 4, "a": [0.3] * 4, "dead": [2.0]}
    archive.rescore(again)
    assert archive.ids == ("a", "b", "c")
    assert_array_equal(archive.scores, [[0.3] * 4, [0.2] * 4, [0.1] * 4])
    again["a"][0] = 1.0
    assert archive.mean("a") == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"a": [0] * 4, "b": [0] * 4}, "scores for every individual alive, found none for 'c'"),
        ({"a": [0] * 4, "b": [0] * 4, "c": [np.nan] * 4}, "scores of 'c' refused: expected scores in"),
        ({"a": [0] * 4, "b": [0] * 4, "c": [0] * 5}, "scores of 'c' refused: expected 4 niches, found 5"),
    ],
)
def test_scores_again_are_refused_together(archive, scores, message):
    with pytest.raises(EvolutionError, match=message):
        archive.rescore(scores)
    assert_array_equal(archive.scores, list(ROWS.values()))


def test_an_archive_of_one_is_refused():
    with pytest.raises(EvolutionError, match="at least 2 individuals, found a capacity of 1"):
        Archive(1)


def test_state_goes_through_json_and_back(archive):
    archive.insert("d", [1.0, 0.25, 0.25, 0.25])
    scores = dict(zip(archive.ids, archive.scores, strict=True))
    again = Archive.from_state(json.loads(json.dumps(archive.to_state())), scores)
    assert (again.ids, again.capacity, again.alpha) == (archive.ids, 3, 1.0)
    assert_array_equal(again.scores, archive.scores)


def test_a_state_without_its_scores_is_refused(archive):
    scores = {"a": [0, 0, 0], "b": [0, 0, 0]}
    with pytest.raises(EvolutionError, match="found none for 'c'"):
        Archive.from_state(archive.to_state(), scores)
    crowded = {**archive.to_state(), "capacity": 2}
    with pytest.raises(EvolutionError, match="at most 2 individuals in the archive's state, found 3"):
        Archive.from_state(crowded, scores)
