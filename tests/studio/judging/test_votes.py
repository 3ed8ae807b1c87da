"""Votes on the disk, and whose are enough to be heard."""

import pytest

from studio.errors import RunError
from studio.journal import Journal
from studio.judging.votes import (
    ENOUGH_VOTES,
    EVERYBODY,
    OTHERS,
    VOTES_FILE,
    missing_votes,
    niche_votes,
    read_votes,
    steering_runs,
    votes_for,
    withdraw_vote,
    write_vote,
)
from tests.voters import a_vote


def test_a_vote_comes_back_as_it_was_given(tmp_path):
    assert read_votes(tmp_path) == []
    given = [a_vote(rater="美咲"), a_vote(answer="both bad", seed=None, left_score=None)]
    for vote in given:
        write_vote(tmp_path, vote)
    assert read_votes(tmp_path) == given


@pytest.mark.parametrize(
    ("answer", "won", "decided"),
    [("left", 1, True), ("right", 0, True), ("both good", 0.5, False), ("both bad", 0.5, False)],
)
def test_both_good_and_both_bad_are_ties(answer, won, decided):
    vote = a_vote(answer=answer)
    assert (vote.won, vote.decided, vote.comparison) == (won, decided, ("base", "ja", won))


def test_the_scores_of_then_are_compared():
    assert a_vote(left_score=0.3, right_score=0.1).margin == pytest.approx(0.2)
    assert a_vote(right_score=None).margin != a_vote(right_score=None).margin  # NaN
    assert a_vote("ja", "base").about == a_vote("base", "ja").about == ("base", "ja", "dog")


@pytest.mark.parametrize("wrong", [{"version": 2}, {"answer": "left!"}, {"extra": 1}])
def test_what_is_no_vote_is_named(tmp_path, wrong):
    write_vote(tmp_path, a_vote())
    Journal(tmp_path / VOTES_FILE).append({**a_vote().model_dump(), **wrong})
    with pytest.raises(RunError, match=rf"votes.jsonl, vote 2, at {next(iter(wrong))}: .*format 1"):
        read_votes(tmp_path)


def test_whoever_decided_enough_is_heard_and_the_others_together():
    many = [a_vote(rater="Aya")] * ENOUGH_VOTES
    few = [a_vote(rater="Ken")] * (ENOUGH_VOTES - 1)
    ties = [a_vote(rater="Ken", answer="both good")] * ENOUGH_VOTES
    assert list(niche_votes(many + few + ties)) == ["Aya"]
    assert {whose: len(some) for whose, some in niche_votes([*many, *few, a_vote(rater="Ren")]).items()} == {
        "Aya": ENOUGH_VOTES,
        OTHERS: ENOUGH_VOTES,
    }
    assert list(niche_votes([*few, a_vote(rater="Ren")])) == [EVERYBODY]
    assert niche_votes(few) == {}
    assert (missing_votes([]), missing_votes(few), missing_votes(many)) == (ENOUGH_VOTES, 1, 0)


def test_too_few_votes_are_refused_with_how_many_are_needed(tmp_path):
    for run, count in (("few", ENOUGH_VOTES - 3), ("enough", ENOUGH_VOTES)):
        for _ in range(count):
            write_vote(tmp_path / run, a_vote())
    with pytest.raises(RunError, match="holds 17 votes .* Expected 20 .* until 3 more are decided"):
        votes_for(tmp_path / "few")
    with pytest.raises(RunError, match="holds 0 votes"):
        votes_for(tmp_path / "nothing")
    assert votes_for(tmp_path / "enough" / VOTES_FILE) == votes_for(tmp_path / "enough")
    assert steering_runs(tmp_path) == ["enough"]


def test_a_vote_that_was_taken_back_counts_no_more_and_may_be_given_again(tmp_path):
    for vote in (a_vote(prompt="dog"), a_vote(prompt="cat"), a_vote(prompt="cat", rater="Ken")):
        write_vote(tmp_path, vote)
    withdraw_vote(tmp_path, a_vote(left="ja", right="base", prompt="cat"))  # whichever side it was seen on
    assert [(vote.rater, vote.prompt) for vote in read_votes(tmp_path)] == [("Aya", "dog"), ("Ken", "cat")]
    write_vote(tmp_path, a_vote(prompt="cat", answer="both bad"))
    assert [vote.answer for vote in read_votes(tmp_path) if vote.rater == "Aya"] == ["left", "both bad"]
    assert len(Journal(tmp_path / VOTES_FILE).events()) == 5
    Journal(tmp_path / VOTES_FILE).append({"version": 1, "rater": "Aya", "withdrawn": ["a"]})
    with pytest.raises(RunError, match="vote 6"):
        read_votes(tmp_path)
