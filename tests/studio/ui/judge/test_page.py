"""The Judge page without a browser: questions, answers, names afterwards, and pictures that tell nothing."""

import re
import shutil

import gradio as gr
import pytest

from studio.errors import RunError
from studio.i18n import LANGUAGES, t
from studio.judging.annotations import star
from studio.judging.assignments import share_out
from studio.judging.votes import read_votes, write_vote
from studio.ui.common.field_errors import field_of
from studio.ui.common.studio import BLIND_KEPT, BlindPictures, Studio
from studio.ui.judge import results
from studio.ui.judge import sitting as judge
from studio.ui.judge.blind_pair import question
from studio.ui.judge.share_out import named_raters, progress_of, share_out_run
from tests.voters import a_vote, vote_for_bright_pictures

AYA = judge.Rater("first", "Aya", "ja")


@pytest.fixture
def voting(finished, tmp_path):
    """A copy of the finished studio, to vote on."""
    shutil.copytree(finished.runs, tmp_path / "runs")
    return Studio(tmp_path / "runs")


def test_a_question_counts_to_the_end_of_its_sitting(voting, monkeypatch):
    monkeypatch.setattr(judge, "SITTING", 2)
    numbers = []
    for _ in range(3):
        now = judge.put(voting, AYA)
        numbers.append((now.number, now.of, judge.answer(voting, AYA, now, "left")))
    assert numbers == [(1, 2, False), (2, 2, True), (3, 4, False)]
    assert judge.put(voting, judge.Rater("first", "Ken", "en")).number == 1


def test_an_answer_is_written_once_and_its_pictures_forgotten(voting):
    now = judge.put(voting, AYA)
    assert [voting.blind.get(token) for token in now.tokens] == [now.pair.left_png, now.pair.right_png]
    judge.answer(voting, AYA, now, "both bad")
    judge.answer(voting, AYA, now, "left")  # as a second press of the button, late
    (vote,) = read_votes(voting.runs / "first")
    assert (vote.rater, vote.reads, vote.answer, vote.left) == ("Aya", "ja", "both bad", now.pair.left)
    assert [voting.blind.get(token) for token in now.tokens] == [None, None]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_question_names_nobody(voting, lang):
    now = judge.put(voting, AYA)
    shown = question(lang, now.pair, now.tokens, now.number, now.of)
    for known in (*now.tokens, now.pair.caption, 'lang="ja"'):  # a source is called ja too
        shown = shown.replace(known, "")
    for id in (now.pair.left, now.pair.right, now.pair.prompt):
        assert not re.search(rf"\b{re.escape(id)}\b", shown), id
    assert shown.count("disabled") == 4


def test_blind_pictures_are_served_under_their_token_until_it_is_forgotten(voting, served_pictures):
    client, blind = served_pictures(voting), voting.blind
    one, other = blind.keep(b"picture"), blind.keep(b"picture")
    assert one != other
    assert client.get(f"/pictures/blind/{one}.png").content == b"picture"
    for number in range(BLIND_KEPT - 1):
        blind.keep(bytes([number]))
    assert client.get(f"/pictures/blind/{one}.png").status_code == 404
    assert client.get(f"/pictures/blind/{other}.png").content == b"picture"
    assert client.get(f"/pictures/blind/{BlindPictures().keep(b'picture')}.png").status_code == 404  # another studio's


def test_the_name_is_the_login_or_what_was_typed():
    assert judge.named("  Aya   K. ", None) == "Aya K."
    assert judge.named("Aya", "ken@example.com") == "ken@example.com"
    for name in ("  ", "x" * 61):
        with pytest.raises(RunError, match="Expected a name"):
            judge.named(name, None)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_names_come_with_rankings_agreement_and_readers(voting, lang):
    folder = voting.runs / "first"
    vote_for_bright_pictures(folder, "Aya", 5)
    write_vote(folder, a_vote("base", "real", rater="<b>Ken</b>", reads="en"))
    shown = results.page(voting, lang, "first", "Aya", "ja", done=False)
    assert shown.count("<table>") == 4  # hers, everybody's, and one for each language
    assert "run=first&amp;id=" in shown
    assert "/pictures/run/first/" in shown
    assert "<b>Ken</b>" not in results.page(voting, lang, "first", "<b>Ken</b>", "en", done=True)
    assert "14" in results.taste(voting, lang, "first")  # decided votes still needed; Ken's counts


