"""A better image of a typed prompt: searched for with the studio's own pipeline, and shown beside the plain one."""

import re
from types import SimpleNamespace

import pytest
from PIL import Image

from studio.errors import RunError
from studio.evaluation.picture_search import SearchedPicture
from studio.i18n import LANGUAGES, t
from studio.inference_search.attempts import Attempt
from studio.png_metadata import generation_data
from studio.ui.compare.choice import Choice
from studio.ui.compare.view import compared, wanted_picture
from studio.ui.picture_search.found import FoundPicture, found_html, search_on_page
from studio.ui.picture_search.progress import SearchProgress

AYA = SimpleNamespace(session_hash="aya")
FIELDS = {"better_model": "best_source", "better_budget": 5.0, "better_how": "ab-mcts", "better_wordings": "a dog\n\n"}


def test_a_search_begins_with_the_picture_of_the_playground(finished, tmp_path):
    choice = Choice(view="playground", tried=("a red boat",), noises=1)
    wanted = wanted_picture(finished, "en", "first", choice, "", FIELDS)
    grid = compared(finished, "en", "first", choice)
    assert (wanted.wish.prompt, wanted.wish.budget, wanted.wish.wordings) == ("a red boat", 5, ("a dog",))
    assert (wanted.wish.seed, wanted.wish.language) == (grid.asked.seed(0, 0), "en")
    (row,) = (row for row in grid.rows if row.label == wanted.label)
    assert row.part == t("en", "part_best_source")

    numbers = []
    found = search_on_page(finished, wanted, on_attempt=lambda attempts: numbers.append(len(attempts)))
    assert (numbers, found.drawn) == ([1, 2, 3, 4, 5], 5)
    assert found.best.attempt.reward >= found.asked.attempt.reward
    (tmp_path / "asked.png").write_bytes(finished.drawn.at(found.addresses[0]))
    data = generation_data(tmp_path / "asked.png")
    assert (data["prompt"], data["seed"], data["steps"]) == ("a red boat", wanted.wish.seed, 1)
    assert data["recipe"] == row.digest
    shown = found_html("en", found)
    assert found.addresses[0] in shown
    assert (found.best.attempt.number == 0) is ("None of 5 images" in shown)


def test_the_prompt_that_is_typed_goes_before_those_that_were_tried(finished):
    choice = Choice(view="playground", tried=("a red boat",))
    fields = {**FIELDS, "better_model": "winner", "better_how": "best-of-n", "better_wordings": None}
    wanted = wanted_picture(finished, "ja", "first", choice, " 赤い船 ", fields)
    assert (wanted.wish.prompt, wanted.wish.language, wanted.wish.wordings) == ("赤い船", "ja", ())
    average = wanted_picture(finished, "ja", "first", choice, "", {**fields, "better_model": "average"})
    assert average.label == t("ja", "row_average")
    for run in (None, "first"):
        with pytest.raises(RunError, match="no prompt to search"):
            wanted_picture(finished, "en", run, Choice(view="playground"), " ", FIELDS)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_was_found_stands_beside_what_was_asked_for(finished, lang):
    choice = Choice(view="playground", tried=("<b>boat",))
    wanted = wanted_picture(finished, lang, "first", choice, "", FIELDS)
    plain = wanted.wish, Image.new("RGB", (8, 8))
    asked, best = (
        SearchedPicture(Attempt(number, candidate, score), plain[1])
        for number, candidate, score in ((0, _candidate(3, "<b>boat"), 0.1), (4, _candidate(5, "a <i>dog"), 0.25))
    )
    shown = found_html(lang, FoundPicture(wanted, asked, best, ("/one.png", "/two.png"), 16))
    assert re.findall(r'src="([^"]+)"', shown) == ["/one.png", "/two.png"]
    assert t(lang, "better_as_asked", seed=3, score="0.100") in shown
    assert t(lang, "better_found", seed=5, guidance="4.2", steps=9, score="0.250") in shown
    assert "a &lt;i&gt;dog" in shown
    assert "<b>boat" not in shown
    alone = found_html(lang, FoundPicture(wanted, asked, asked, ("/one.png", "/one.png"), 16))
    assert t(lang, "better_none", n=16) in alone
    assert alone.count("<figure") == 1


def _candidate(seed, prompt):
    return SimpleNamespace(seed=seed, guidance=4.2, steps=9, prompt=prompt)


def test_a_search_in_hand_says_how_far_it_is_and_stops_when_asked():
    clock = SimpleNamespace(now=10.0)
    progress = SearchProgress(lambda: clock.now)
    assert progress.words("en", AYA) is None
    progress.begin(AYA)
    progress.start(AYA, 16)
    assert t("en", "loading") in progress.words("en", AYA)
    for clock.now in (20.0, 23.0):
        progress.arrive(AYA)
    assert "2 of 16" in progress.words("en", AYA)
    assert t("en", "seconds", n=42) in progress.words("en", AYA)
    assert not progress.is_stopped(AYA)
    progress.stop(AYA)
    assert progress.is_stopped(AYA)
    progress.end(AYA)
    assert progress.words("en", AYA) is None
    assert not progress.is_stopped(AYA)
