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

# With the mouse; a key that presses a button makes a click without a place.
COUNT_CLICKS = """addEventListener("click", (event) => {
  if (event.detail) sessionStorage.clicks = 1 + Number(sessionStorage.clicks ?? 0);
}, true)"""


def wait_for_the_end(studio, seconds=120):
    """Until the run's process has let go of it: tests leave nothing running."""
    deadline = time.monotonic() + seconds
    for name in studio.run_names():
        with studio.run(name) as store:
            while is_running(store) or store.state.status == "new":
                assert time.monotonic() < deadline, (store.folder / "run.log").read_text("utf-8")
                time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.browser
def test_a_first_afternoon(address, empty: Studio, prompt_files, open_page):
    """Somebody runs and exports in English, with the mouse; somebody else watches and exports in Japanese, by keys."""
    ours, theirs = (arrives(open_page, address, lang) for lang in LANGUAGES)
    by_tab(theirs, theirs.get_by_role("button", name=t("ja", "evolve_four")))
    a_short_run_is_started(ours, prompt_files)
    expect(ours).to_have_url(re.compile(rf"/en/\?run={re.escape(empty.run_names()[0])}$"))
    theirs.goto(f"{address}/ja/?run={empty.run_names()[0]}")
    for page, lang in ((ours, "en"), (theirs, "ja")):
        expect(page.locator("#newest article").first).to_be_visible(timeout=LOADING)
        expect(page.locator("#newest img").first).to_be_visible()
        shoot(page, lang, "2-evolving")
    for page, lang in ((ours, "en"), (theirs, "ja")):
        expect(page.locator("#headline")).to_contain_text(t(lang, "status_done"), timeout=2 * LOADING)
        expect(page.locator("#report")).to_be_visible()
        expect(page.locator("#report")).to_contain_text(t(lang, "row_average"))
        page.screenshot(path=SHOTS / f"{lang}-3-done.png", full_page=True)
    wait_for_the_end(empty)

    # From the card at the end to a named export; tests of its own walk through every step.
    ours.locator(".film .action.primary").click()
    named(ours, "en").fill("sakura-07")
    for step in ("#next-1", "#next-2", "#next-3", "#next-4", "#go"):
        ours.locator(step).click()
    expect(ours.locator("#finished")).to_contain_text("sha256", timeout=LOADING)
    assert ours.evaluate("sessionStorage.clicks") == "7"  # Start was the first
    ours.screenshot(path=SHOTS / "en-6-export.png", full_page=True)
    by_tab(theirs, theirs.locator(".film .action.primary")).press("Enter")
    by_tab(theirs, named(theirs, "ja")).press("Control+a")
    theirs.keyboard.type("momiji-07")
    for step in ("#next-1", "#next-2", "#next-3", "#next-4", "#go"):
        by_tab(theirs, theirs.locator(step)).press("Enter")
    expect(theirs.locator("#finished")).to_contain_text("sha256", timeout=LOADING)
    assert theirs.evaluate("sessionStorage.clicks") == "1"  # that of the first visit
    for name in ("sakura-07", "momiji-07"):
        assert (empty.exports / name / "model_index.json").is_file()

    # The archive: click one, travel to an ancestor.
    ours.goto(f"{address}/en/?run={empty.run_names()[0]}")
    ours.get_by_role("navigation", name=t("en", "tour")).get_by_role("link", name=t("en", "page_archive")).click()
    ours.locator("#wall .opens").first.click()
    expect(ours.locator("#detail article.pair").first).to_be_visible()
    expect(ours).to_have_url(re.compile(r"/archive\?run=.+&id="))
    shoot(ours, "en", "4-archive")
    ours.goto(re.sub(r"id=[^&]+", "id=0001", ours.url))
    expect(ours.locator("#title h2")).to_have_text("0001")
    ours.get_by_role("button", name=t("en", "lineage")).click()
    ours.locator("#family button.gallery-item, #family .thumbnail-item").first.click()
    expect(ours.locator("#title h2")).not_to_have_text("0001")

    # The other language shows the same thing.
    theirs.goto(f"{address}/en/archive?run={empty.run_names()[0]}&id=0001")
    for lang in ("ja", "en", "ja"):
        expect(theirs.locator("#title h2")).to_have_text("0001")
        theirs.locator("a.language").click()
        expect(theirs).to_have_url(re.compile(rf"/{lang}/archive\?run=.+&id=0001"))
    expect(theirs.locator("#title h2")).to_have_text("0001")

    # Compare it with the best source.
    theirs.locator("#title").get_by_role("link", name=t("ja", "to_compare")).click()
    expect(theirs.locator("#sheet tbody tr")).to_have_count(2)
    theirs.locator("#draw").click()
    expect(theirs.locator("#draw")).to_have_text(t("ja", "all_drawn"), timeout=LOADING)
    expect(theirs.locator("#sheet img").first).to_be_visible()
    shoot(theirs, "ja", "5-compare")


