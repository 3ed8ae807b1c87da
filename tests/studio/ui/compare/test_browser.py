"""Compare in a real Chromium, in both languages: links, typed captions, arrow keys, contact sheets, filling frames."""

from __future__ import annotations

import itertools
import re
import threading
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from benchmarks.app.pages import served
from pipelines.generation.live_pipeline import LivePipeline
from studio.i18n import LANGUAGES, t
from studio.png_metadata import generation_data
from studio.runs.noise import noise_seed
from tests.studio.ui.browser import LOADING, LOCALES, SHOTS, enter, shoot, type_into, wait_for_pictures


@pytest.fixture(scope="module")
def address(finished):
    """The studio whose run is done, before it has drawn anything for this page."""
    with served(finished.runs, finished.allowed) as found:
        yield found


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize(
    ("lang", "at", "typed"),
    [pytest.param("en", 0, "金継ぎの茶碗", marks=pytest.mark.soak), ("ja", 2, "漆塗りの椀")],
    ids=LANGUAGES,
)  # each asks for pictures that the other has not drawn
def test_compare(lang, at, typed, address, finished, tmp_path, open_page):  # Playwright's loop comes last
    page = open_page(LOCALES[lang])

    def say(key, **values):
        return t(lang, key, **values)

    with finished.run("first") as store:
        first, second = store.prompts.niches.prompts[at : at + 2]

    # A link names models and captions; what the run kept is there at once.
    enter(page, address)
    page.goto(f"{address}/{lang}/compare?run=first&id=ja,real&id=flat&prompt={first.id},{second.id}&beside=1")
    expect(page.locator("#sheet tbody tr")).to_have_count(3)
    expect(page.locator("#sheet img")).to_have_count(12)
    expect(page.locator("#over img").first).to_be_visible()
    expect(page.locator("#noise")).to_contain_text(say("noise_of", n=1, of=2))
    expect(page.locator("#sheet thead")).to_contain_text(str(noise_seed(first.id, 0)))
    shoot(page, lang, "compare-1-kept")

    # The address follows the choice, and the other language shows the same.
    page.locator("#known").get_by_role("button").nth(1).click()
    expect(page.locator("#sheet img")).to_have_count(6)
    expect(page).to_have_url(re.compile(rf"id=ja,real,flat&prompt={first.id}&beside=1$"))
    page.locator("a.language").click()
    expect(page).to_have_url(re.compile(rf"/(?!{lang})\w\w/compare\?.*prompt={first.id}&beside=1$"))
    expect(page.locator("#sheet img")).to_have_count(6)
    page.locator("a.language").click()
    expect(page.locator("#sheet img")).to_have_count(6)

    # A caption nobody planned, without its twin; arrow keys mean letters while somebody types.
    page.get_by_label(say("caption_ja"), exact=True).fill(typed)
    expect(page.locator("#sheet thead th[scope=colgroup]")).to_have_count(2)
    page.get_by_label(say("caption_ja"), exact=True).press("ArrowRight")
    expect(page.locator("#noise")).to_contain_text(say("noise_of", n=1, of=2))
    expect(page.locator("#draw")).to_have_text(say("draw_missing", n=12))
    page.locator("#draw").click()
    page.locator("#cancel").click()  # and somebody who thinks better of it
    expect(page.locator("#cancel")).to_be_hidden(timeout=LOADING)
    if page.locator("#draw").is_enabled():  # else all were drawn before anybody could think better of it
        page.locator("#draw").click()
    expect(page.locator("#draw")).to_have_text(say("all_drawn"), timeout=LOADING)
    expect(page.locator("#sheet img")).to_have_count(9)
    wait_for_pictures(page.locator("#sheet img"))
    assert page.locator("#sheet img").evaluate_all("all => Math.min(...all.map(one => one.clientWidth))") >= 160
    page.screenshot(path=SHOTS / f"{lang}-compare-2-drawn.png", full_page=True)

    # The address holds what was typed: whoever gets the link sees the same.
    expect(page).to_have_url(re.compile(rf"prompt={first.id}&ja={quote(typed)}&beside=1$"))
    page.reload()
    expect(page.get_by_label(say("caption_ja"), exact=True)).to_have_value(typed)
    expect(page.locator("#sheet img")).to_have_count(9)
    expect(page.locator("#draw")).to_have_text(say("all_drawn"))

    # Arrow keys step through noises, round and round.
    page.locator("#sheet thead").click()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#noise")).to_contain_text(say("noise_of", n=2, of=2))
    expect(page.locator("#sheet thead")).to_contain_text(str(noise_seed(first.id, 1)))
    expect(page.locator("#sheet .drawn img")).to_have_count(9)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#noise")).to_contain_text(say("noise_of", n=1, of=2))

    # Contact sheets: a picture with its data, and a page that needs no server.
    page.locator("#make-sheet").click()
    with page.expect_download() as picture:
        page.locator("#sheet-png").click()
    picture.value.save_as(SHOTS / f"{lang}-compare-sheet.png")
    assert len(generation_data(SHOTS / f"{lang}-compare-sheet.png")["pictures"]) == 18
    with page.expect_download() as sheet:
        page.locator("#sheet-html").click()
    sheet.value.save_as(tmp_path / "sheet.html")
    page.goto(f"file://{tmp_path / 'sheet.html'}")
    expect(page.locator("img")).to_have_count(18)
    wait_for_pictures(page.locator("img"))
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth === 64)")
    page.get_by_text(say("sheet_data_of", n=18)).click()
    shoot(page, lang, "compare-3-sheet")

    # What does not fit is said at its field, once, and the page stays as it was.
    page.goto(f"{address}/{lang}/compare?run=first&id=ja")
    expect(page.locator("#sheet img").first).to_be_visible()
    page.locator("#models input").press_sequentially("nobody/0001")
    page.locator("#models input").press("Enter")
    expect(page.locator("#models .inline-error")).to_contain_text(say("error_title"))
    expect(page.get_by_text(say("error_title"))).to_have_count(1)
    expect(page.locator("#sheet img").first).to_be_visible()


