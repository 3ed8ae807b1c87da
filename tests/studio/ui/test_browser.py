"""The pages in a real Chromium, in both languages: start a run, watch, open an individual, compare, export."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from studio.i18n import LANGUAGES, t
from studio.runs.status import is_running
from studio.ui.common.studio import Studio
from tests.studio.ui.browser import LOADING, LOCALES, SHOTS, shoot, type_into


def wait_for_the_end(studio, seconds=120):
    """Until the run's process has let go of it: tests leave nothing running."""
    deadline = time.monotonic() + seconds
    for name in studio.run_names():
        with studio.run(name) as store:
            while is_running(store) or store.state.status == "new":
                assert time.monotonic() < deadline, (store.folder / "run.log").read_text("utf-8")
                time.sleep(0.2)


# Gradio's statistics of its own queue use what pandas has deprecated.
@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_first_afternoon(lang, address, empty: Studio, prompt_files, request):
    if lang == "ja":  # in English the run begins as it does for a person
        request.getfixturevalue("forked")
    open_page = request.getfixturevalue("open_page")  # Playwright's loop comes last
    page = open_page(LOCALES[lang])

    def say(key, **values):
        return t(lang, key, **values)

    # A first visit: the browser's language, the four sources, and what to press.
    page.goto(address)
    expect(page).to_have_url(f"{address}/{lang}/")
    expect(page.locator("article.card")).to_have_count(4)
    expect(page.get_by_role("button", name=say("evolve_four"))).to_be_in_viewport()
    expect(page.locator("#cost")).to_contain_text("200")
    shoot(page, lang, "1-first-visit")

    # Something that does not fit is said, and the form stays as it is.
    page.get_by_role("button", name=say("own_checkpoints")).click()
    type_into(page.get_by_label(say("own_folders")), "/nowhere/mine")
    page.locator("#go").click()
    refused = page.locator("#own .inline-error")  # at the field, in the page's language, and nowhere else
    expect(refused).to_contain_text(say("closed_folder", path="/nowhere/mine", folders="|").split("|")[0])
    expect(page.get_by_text(say("error_title"))).to_have_count(1)
    expect(page.get_by_label(say("own_folders"))).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label(say("own_folders"))).to_be_focused()
    expect(page.get_by_label(say("own_folders"))).to_have_value("/nowhere/mine")
    page.get_by_label(say("own_folders")).fill("")
    expect(refused).to_have_count(0)
    expect(page.get_by_label(say("own_folders"))).not_to_have_attribute("aria-invalid", "true")

    # A short run.
    for key, file in zip(("prompts", "held_out"), prompt_files, strict=True):
        if key == "held_out":
            page.get_by_role("button", name=say("advanced")).click()
        type_into(page.get_by_label(say(key), exact=True), str(file))
        page.get_by_label(say(key), exact=True).press("Enter")
    number = page.locator("#evaluations input[type=number]")
    number.fill("3")
    number.press("Enter")
    expect(page.locator("#cost")).to_contain_text("6")
    steps = page.get_by_role("spinbutton", name=re.compile(re.escape(say("steps")))).first
    steps.fill("2")
    steps.press("Enter")
    page.get_by_role("button", name=say("evolve_four")).click()
    expect(page.locator("#headline progress")).to_be_in_viewport()
    expect(page.locator("#newest article").first).to_be_visible(timeout=LOADING)
    expect(page.locator("#newest img").first).to_be_visible()
    shoot(page, lang, "2-evolving")
    expect(page.locator("#headline")).to_contain_text(say("status_done"), timeout=2 * LOADING)
    wait_for_the_end(empty)
    expect(page.locator("#report")).to_be_visible()
    expect(page.locator("#report")).to_contain_text(say("row_average"))
    page.screenshot(path=SHOTS / f"{lang}-3-done.png", full_page=True)

    expect(page).to_have_url(re.compile(rf"/{lang}/\?run={re.escape(empty.run_names()[0])}$"))

    # The archive: click one, travel to an ancestor.
    tour = page.get_by_role("navigation", name=say("tour"))
    tour.get_by_role("link", name=say("page_archive")).click()
    page.locator("#wall .opens").first.click()
    expect(page.locator("#detail article.pair").first).to_be_visible()
    expect(page).to_have_url(re.compile(r"/archive\?run=.+&id="))
    shoot(page, lang, "4-archive")
    page.goto(re.sub(r"id=[^&]+", "id=0001", page.url))
    expect(page.locator("#title h2")).to_have_text("0001")
    page.get_by_role("button", name=say("lineage")).click()
    page.locator("#family button.gallery-item, #family .thumbnail-item").first.click()
    expect(page.locator("#title h2")).not_to_have_text("0001")

    # The other language shows the same thing.
    other = next(one for one in LANGUAGES if one != lang)
    page.goto(f"{address}/{lang}/archive?run={empty.run_names()[0]}&id=0001")
    expect(page.locator("#title h2")).to_have_text("0001")
    page.locator("a.language").click()
    expect(page).to_have_url(re.compile(rf"/{other}/archive\?run=.+&id=0001"))
    expect(page.locator("#title h2")).to_have_text("0001")
    page.locator("a.language").click()
    expect(page).to_have_url(re.compile(rf"/{lang}/archive"))
    expect(page.locator("#title h2")).to_have_text("0001")

    # Compare it with the best source.
    page.locator("#title").get_by_role("link", name=say("to_compare")).click()
    expect(page.locator("#sheet tbody tr")).to_have_count(2)
    page.locator("#draw").click()
    expect(page.locator("#draw")).to_have_text(say("all_drawn"), timeout=LOADING)
    expect(page.locator("#sheet img").first).to_be_visible()
    shoot(page, lang, "5-compare")

    # Export it; tests of its own walk through every step.
    page.goto(f"{address}/{lang}/export?run={empty.run_names()[0]}&id=0001")
    title = page.get_by_label(say("title"), exact=True)
    expect(title).not_to_have_value("")
    title.fill("sakura-07")
    for number in range(1, 5):
        page.locator(f"#next-{number}").click()
    expect(page.locator("#place")).to_contain_text("sakura-07")
    page.locator("#go").click()
    expect(page.locator("#finished")).to_contain_text("sha256", timeout=LOADING)
    assert (empty.exports / "sakura-07" / "model_index.json").is_file()
    page.screenshot(path=SHOTS / f"{lang}-6-export.png", full_page=True)


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
@pytest.mark.browser
def test_an_address_names_what_is_shown_and_the_switch_keeps_it(finished_address, open_page):
    page = open_page(LOCALES["en"])
    for name, chosen in (("judge", r"run=first$"), ("weak", r"run=first$"), ("export", r"run=first&id=\w+$")):
        page.goto(f"{finished_address}/en/{name}")
        expect(page).to_have_url(re.compile(rf"/en/{name}\?{chosen}"))
    page.goto(f"{finished_address}/en/?fork=first&noises=3")
    expect(page.locator("#fork-of")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/en/\?fork=first&noises=3&run=first$"))
    page.locator("a.language").click()
    expect(page).to_have_url(re.compile(r"/ja/\?run=first&fork=first&noises=3$"))
    expect(page.locator("#fork-of input")).to_have_value("first")
    shoot(page, "ja", "fork")
