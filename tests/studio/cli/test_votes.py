"""`m2n2 votes`: for people, and for programs."""

from studio.judging.votes import write_vote
from tests.voters import a_vote, vote_for_bright_pictures


def test_nobody_yet(m2n2, ballot):
    done = m2n2("votes", ballot)
    assert done.returncode == 0
    assert "Nobody has judged" in done.stdout
    _, found = m2n2("votes", ballot, "--json", json_output=True)
    assert found["everybody"]["ranking"] == []
    assert found["missing_to_steer"] == 20


def test_ranking_and_agreement_are_told_by_rater_and_by_language(m2n2, ballot):
    votes = vote_for_bright_pictures(ballot, "Aya", 30)
    write_vote(ballot, a_vote(rater="Ken", reads="en", answer="both bad"))
    done, found = m2n2("votes", ballot, "--json", json_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    wins = {
        id: sum(vote.won if vote.left == id else 1 - vote.won for vote in votes if id in vote.about[:2])
        for id in ("base", "flat", "ja", "real")
    }
    assert found["by_rater"]["Aya"]["ranking"][0]["name"] == max(wins, key=wins.get)
    agreed = found["by_rater"]["Aya"]["agreement"]
    assert agreed["of"] + agreed["ties"] == 30
    assert agreed["of"] == sum(vote.margin != 0 for vote in votes)
    assert found["by_reader"]["en"] == found["by_rater"]["Ken"]
    assert (found["by_rater"]["Ken"]["both_bad"], found["by_rater"]["Ken"]["agreement"]) == (1, None)
    assert found["everybody"]["votes"] == 31
    assert found["missing_to_steer"] == 0
    told = m2n2("votes", ballot).stdout
    assert "31 votes" in told
    assert "Aya: 30 votes, agree with judge in" in told
    assert "Ken: 1 votes, nothing decided yet" in told
    assert f"votes: {ballot}" in told


def test_what_is_no_run_is_one_line(m2n2, tmp_path):
    done = m2n2("votes", tmp_path)
    assert done.returncode == 1
    assert "holds no run" in done.stderr
