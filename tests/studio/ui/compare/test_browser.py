"""Compare in a real Chromium, in both languages: links, typed captions, arrow keys, the slider, contact sheets."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from benchmarks.app.pages import served
from studio.i18n import LANGUAGES, t
from studio.png_metadata import generation_data
from studio.runs.noise import noise_seed
from tests.studio.ui.browser import LOADING, LOCALES, SHOTS, enter, shoot


@pytest.fixture(scope="module")
def address(finished):
    """The studio whose run is done, before it has drawn anything for this page."""
    with served(finished.runs, finished.allowed) as found:
        yield found


# Gradio's statistics of its own queue use what pandas has deprecated.
@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize(
    ("lang", "at", "typed"), [("en", 0, "金継ぎの茶碗"), ("ja", 2, "漆塗りの椀")], ids=LANGUAGES
)  # each asks for pictures that the other has not drawn
def test_compare(lang, at, typed, address, finished, tmp_path, open_page):  # Playwright's loop comes last
    page = open_page(LOCALES[lang])

    def say(key, **values):
        return t(lang, key, **values)

    with finished.run("first") as store:
        first, second = store.prompts.niches.prompts[at : at + 2]

    # A link names models and captions; what the run kept is there at once.
    enter(page, address)
    page.goto(f"{address}/{lang}/compare?run=first&id=ja,real&id=flat&prompt={first.id},{second.id}")
    expect(page.locator("#sheet tbody tr")).to_have_count(3)
    expect(page.locator("#sheet img")).to_have_count(12)
    expect(page.locator("#over img").first).to_be_visible()
    expect(page.locator("#noise")).to_contain_text(say("noise_of", n=1, of=2))
    expect(page.locator("#sheet thead")).to_contain_text(str(noise_seed(first.id, 0)))
    shoot(page, lang, "compare-1-kept")

    # The address follows the choice, and the other language shows the same.
    page.locator("#known").get_by_role("button").nth(1).click()
    expect(page.locator("#sheet img")).to_have_count(6)
    expect(page).to_have_url(re.compile(rf"id=ja,real,flat&prompt={first.id}$"))
    page.locator("a.language").click()
    expect(page).to_have_url(re.compile(rf"/(?!{lang})\w\w/compare\?.*prompt={first.id}$"))
    expect(page.locator("#sheet img")).to_have_count(6)
    page.locator("a.language").click()
    expect(page.locator("#sheet img")).to_have_count(6)

    # A caption nobody planned, without its twin; arrow keys mean letters while somebody types.
    page.get_by_label(say("caption_ja"), exact=True).fill(typed)
    expect(page.locator("#sheet thead th")).to_have_count(2)
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
    assert page.locator("#sheet img").evaluate_all("all => Math.min(...all.map(one => one.clientWidth))") >= 160
    page.screenshot(path=SHOTS / f"{lang}-compare-2-drawn.png", full_page=True)

    # The address holds what was typed: whoever gets the link sees the same.
    expect(page).to_have_url(re.compile(rf"prompt={first.id}&ja={quote(typed)}$"))
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