def named(page, lang):
    """The field with the export's name, once one is suggested."""
    title = page.get_by_label(t(lang, "title"), exact=True)
    expect(title).not_to_have_value("")
    return title


def by_tab(page, wanted):
    """Goes to something with the Tab key alone, and gives it."""
    expect(wanted).to_be_enabled()
    for _ in range(200):
        if wanted.evaluate("one => one === document.activeElement"):
            return wanted
        page.keyboard.press("Tab")
    pytest.fail("Tab never comes to it")


def arrives(open_page, address, lang):
    """A first visit: the browser's language, the four sources, what to press, and what is said to a wrong folder."""
    page = open_page(LOCALES[lang])
    page.add_init_script(COUNT_CLICKS)
    page.goto(address)
    expect(page).to_have_url(f"{address}/{lang}/new")
    expect(page.locator("article.card")).to_have_count(4)
    expect(page.get_by_role("button", name=t(lang, "evolve_four"))).to_be_in_viewport()
    expect(page.locator("#cost")).to_contain_text("200")
    shoot(page, lang, "1-first-visit")

    folders = page.get_by_label(t(lang, "own_folders"))
    type_into(folders, "/nowhere/mine")
    page.locator("#go").click()
    refused = page.locator("#own .inline-error")  # at the field, in the page's language, and nowhere else
    expect(refused).to_contain_text(t(lang, "closed_folder", path="/nowhere/mine", folders="|").split("|")[0])
    expect(page.get_by_text(t(lang, "error_title"))).to_have_count(1)
    expect(folders).to_have_attribute("aria-invalid", "true")
    expect(folders).to_be_focused()
    expect(folders).to_have_value("/nowhere/mine")
    folders.fill("")
    expect(refused).to_have_count(0)
    expect(folders).not_to_have_attribute("aria-invalid", "true")
    return page


def a_short_run_is_started(page, prompt_files):
    """Three offspring of one step, of the embedded family, in English."""
    for key, file in zip(("prompts", "held_out"), prompt_files, strict=True):
        if key == "held_out":
            page.get_by_role("button", name=t("en", "advanced")).click()
        type_into(page.get_by_label(t("en", key), exact=True), str(file))
        page.get_by_label(t("en", key), exact=True).press("Enter")
    number = page.locator("#evaluations input[type=number]")
    number.fill("3")
    number.press("Enter")
    expect(page.locator("#cost")).to_contain_text("6")
    steps = page.get_by_role("spinbutton", name=re.compile(re.escape(t("en", "steps")))).first
    steps.fill("1")
    steps.press("Enter")
    page.evaluate("sessionStorage.clicks = 0")
    page.get_by_role("button", name=t("en", "evolve_four")).click()
    expect(page.locator("#headline progress")).to_be_in_viewport()
    expect(page.locator("#newest article").first).to_be_visible(timeout=LOADING)


@pytest.mark.browser
def test_an_address_names_what_is_shown_and_the_switch_keeps_it(finished_address, open_page):
    page = open_page(LOCALES["en"])
    for name, chosen in (("judge", r"run=first$"), ("weak", r"run=first$"), ("export", r"run=first&id=\w+$")):
        page.goto(f"{finished_address}/en/{name}")
        expect(page).to_have_url(re.compile(rf"/en/{name}\?{chosen}"))
    page.goto(f"{finished_address}/en/?run=first")
    page.get_by_role("button", name=t("en", "go_on")).click()
    page.get_by_role("link", name=t("en", "fork")).click()
    expect(page.locator("#fork-of")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/en/new\?fork=first$"))
    page.goto(f"{finished_address}/en/new?fork=first&noises=3")
    expect(page.locator("#fork-of")).to_be_visible()
    page.locator("a.language").click()
    expect(page).to_have_url(re.compile(r"/ja/new\?fork=first&noises=3$"))
    expect(page.locator("#fork-of input")).to_have_value("first")
    shoot(page, "ja", "fork")
