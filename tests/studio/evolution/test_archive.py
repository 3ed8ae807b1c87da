"""Who enters the archive and who leaves it."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from studio.evolution.archive import Archive, Insertion
from studio.evolution.errors import EvolutionError


@pytest.fixture
def archive():
    """Full, with capacity 3; as in test_niches: fitness 1/2, 7/12, 1/6."""
    archive = Archive(3)
    archive.insert("a", [0.50, 0.25, 0.75])
    archive.insert("b", [0.25, 0.75, 0.75])
    archive.insert("c", [0.25, 0.50, 0.25])
    return archive


def test_there_is_room_until_capacity(archive):
    assert archive.ids == ("a", "b", "c")
    assert_array_equal(archive.scores[2], [0.25, 0.50, 0.25])
    assert Archive(3).insert("a", [0, 0]) == Insertion(entered=True, dropped=None)


def test_the_least_fit_of_the_four_leaves(archive):
    # d is alone at .75 in niche 0. s = [.25 0 .5], [0 .5 .5], [0 .25 0], [.5 0 0]; c = .5 each; z = .75, .75, 1
    # fitness: 1/6 + 1/4, 1/3 + 1/4, 1/6, 1/3; c leaves
    assert archive.insert("d", [0.75, 0.25, 0.25]) == Insertion(entered=True, dropped="c")
    assert archive.ids == ("a", "b", "d")
    assert_array_equal(archive.scores, [[0.50, 0.25, 0.75], [0.25, 0.75, 0.75], [0.75, 0.25, 0.25]])


def test_a_newcomer_that_is_least_fit_is_turned_away(archive):
    before = archive.scores
    assert archive.insert("d", [0.25, 0.25, 0.25]) == Insertion(entered=False, dropped=None)
    assert archive.ids == ("a", "b", "c")
    assert_array_equal(archive.scores, before)


def test_fitness_is_worked_out_with_the_newcomer_included():
    archive = Archive(2)
    archive.insert("a", [1.0, 0.0, 0.5])
    archive.insert("b", [0.0, 0.6, 0.5])
    # Without c: a wins 1, b wins .6. c takes over niche 1 and lifts niche 2 a little:
    # s: a [1 0 0], b [0 .6 0], c [0 .8 .1]; c = 1, .8, .1; a 1, b .48/1.4 = .343, c .64/1.4 + .1 = .557
    assert archive.insert("c", [0.0, 0.8, 0.6]) == Insertion(entered=True, dropped="b")
    # A mediocre one that is unlike the others stays out when the niche it has is small:
    # s: a [1 0 0], c [0 .8 .1], d [0 0 0]
    assert archive.insert("d", [0.0, 0.0, 0.5]).entered is False


def test_of_equals_the_newest_leaves():
    archive = Archive(2)
    archive.insert("old", [0.5, 0.0])
    archive.insert("new", [0.5, 0.0])
    assert archive.insert("copy", [0.5, 0.0]) == Insertion(entered=False, dropped=None)  # all win nothing
    assert archive.insert("better", [0.9, 0.0]) == Insertion(entered=True, dropped="new")
    assert archive.ids == ("old", "better")


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
    assert archive.insert("c", [0.8, 0.8, 0]) == Insertion(entered=True, dropped="specialist")


def test_best_has_the_highest_mean_raw_score(archive):
    assert archive.best() == "b"
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
        ("a", [0, 0, 0], "expected a new id, found 'a'"),
        ("d", [0, 0], "scores of 'd' refused: expected 3 niches, found 2"),
        ("d", [0, np.nan, 0], r"scores of 'd' refused: expected scores in 0\.\.1, found nan"),
        ("d", [0, 0, 1.5], r"scores of 'd' refused: .* found 1\.5"),
        ("d", [[0, 0, 0]], "scores of 'd' refused: expected scores of shape"),
    ],
)
def test_a_bad_newcomer_is_refused_and_nothing_changes(archive, id, scores, message):
    before = archive.scores
    with pytest.raises(EvolutionError, match=message):
        archive.insert(id, scores)
    assert archive.ids == ("a", "b", "c")
    assert_array_equal(archive.scores, before)


def test_scores_cannot_be_changed_from_outside(archive):
    mine = np.array([0.75, 0.25, 0.25])
    archive.insert("d", mine)
    mine[:] = 0
    archive.scores[:] = 0
    assert_array_equal(archive.scores[-1], [0.75, 0.25, 0.25])


def test_an_archive_of_one_is_refused():
    with pytest.raises(EvolutionError, match="at least 2 individuals, found a capacity of 1"):
        Archive(1)


def test_state_goes_through_json_and_back(archive):
    archive.insert("d", [0.75, 0.25, 0.25])
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
