"""The first pictures are seen before Gradio has started, and give way to the page."""

import pytest
from playwright.sync_api import expect

from tests.studio.ui.browser import LOCALES, shoot, walked_in

SEEN = "performance.getEntriesByName('first-picture').length"
LOOK = ".first-look"


def unanswered(page):
    """Keep what Gradio asks for waiting; returns what waits."""
    waiting = []
    page.route("**/queue/join**", lambda route: waiting.append(route))
    return waiting


@pytest.mark.parametrize("lang", walked_in("ja"))
@pytest.mark.parametrize(("path", "own"), [("archive?run=first", "#wall"), ("", "#film")])
def test_pictures_are_there_before_the_page_and_then_the_pages_own(finished_address, open_page, lang, path, own):
    page = open_page(LOCALES[lang])
    waiting = unanswered(page)
    page.goto(f"{finished_address}/{lang}/{path}")
    page.wait_for_function(SEEN)
    expect(page.locator(LOOK)).to_be_visible()
    assert page.evaluate("document.querySelectorAll('.picture').length") == 0  # Gradio has nothing to show yet
    shoot(page, lang, f"first-look-{own[1:]}")
    for one in waiting:
        one.continue_()
    page.unroute("**/queue/join**")
    expect(page.locator(LOOK)).to_have_count(0)
    expect(page.locator(f"{own} .picture img").first).to_be_visible()


def test_whoever_presses_something_gets_the_page_itself(finished_address, open_page):
    page = open_page(LOCALES["en"])
    unanswered(page)
    page.goto(f"{finished_address}/en/archive?run=first")
    page.wait_for_function(SEEN)
    page.keyboard.press("Tab")
    expect(page.locator(LOOK)).to_have_count(0)


def test_an_address_that_names_nothing_shows_no_pictures_of_another_run(finished_address, open_page):
    page = open_page(LOCALES["en"])
    page.goto(f"{finished_address}/en/archive?run=nosuch")
    expect(page.locator("#not-found")).to_contain_text("nosuch")
    assert page.evaluate(SEEN) == 0
