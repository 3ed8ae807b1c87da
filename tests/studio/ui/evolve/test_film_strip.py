"""The best of a run beside its best source on the pinned prompts: while it goes, and as a card at its end."""

from __future__ import annotations

import re
from html import unescape

import pytest
from playwright.sync_api import expect

from studio.analysis.selection import best_source
from studio.execution import control
from studio.execution.creation import create_run
from studio.i18n import LANGUAGES, t
from studio.judging.pinned_prompts import pin_prompts, pinned_prompts
from studio.ui.evolve.film_strip import film_strip
from tests.conftest import stop_after, stop_with
from tests.studio.ui.browser import LOCALES


def headings(drawn):
    """The words of every heading, tags taken out."""
    return [unescape(re.sub(r"<[^>]+>", "", found)) for found in re.findall(r"<h3.*?</h3>", drawn)]


def pictured(drawn, id):
    """The prompts of whose pictures by a model the strip shows any, in order."""
    return re.findall(rf'alt="{id}: ([^"]+)"', drawn)


def test_sources_alone_then_the_best_offspring_over_them(pair_config, tmp_path):
    store = create_run(tmp_path / "run", pair_config)
    assert film_strip("en", store, store.individuals()) == ""
    control.carry_out(store, stop_with(2))
    source = best_source(store.individuals())
    pinned = [prompt.ja for prompt in pinned_prompts(store)]
    drawn = film_strip("en", store, store.individuals())
    assert t("en", "film_none_yet") in drawn
    assert pictured(drawn, source.id) == pinned
    control.carry_out(store, stop_after(2))
    everyone = store.individuals()
    best = max((one for one in everyone if one.alive and not one.is_source), key=lambda one: one.mean("ja"))
    drawn = film_strip("en", store, everyone)
    first, second, third = headings(drawn)
    assert first.startswith(f"{t('en', 'film_best')} {best.id} {best.mean('ja'):.3f}")
    assert second == f"{t('en', 'film_source')} {source.id} {source.mean('ja'):.3f} "
    assert third == t("en", "film_average")
    assert f"{best.mean('ja') - source.mean('ja'):+.3f}" in first
    assert pictured(drawn, best.id) == pictured(drawn, source.id) == pictured(drawn, "average") == pinned
    store.close()


def test_who_pins_prompts_chooses_what_the_strip_shows(finished):
    with finished.run("first") as store:
        last, first = (store.prompts.niches.prompts[place] for place in (-1, 0))
        try:
            pin_prompts(store, [last.id, first.id])
            drawn = film_strip("en", store, store.individuals())
            assert pictured(drawn, store.state.child) == [last.ja, first.ja]
        finally:
            pin_prompts(store, [])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_card_at_the_end_says_what_the_report_says_and_where_to_go_next(finished, lang):
    with finished.run("first") as store:
        drawn = film_strip(lang, store, store.individuals())
        child, source = store.state.child, store.state.comparisons["best_source"]
        average = store.state.comparisons["child_minus_average"]["ja"]
    assert set(re.findall(r'alt="([^:"]+): ', drawn)) == {child, source}
    numbers = {part: f"{average[part]:+.3f}" for part in ("mean", "low", "high")}
    assert headings(drawn) == [t(lang, "film_done", id=child)]
    assert t(lang, "verdict_average", **numbers) in unescape(drawn)
    assert "**" not in drawn
    places = [unescape(place) for place in re.findall(r'class="action[^"]*" href="([^"]+)"', drawn)]
    assert places == [
        f"/{lang}/archive?run=first&id={child}",
        f"/{lang}/compare?run=first&id={child}%2C{source}",
        f"/{lang}/judge?run=first",
        f"/{lang}/export?run=first&id={child}",
    ]


@pytest.mark.slow
@pytest.mark.browser
def test_its_pictures_are_large_and_its_links_lead_on(finished_address, open_page):
    page = open_page(LOCALES["en"])
    page.goto(f"{finished_address}/en/?run=first")
    expect(page.locator("#film img").first).to_be_visible()
    for width in (800, 1280, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        sides = page.locator("#film img").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().width)")
        assert min(sides) >= 160, width
    page.get_by_role("link", name=t("en", "film_compare")).click()
    expect(page.locator("#sheet img").first).to_be_visible()
