"""What people said as factors of mating: stars, rejections, votes, and what cannot steer."""

import shutil

import pytest

from studio.errors import RunError
from studio.judging.annotations import annotate, reject
from studio.judging.steering import favour_of
from studio.judging.votes import Vote, write_vote
from studio.runs.store import open_run


@pytest.fixture
def store(bred, tmp_path):
    found = open_run(shutil.copytree(bred.folder, tmp_path / "run"))
    yield found
    found.close()


def vote(left, right, answer):
    return Vote(
        time="2026-01-01T00:00:00+00:00",
        rater="Aya",
        reads="ja",
        prompt="one",
        language="ja",
        noise=0,
        seed=1,
        left=left,
        right=right,
        answer=answer,
        left_score=None,
        right_score=None,
    )


def test_stars_are_factors_rejected_ones_never_mate_and_votes_are_odds(store):
    one, other, third, *_ = (each for each in store.individuals() if each.alive)
    annotate(store, one, rater="Aya", stars=3, tags="", note="")
    reject(store, other, "Aya", on=True)
    assert favour_of(store) == {one.id: 3.0, other.id: 0.0}
    for _ in range(4):
        write_vote(store.folder, vote(third.id, one.id, "left"))
    write_vote(store.folder, vote(third.id, other.id, "both good"))
    found = favour_of(store)
    assert found[third.id] > 1.5
    assert found[one.id] < 3
    assert found[other.id] == 0


def test_without_a_word_on_those_alive_or_with_one_left_nothing_is_steered(store):
    with pytest.raises(RunError, match="Nothing was said of the models alive in run"):
        favour_of(store)
    gone = next(one for one in store.individuals() if not one.alive)
    reject(store, gone, "Aya", on=True)
    with pytest.raises(RunError, match="Nothing was said"):
        favour_of(store)
    for one in [each for each in store.individuals() if each.alive][1:]:
        reject(store, one, "Aya", on=True)
    with pytest.raises(RunError, match="fewer than two are not rejected"):
        favour_of(store)
