"""The lightbox in a real Chromium, by mouse and by keys: every picture of a page, large, and what is thought of it."""

from __future__ import annotations

import re
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from benchmarks.app.pages import served
from studio.i18n import LANGUAGES, t
from studio.judging.annotations import ANNOTATIONS_FILE, read_annotations
from studio.ui.common.studio import Studio
from tests.studio.ui.browser import LOCALES, shoot, walked_in

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def starred(finished, tmp_path_factory):
    """Copies of the finished run: one by language to put marks on, and one to pin prompts for.

    Marks that other tests gave are not in them.
    """
    runs = tmp_path_factory.mktemp("starred") / "runs"
    for name in (*LANGUAGES, "pinned"):
        shutil.copytree(finished.runs / "first", runs / name, ignore=shutil.ignore_patterns(ANNOTATIONS_FILE))
    return Studio(runs)


@pytest.fixture(scope="module")
def address(starred):
    with served(starred.runs, starred.allowed) as found:
        yield found


@pytest.mark.parametrize("lang", walked_in("ja"))
def test_pictures_are_stepped_through_and_marked_by_keys(lang, starred, address, open_page):
    page = open_page(LOCALES[lang], color_scheme={"en": "light", "ja": "dark"}[lang])
    page.goto(f"{address}/{lang}/archive?run={lang}&__theme={ {'en': 'light', 'ja': 'dark'}[lang] }")
    page.locator("#wall .picture img").first.click()
    box = page.locator("dialog.lightbox")
    title, captions = box.locator("h2"), box.locator(".caption")
    expect(box).to_be_visible()
    expect(box.locator("figure img")).to_have_count(2)
    first = page.locator("#wall .opens").first.inner_text()
    expect(title).to_contain_text(first)
    expect(box.locator("img.small")).to_have_count(2)  # once they are here: 64 pixels are shown as pixels
    # As large as the window: the smaller of two sides of a figure holds it.
    sides = box.locator("img").evaluate_all("all => all.map((one) => Math.min(one.clientWidth, one.clientHeight))")
    assert min(sides) > 400
    shoot(page, lang, "lightbox")
    serious = [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == []

    before = captions.first.inner_text()
    page.keyboard.press("ArrowDown")
    expect(captions.first).not_to_have_text(before)
    page.keyboard.press("ArrowUp")
    expect(captions.first).to_have_text(before)
    page.keyboard.press("ArrowRight")
    expect(title).not_to_contain_text(first)
    second = title.inner_text().split(" ")[0]
    page.keyboard.press("s")
    star = box.get_by_role("button", name=re.compile(re.escape(t(lang, "lightbox_star"))))
    expect(star).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("x")
    expect(box.locator("[aria-pressed=true]")).to_have_count(2)
    with starred.run(lang) as store:
        said = read_annotations(store)[store.individual(second).recipe.digest]
    assert (said.stars, said.tags) == (5, ("rejected",))
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(page.locator("#wall .picture a").first).to_be_focused()

    # Enter opens what is chosen, C compares.
    page.keyboard.press("Enter")
    expect(box).to_be_visible()
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile(rf"/{lang}/compare\?run={lang}&id={re.escape(first)}"))


def test_a_click_with_shift_picks_for_compare_and_pins_choose_the_pictures(address, open_page):
    page = open_page(LOCALES["en"])
    page.goto(f"{address}/en/archive?run=pinned")
    cards = page.locator("#wall .wall-card")
    names = [cards.nth(place).get_attribute("data-id") for place in range(2)]
    expect(cards.first.locator("img")).to_have_count(4)
    width = cards.first.locator("img").first.evaluate("one => one.clientWidth")
    assert width >= 160
    for place in range(2):
        cards.nth(place).locator("h3").click(modifiers=["Shift"])
    bar = page.locator(".picked-bar")
    expect(bar).to_have_text(f"Compare: {names[0]}, {names[1]}")
    expect(bar).to_have_attribute("href", f"/en/compare?run=pinned&id={names[0]},{names[1]}")
    page.locator("#pins .token-remove").first.click()
    expect(cards.first.locator("img")).to_have_count(3)
    page.reload()
    expect(cards.first.locator("img")).to_have_count(3)
    shoot(page, "en", "wall")
