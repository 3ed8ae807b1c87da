"""The Judge page in a real Chromium: blind pairs by mouse and keyboard, names afterwards, and no leak before."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from io import BytesIO
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from benchmarks.app.pages import served
from studio.i18n import LANGUAGES, t
from studio.judging.votes import read_votes
from studio.ui.common.studio import Studio
from studio.ui.judge import sitting as judge
from tests.studio.ui.browser import LOCALES, SHOTS, shoot, wait_for_pictures, walked_in

SECRET = "unmasked-"
KEYS = {"ArrowLeft": "left", "ArrowRight": "right", "ArrowUp": "both good", "ArrowDown": "both bad"}


@pytest.fixture(scope="module")
def voting(finished, tmp_path_factory):
    """Copies of the finished run to vote on, one for each test; individuals have names that nothing else is called."""
    runs = tmp_path_factory.mktemp("voting") / "runs"
    for name in (*LANGUAGES, "held", "shared"):
        run = Path(shutil.copytree(finished.runs / "first", runs / name))
        with contextlib.closing(sqlite3.connect(run / "run.db")) as database, database:
            for field in ("id", "mother", "father"):
                database.execute(f"UPDATE individuals SET {field} = ? || {field} WHERE {field} IS NOT NULL", (SECRET,))
        for folder in (run / "images").iterdir():
            folder.rename(folder.with_name(SECRET + folder.name))
    return Studio(runs)


@pytest.fixture(scope="module")
def voting_address(voting):
    with served(voting.runs, voting.allowed) as found:
        yield found


def everything_received(page):
    """Hand every answer to the browser on, and keep its address, headers and body; gives the list as it grows.

    Gradio's own scripts are let pass, and so is its heartbeat, which never ends.
    """
    received = []

    def hand_on(route):
        answer = route.fetch()
        headers = " ".join(f"{name}: {value}" for name, value in answer.headers.items())
        received.append((answer.url, headers, answer.body()))
        route.fulfill(response=answer)

    page.route(re.compile(r"^(?!.*(/assets/|/static/|/heartbeat/)).*$"), hand_on)
    return received


def barriers(page):
    """What axe-core calls a serious barrier."""
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    return [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("lang", walked_in("en"))
def test_thirty_blind_votes_then_the_names(lang, voting, voting_address, monkeypatch, open_page):
    monkeypatch.setattr(judge, "SITTING", 6)
    theme = {"en": "light", "ja": "dark"}[lang]
    page = open_page(LOCALES[lang], color_scheme=theme)
    folder = voting.runs / lang
    received = everything_received(page)

    page.goto(f"{voting_address}/{lang}/judge?run={lang}&__theme={theme}")
    expect(page.get_by_label(t(lang, "run"), exact=True)).to_have_value(lang)
    shoot(page, lang, "judge-1-start")
    page.locator("#go").click()
    expect(page.get_by_text(t(lang, "error_title"))).to_be_visible()
    expect(page.get_by_label(t(lang, "your_name"))).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".toast-body")).to_have_count(0)
    page.get_by_label(t(lang, "your_name")).fill("美咲")
    page.get_by_label(t(lang, "your_name")).press("Enter")

    seen = []
    for number, key in enumerate([*KEYS, "click"], start=1):
        expect(page.locator("#question")).to_contain_text(t(lang, "question_number", n=number, of=6))
        answer = page.locator('#question button[data-answer="left"]')
        expect(answer).to_be_enabled()
        seen += page.locator("#question img").evaluate_all("images => images.map(image => image.src)")
        wait_for_pictures(page.locator("#question img"))
        if number == 1:
            shoot(page, lang, "judge-2-pair")
            assert barriers(page) == []
            assert page.evaluate("document.documentElement.scrollHeight") <= 800
        if key == "click":
            answer.click()
        else:
            page.keyboard.press(key)
    expect(page.locator("#question")).to_contain_text(t(lang, "question_number", n=6, of=6))
    expect(page.locator('#question button[data-answer="right"]')).to_be_enabled()
    assert [vote.answer for vote in read_votes(folder)] == [*KEYS.values(), "left"]

    # Nothing the browser got until now, anywhere, names an individual; pictures are pixels under fresh addresses.
    page.wait_for_timeout(500)
    with voting.run(lang) as store:
        ids = [one.id for one in store.individuals()]
        images = {path.read_bytes() for id in ids for path in store.images(id)}
    assert any("/gradio_api/" in url and b"pictures/blind" in body for url, _, body in received)
    told = [(page.url, "", page.content().encode()), *received]
    assert [url for url, headers, body in told if SECRET.encode() in f"{url} {headers}".encode() + body] == []
    assert [url for url, *_ in received if "/pictures/run/" in url] == []
    pictures = [(url, headers, body) for url, headers, body in received if "/pictures/" in url]
    assert len(pictures) == len({url for url, *_ in pictures}) == 12
    for url, headers, body in pictures:
        assert "/pictures/blind/" in url
        assert "no-store" in headers
        assert not any(word in headers for word in ("etag", "last-modified", "content-disposition"))
        assert body not in images
        assert Image.open(BytesIO(body)).info == {}
        assert not any(chunk in body for chunk in (b"tEXt", b"iTXt", b"zTXt", b"eXIf"))
    assert page.request.get(seen[0]).status == 404  # answered, and forgotten

    page.unroute_all()

    # The sixth ends the sitting: names, rankings, agreement; more can be asked for.
    page.keyboard.press("ArrowRight")
    results = page.locator("#results")
    expect(results).to_contain_text(t(lang, "names_revealed"))
    expect(results.locator("table")).to_have_count(2)
    expect(results.locator("tbody th").first).to_have_text(re.compile("|".join(ids)))
    expect(page.locator("#taste")).to_contain_text("20")
    page.screenshot(path=SHOTS / f"{lang}-judge-3-results.png", full_page=True)
    assert barriers(page) == []
    page.locator("#more").click()
    expect(page.locator("#question")).to_contain_text(t(lang, "question_number", n=7, of=12))
    expect(results).to_be_hidden()
    page.locator("#show").click()
    expect(results).to_contain_text(t(lang, "names_revealed"))
    expect(page.locator("#taste")).to_contain_text("20")

    # The name is remembered, and keys are left alone while somebody types.
    page.goto(f"{voting_address}/{lang}/judge?run={lang}")
    name = page.get_by_label(t(lang, "your_name"))
    expect(name).to_have_value("美咲")
    page.locator("#go").click()
    expect(page.locator('#question button[data-answer="left"]')).to_be_enabled()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<input id=elsewhere>')")
    page.locator("#elsewhere").press("ArrowLeft")
    page.wait_for_timeout(300)
    assert len(read_votes(folder)) == 6


@pytest.mark.browser
def test_a_key_before_both_pictures_are_there_counts_once_they_are(voting, voting_address, open_page):
    page = open_page(LOCALES["en"])
    held = []
    page.route("**/pictures/blind/**", lambda route: held.append(route) if len(held) < 2 else route.continue_())
    page.goto(f"{voting_address}/en/judge?run=held")
    expect(page.get_by_label(t("en", "run"), exact=True)).to_have_value("held")
    page.get_by_label(t("en", "your_name")).fill("Sam")
    page.get_by_label(t("en", "your_name")).press("Enter")
    expect(page.locator("#question")).to_contain_text(t("en", "question_number", n=1, of=judge.SITTING))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert read_votes(voting.runs / "held") == []
    while len(held) < 2:
        page.wait_for_timeout(50)
    for route in held:
        route.continue_()
    expect(page.locator("#question")).to_contain_text(t("en", "question_number", n=2, of=judge.SITTING))
    assert [vote.answer for vote in read_votes(voting.runs / "held")] == ["left"]

    # A key takes it back, and the question is there again.
    expect(page.locator('#question button[data-answer="left"]')).to_be_enabled()
    page.keyboard.press("Backspace")
    expect(page.locator("#question")).to_contain_text(t("en", "question_number", n=1, of=judge.SITTING))
    expect(page.locator("#undo")).to_be_hidden()
    assert read_votes(voting.runs / "held") == []
    expect(page.locator('#question button[data-answer="right"]')).to_be_enabled()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#question")).to_contain_text(t("en", "question_number", n=2, of=judge.SITTING))
    assert [vote.answer for vote in read_votes(voting.runs / "held")] == ["right"]


@pytest.mark.browser
@pytest.mark.parametrize("lang", walked_in("ja"))
def test_questions_are_shared_out_and_asked_first(lang, voting_address, open_page):
    page = open_page(LOCALES[lang], color_scheme="dark")
    page.goto(f"{voting_address}/{lang}/judge?run=shared&__theme=dark")
    expect(page.get_by_label(t(lang, "run"), exact=True)).to_have_value("shared")
    page.get_by_text(t(lang, "share_out")).click()
    page.locator("#share-out-now").click()
    expect(page.locator("#raters textarea")).to_have_attribute("aria-invalid", "true")
    page.locator("#raters textarea").fill("美咲\nAya")
    page.get_by_label(t(lang, "questions_each")).fill("4")
    page.get_by_label(t(lang, "questions_common")).fill("2")
    page.locator("#share-out-now").click()
    progress = page.locator("#assignment")
    expect(progress).to_contain_text(t(lang, "questions_done", done=0, given=4))
    expect(progress.locator("tr")).to_have_count(2)
    expect(page.get_by_text(t(lang, "error_title"))).to_have_count(0)
    page.mouse.move(0, 0)
    page.wait_for_timeout(700)  # colours fade
    assert barriers(page) == []
    shoot(page, lang, "judge-5-share-out")

    page.get_by_label(t(lang, "your_name")).fill("美咲")
    page.locator("#go").click()
    expect(page.locator("#question")).to_contain_text(t(lang, "question_number", n=1, of=4))
    expect(page.locator('#question button[data-answer="left"]')).to_be_enabled()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#question")).to_contain_text(t(lang, "question_number", n=2, of=4))
    page.reload()
    page.get_by_text(t(lang, "share_out")).click()
    expect(progress.locator("tr").first).to_contain_text(t(lang, "questions_done", done=1, given=4))
