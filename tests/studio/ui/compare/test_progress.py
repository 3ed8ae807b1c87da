"""How far a drawing is, how long it takes, and who hears of its pictures."""

from types import SimpleNamespace

import pytest

from studio.i18n import LANGUAGES, t
from studio.ui.common.cancellable import Cancelled
from studio.ui.compare.cells import Cell, Place
from studio.ui.compare.matrix_html import progress_words
from studio.ui.compare.progress import DrawingProgress

AYA, BEN = (SimpleNamespace(session_hash=name) for name in ("aya", "ben"))


def place(number):
    return Place(0, number, 0, "ja")


def grid_of(lacking):
    """A grid that has two pictures already."""
    there = {place(100 + number): None for number in range(2)}
    return SimpleNamespace(cells=there, undrawn=[place(number) for number in range(lacking)])


@pytest.fixture
def clock():
    """A clock that goes on only when it is told: `clock.now`."""
    return SimpleNamespace(now=100.0)


@pytest.fixture
def progress(clock):
    found = DrawingProgress(lambda: clock.now)
    found.begin(AYA)
    found.start(AYA, grid_of(lacking=5))
    return found


def test_each_picture_is_told_once_with_the_pace_of_those_after_the_first(progress, clock):
    cell = Cell("/pictures/drawn/a.png", {}, None)
    assert progress.news(AYA).is_loading
    clock.now += 30  # the models are loaded
    progress.arrive(AYA, place(0), cell)
    first = progress.news(AYA)
    assert (first.done, first.of, first.seconds_left) == (2 + 1, 2 + 5, None)
    clock.now += 4
    progress.arrive(AYA, place(1), cell)
    clock.now += 2
    progress.arrive(AYA, place(2), cell)
    second = progress.news(AYA)
    assert [one.prompt for one, _ in second.arrived] == [1, 2]
    assert second.seconds_left == (5 - 3) * (4 + 2) / 2
    assert progress.news(AYA).arrived == []


def test_sessions_hear_of_their_own_drawing_until_it_ends(progress):
    assert progress.news(BEN) is None
    progress.end(AYA)
    assert progress.news(AYA) is None


def test_cancel_stops_at_the_next_picture_which_is_kept(progress):
    progress.stop(AYA)
    with pytest.raises(Cancelled):
        progress.arrive(AYA, place(0), Cell("/pictures/drawn/a.png", {}, None))
    assert progress.news(AYA).done == 2 + 1
    progress.begin(AYA)  # what was cancelled before does not stop what is begun after it
    progress.start(AYA, grid_of(lacking=0))


def test_who_cancels_before_anything_is_drawn_draws_nothing(progress):
    progress.begin(BEN)
    progress.stop(BEN)
    with pytest.raises(Cancelled):
        progress.start(BEN, grid_of(lacking=1))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_how_far_it_is_stands_in_words(lang, progress, clock):
    assert t(lang, "loading") in progress_words(lang, progress.news(AYA))
    for number in range(3):
        progress.arrive(AYA, place(number), Cell("/pictures/drawn/a.png", {}, None))
        clock.now += 60
    words = progress_words(lang, progress.news(AYA))
    assert t(lang, "drawn_of_left", done=2 + 3, of=2 + 5, left=t(lang, "minutes", n=2)) in words
    assert '<progress max="7" value="5"' in words
    assert progress_words(lang, None) == ""
