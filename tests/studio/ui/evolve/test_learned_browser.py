"""What a run's scores say, unfolded in a real Chromium: a map that leads to its models, and no barrier in it."""

import re

import pytest
from playwright.sync_api import expect

from studio.breeding.variation import RecipeCrossover
from studio.i18n import t
from studio.reports.recipe_map import kinds_on_map
from studio.runs.inputs import open_run_sources
from tests.studio.ui.browser import LOCALES, shoot, walked_in
from tests.studio.ui.test_accessibility import serious_barriers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
]


@pytest.fixture(scope="module")
def everyone(finished):
    """The run's models; its sources were bred from on this machine."""
    with finished.run("first") as store:
        RecipeCrossover(store.config, open_run_sources(store.config), store.sources()[0].recipe)
        return store.individuals()


@pytest.mark.parametrize("lang", walked_in("en"))
def test_the_map_is_drawn_once_it_is_unfolded_and_leads_to_whom_one_clicks(lang, finished_address, everyone, open_page):
    page = open_page(LOCALES[lang], color_scheme="light")
    page.goto(f"{finished_address}/{lang}/?run=first&__theme=light")
    expect(page.locator("#tree svg")).to_be_visible()
    expect(page.locator(".recipe-map")).to_have_count(0)
    page.get_by_role("button", name=t(lang, "learned")).click()
    plane = page.get_by_role("group", name=t(lang, "map_title"))
    expect(plane.get_by_role("link")).to_have_count(len(everyone))
    expect(page.get_by_role("heading", name=t(lang, "effects_title"))).to_be_visible()
    page.get_by_text(t(lang, "map_table")).click()
    expect(page.locator("#learned details tbody tr")).to_have_count(len(everyone))
    assert serious_barriers(page) == []
    shoot(page, lang, "evolve-learned")
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_timeout(500)  # colours fade
    assert serious_barriers(page, only=["color-contrast"]) == []
    shoot(page, lang, "evolve-learned-dark")
    best = everyone[kinds_on_map(everyone).index("best")]
    plane.get_by_role("link", name=re.compile(f"^{best.id}\\b")).click()
    expect(page).to_have_url(f"{finished_address}/{lang}/archive?run=first&id={best.id}")
    expect(page.locator("#title h2")).to_have_text(best.id)
