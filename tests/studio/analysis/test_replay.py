"""An archive played again: the same members as the run had, and numbers that can be checked by hand."""

from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from studio.analysis.replay import archive_history
from studio.runs.config import Breeding
from studio.runs.individual import Individual

CONFIG = SimpleNamespace(archive=2, alpha=1.0, competing=("ja",), breeding=Breeding())


def one(id, *ja, en=None, mother=None):
    scores = {"ja": np.array(ja)[:, np.newaxis]} if ja else {}
    if en is not None:
        scores["en"] = np.array(en)[:, np.newaxis]
    return Individual(id, mother, mother, None, scores, True, True, 1.0, datetime.now(UTC))


def test_the_archive_is_seen_after_the_sources_and_after_each_offspring():
    everyone = [
        one("a", 1.0, 0.0, en=[0.5, 0.5]),
        one("b", 0.0, 0.5, en=[1.0, 0.0]),
        one("c", 0.0, 0.25, mother="a"),  # b is better everywhere: c is turned away
        one("d", mother="a"),  # failed
        one("e", 0.5, 1.0, mother="a", en=[1.0, 1.0]),  # takes the place of b
    ]
    moments = archive_history(everyone, CONFIG)
    assert [moment.made for moment in moments] == [0, 1, 2, 3]
    start, end = moments[0], moments[-1]
    assert vars(moments[1]) == {**vars(start), "made": 1}
    assert start.best == {"ja": 0.5, "en": 0.5}
    assert start.mean == {"ja": 0.375, "en": 0.5}
    assert start.coverage == 0.75
    assert end.best == {"ja": 0.75, "en": 1.0}
    assert end.coverage == 1.0


def test_an_archive_that_keeps_its_members_apart_is_played_again_as_it_was():
    """The sources are 0.75 apart, so that 0.375 is the least distance: `c` is 0.25 from `a`, and worse."""
    apart = SimpleNamespace(**vars(CONFIG) | {"archive": 3, "breeding": Breeding(min_distance=0.5)})
    everyone = [one("a", 1.0, 0.0), one("b", 0.0, 0.5), one("c", 0.5, 0.0, mother="a"), one("d", 1.0, 0.5, mother="a")]
    assert [moment.mean["ja"] for moment in archive_history(everyone, apart)] == [0.375, 0.375, 0.5]
    assert archive_history(everyone, apart)[-1].mean == {"ja": (0.25 + 0.75) / 2}  # `d` took the place of `a`


def test_nobody_yet_is_no_moment():
    assert archive_history([], CONFIG) == []


def test_english_that_nobody_was_scored_in_is_left_out():
    (moment,) = archive_history([one("a", 0.5), one("b", 0.25)], CONFIG)
    assert moment.best == {"ja": 0.5}
    assert moment.mean == {"ja": pytest.approx(0.375)}