@pytest.mark.parametrize("lang", LANGUAGES)
def test_enough_votes_tell_what_a_model_foresees(voting, lang):
    vote_for_bright_pictures(voting.runs / "first", "Aya", 25)
    shown = results.taste(voting, lang, "first")
    assert str(voting.runs / "first") in shown
    assert re.search(r"Aya.*\d+ %.*50 %", shown)


def test_the_end_is_said_when_everything_was_judged(voting):
    count = len(vote_for_bright_pictures(voting.runs / "first", "Aya", 1000))
    assert count > 20
    assert judge.put(voting, AYA) is None
    assert "every pair there is" in results.page(voting, "en", "first", "Aya", "ja", done=True)


def test_the_ranking_of_all_knows_every_vote_that_was_given_before_it_was_asked_for(voting):
    vote_for_bright_pictures(voting.runs / "first", "Aya", 5)
    for votes, raters in ((5, 1), (6, 2)):
        assert f"(votes: {votes}, raters: {raters})" in results.page(voting, "en", "first", "Aya", "ja", done=False)
        write_vote(voting.runs / "first", a_vote("base", "real", rater="Ken", reads="en"))


def test_a_forgotten_page_says_so_instead_of_dropping_the_answer(finished_app):
    blocks = next(route.app.get_blocks() for route in finished_app.routes if getattr(route, "path", None) == "/en")
    (answered,) = (
        one.fn for one in blocks.fns.values() if one.page == "judge" and ("answer" in {t for _, t in one.targets})
    )
    with pytest.raises(gr.Error, match="Reload the page"):
        answered(None, None, None)


def test_the_last_vote_is_taken_back_and_its_question_put_again(voting):
    first = judge.put(voting, AYA)
    judge.answer(voting, AYA, first, "left")
    said = first.pair.vote("Aya", "ja", "left")
    second = judge.put(voting, AYA, said)
    again = judge.take_back(voting, AYA, second)
    assert read_votes(voting.runs / "first") == []
    asked = ("left", "right", "prompt", "noise", "left_png", "right_png")
    assert [getattr(again.pair, one) for one in asked] == [getattr(first.pair, one) for one in asked]
    assert (again.number, again.before) == (1, None)
    assert set(again.tokens).isdisjoint(first.tokens + second.tokens)
    assert [voting.blind.get(token) for token in second.tokens] == [None, None]
    judge.answer(voting, AYA, again, "both good")
    (vote,) = read_votes(voting.runs / "first")
    assert (vote.about, vote.answer) == (said.about, "both good")


def test_only_the_vote_before_the_open_question_is_taken_back(voting):
    assert judge.take_back(voting, AYA, judge.put(voting, AYA)) is None
    first = judge.put(voting, AYA)
    judge.answer(voting, AYA, first, "left")
    second = judge.put(voting, AYA, first.pair.vote("Aya", "ja", "left"))
    judge.answer(voting, AYA, second, "right")  # quicker than the button
    assert judge.take_back(voting, AYA, second) is None
    write_vote(voting.runs / "first", a_vote("base", "real", rater="Ken"))
    assert [vote.answer for vote in read_votes(voting.runs / "first") if vote.rater == "Aya"] == ["left", "right"]


