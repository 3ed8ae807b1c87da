"""An archive whose newcomers keep a distance: who competes with whom then, and who leaves."""

import json

import pytest
from numpy.testing import assert_array_equal

from studio.evolution.archive import Archive, Insertion
from studio.evolution.errors import EvolutionError
from tests.studio.evolution.small_archive import ROWS, filled


@pytest.fixture
def archive():
    """Full, with capacity 3."""
    return filled()


def test_a_newcomer_competes_with_those_alone_whom_it_is_near_to(archive):
    """`a` has a mean of 7/16, `b` of 1/2, `c` of 3/8; `a` and `b` are 3/16 apart, `b` and `c` 1/4."""
    archive.keep_apart(0.125)
    worse, better = [0.5, 0.25, 0.75, 0.125], [0.5, 0.25, 0.75, 0.375]  # 1/32 from `a`
    assert archive.insert("worse", worse) == Insertion(entered=False)
    assert archive.insert("copy", ROWS["a"]) == Insertion(entered=False)
    assert archive.insert("better", better) == Insertion(entered=True, dropped=("a",))
    assert archive.ids == ("b", "c", "better")
    assert_array_equal(archive.scores, [ROWS["b"], ROWS["c"], better])
    far = [1.0, 0.25, 0.25, 0.25]  # as without a distance, the least fit leaves
    assert archive.insert("far", far).dropped == ("c",)


def test_all_whom_it_is_near_to_leave_if_it_is_better_than_all_of_them():
    archive = filled()
    archive.keep_apart(0.2)
    between = [0.375, 0.5, 0.75, 0.25]  # 3/32 from `a` and from `b`, whose mean is 1/2; its own is 15/32
    assert archive.insert("between", between) == Insertion(entered=False)
    above = [0.375, 0.75, 0.75, 0.375]  # 1/16 from `b`, 3/16 from `a`; mean 9/16
    assert archive.insert("above", above) == Insertion(entered=True, dropped=("a", "b"))
    assert archive.ids == ("c", "above")
    assert_array_equal(archive.scores, [ROWS["c"], above])


def test_nobody_enters_who_would_have_no_mate():
    archive = filled()
    archive.keep_apart(1.0)
    assert archive.insert("best", [1.0, 1.0, 1.0, 1.0]) == Insertion(entered=False)


def test_room_does_not_help_whoever_is_near_somebody():
    archive = filled(capacity=4)
    archive.keep_apart(0.125)
    assert archive.insert("copy", ROWS["a"]) == Insertion(entered=False)
    assert not archive.is_full
    assert archive.insert("better", [0.5, 0.25, 0.75, 0.375]) == Insertion(entered=True, dropped=("a",))
    assert len(archive) == 3


def test_the_distance_is_part_of_the_state_where_there_is_one(archive):
    assert "min_distance" not in archive.to_state()  # as in states that were written before there was one
    archive.keep_apart(0.125)
    state = json.loads(json.dumps(archive.to_state()))
    assert Archive.from_state(state, ROWS).min_distance == 0.125
    for wrong in (-0.1, float("nan")):
        with pytest.raises(EvolutionError, match="least distance of 0 or more"):
            archive.keep_apart(wrong)


def test_the_distance_may_be_a_share_of_how_far_those_alive_are_apart(archive):
    """`a` and `b` are 3/16 apart, `b` and `c` 1/4, `a` and `c` 5/16: 1/4 in the mean."""
    archive.keep_apart_by(0.5)
    assert archive.min_distance == 0.125
    with pytest.raises(EvolutionError, match="least distance of 0 or more"):
        archive.keep_apart_by(-1)