@pytest.mark.slow
@pytest.mark.browser
def test_frames_fill_while_pictures_are_drawn(address, monkeypatch, open_page):
    # The third picture waits until the first two were seen.
    seen, numbers, generate = threading.Event(), itertools.count(1), LivePipeline.generate

    def waits(self, *requests):
        if next(numbers) == 3:
            assert seen.wait(60)
        return generate(self, *requests)

    monkeypatch.setattr(LivePipeline, "generate", waits)
    page = open_page(LOCALES["en"])
    enter(page, address)
    page.goto(f"{address}/en/compare?run=first&view=playground")
    expect(page.locator("#sheet .empty")).to_have_text(t("en", "playground_empty"))
    type_into(page.locator("#try input, #try textarea"), "a bowl, mended with gold")
    page.locator("#try input, #try textarea").press("Enter")
    expect(page.locator("#sheet img")).to_have_count(2, timeout=LOADING)
    expect(page.locator("#sheet .no-picture")).to_have_count(4)
    expect(page.locator("#drawing")).to_contain_text("2 of 6")
    expect(page.locator("#sheet figcaption")).to_have_count(0)
    page.evaluate("document.querySelector('.sheet').scrollTop = 40")
    seen.set()
    expect(page.locator("#draw")).to_have_text(t("en", "all_drawn"), timeout=LOADING)
    expect(page.locator("#sheet img")).to_have_count(6)
    assert page.evaluate("document.querySelector('.sheet').scrollTop") == 40
    expect(page.locator("#sheet figcaption").first).to_be_hidden()
    page.get_by_label(t("en", "show_scores")).check()
    expect(page.locator("#sheet figcaption").first).to_be_visible()

    # Shift and a click choose what takes turns on one place; a click holds what is seen.
    page.locator("#sheet img").nth(5).click(modifiers=["Shift"])
    expect(page.get_by_label(t("en", "right_picture"), exact=True)).to_have_value(re.compile("mended with gold"))
    page.get_by_label(t("en", "overlay_turns")).check()
    page.locator(".flicker").click()
    expect(page.locator(".flicker.held .turn:visible")).to_have_count(1)

    # A better image of the prompt that was tried: other seeds, the best beside what was asked for.
    page.locator("#better-budget input[type=number]").fill("6")
    page.locator("#better-start").click()
    expect(page.locator("#better-found img").first).to_be_visible(timeout=LOADING)
    expect(page.locator("#better-found")).to_contain_text(re.compile("6 images"))
    expect(page.locator("#better-start")).to_be_enabled(timeout=LOADING)
    expect(page.locator("#better-cancel")).to_be_hidden()
    page.get_by_label(t("en", "better_ab_mcts")).check()
    expect(page.locator("#better-wordings")).to_be_visible()
    shoot(page, "en", "compare-5-better")

    # Five stops between two models, and the recipe of where the sliders stand.
    page.get_by_label(t("en", "view_blend")).check()
    expect(page.locator("#sheet thead th")).to_have_count(5)
    expect(page).to_have_url(re.compile("view=blend&first=.+&second=.+&prompt="))
    page.locator("#save-blend").click()
    with page.expect_download() as recipe:
        page.locator("#saved-blend").click()
    assert recipe.value.suggested_filename.endswith("-50.json")
    shoot(page, "en", "compare-4-blend")