def test_the_shortlist_alone_is_judged_when_asked_for(voting):
    starred = judge.Rater("first", "Aya", "ja", shortlist=True)
    with voting.run("first") as store:
        chosen = [one for one in store.individuals() if one.is_source][:2]
        star(store, chosen[0], "", on=True)
    with pytest.raises(RunError, match="found 1"):
        judge.checked_shortlist(voting, starred)
    with voting.run("first") as store:
        star(store, chosen[1], "", on=True)
    assert judge.checked_shortlist(voting, starred) == starred
    seen = set()
    while now := judge.put(voting, starred):
        seen.add(frozenset((now.pair.left, now.pair.right)))
        judge.answer(voting, starred, now, "left")
    assert seen == {frozenset(one.id for one in chosen)}
    assert judge.put(voting, AYA) is not None


@pytest.mark.parametrize("lang", LANGUAGES)
def test_results_tell_how_far_raters_agree(voting, lang):
    folder = voting.runs / "first"
    write_vote(folder, a_vote("base", "real", "left", prompt="x"))
    assert t(lang, "raters_apart") in results.page(voting, lang, "first", "Aya", "ja", done=False)
    write_vote(folder, a_vote("real", "base", "right", rater="<Ken>", prompt="x"))  # the same, from the other side
    write_vote(folder, a_vote("base", "flat", "left", prompt="x"))
    write_vote(folder, a_vote("base", "flat", "right", rater="<Ken>", prompt="x"))
    shown = results.page(voting, lang, "first", "Aya", "ja", done=False)
    assert "α 0.00" in shown.replace("α は 0.00", "α 0.00")  # half of two questions, with three wins of four
    assert "&lt;Ken&gt;" in shown
    assert t(lang, "each_rater_and_clip") in shown


def test_what_was_shared_out_comes_first_and_counts_by_itself(voting):
    with voting.run("first") as store:
        made = share_out(store, ["Aya", "Ken"], 3, 1)
    numbers, asked = [], []
    for _ in range(4):
        now = judge.put(voting, AYA)
        asked.append(now.pair.about)
        numbers.append((now.number, now.of, judge.answer(voting, AYA, now, "left")))
    assert asked[:3] == [question.about for question in made.raters["Aya"]]
    assert asked[3] not in asked[:3]
    assert numbers == [(1, 3, False), (2, 3, False), (3, 3, True), (4, 30, False)]
    assert judge.put(voting, judge.Rater("first", "Jo", "ja")).of == 30  # nothing was given to her


@pytest.mark.parametrize(
    ("raters", "each", "common", "field"),
    [
        ([], 3, 1, "raters"),
        (["Aya"], 0, 0, "questions-each"),
        (["Aya"], 3, 4, "questions-common"),
        (["Aya", "Ken"], 300, 0, "questions-each"),  # more than there are
    ],
)
def test_what_cannot_be_shared_out_is_said_at_its_field(voting, raters, each, common, field):
    with pytest.raises(RunError) as caught:
        share_out_run(voting, "first", raters, each, common)
    assert field_of(caught.value) == field


def test_a_shared_question_that_is_taken_back_is_put_again(voting):
    with voting.run("first") as store:
        share_out(store, ["Aya"], 3, 0)
    first = judge.put(voting, AYA)
    judge.answer(voting, AYA, first, "left")
    second = judge.put(voting, AYA, first.pair.vote("Aya", "ja", "left"))
    again = judge.take_back(voting, AYA, second)
    assert (again.pair.about, again.number, again.of) == (first.pair.about, 1, 3)


def test_names_are_typed_one_a_line_or_between_commas():
    assert named_raters(" Aya \nKen,  Jo\n\n美咲、健") == ["Aya", "Ken", "Jo", "美咲", "健"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_progress_names_every_rater(voting, lang):
    assert progress_of(voting, lang, "first") == ""
    with voting.run("first") as store:
        share_out(store, ["Aya", "<b>"], 3, 1)
    judge.answer(voting, AYA, judge.put(voting, AYA), "left")
    told = progress_of(voting, lang, "first")
    assert t(lang, "questions_done", done=1, given=3) in told
    assert t(lang, "questions_done", done=0, given=3) in told
    assert "&lt;b&gt;" in told
    assert "<b>" not in told
