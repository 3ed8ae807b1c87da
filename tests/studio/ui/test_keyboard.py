"""Lists of runs by the keyboard alone: Tab passes by and nothing is lost, another choice is shown."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.sync_api import expect

from benchmarks.app.pages import served
from studio.i18n import t
from tests.studio.ui.browser import LOCALES

pytestmark = pytest.mark.browser
TABS = 60  # presses, after which a field cannot be reached


@pytest.fixture(scope="module")
def address(finished, prompt_files, tmp_path_factory):
    """A studio of two runs that are alike and two short prompt sets, served."""
    folder = tmp_path_factory.mktemp("two") / "runs"
    for name in ("first", "second"):
        shutil.copytree(finished.runs / "first", folder / name)
    (folder.parent / "prompts").mkdir()
    for file in prompt_files:
        shutil.copy(file, folder.parent / "prompts")
    with served(folder) as found:
        yield found


def tab_to(page, field, key="Tab"):
    """Press Tab until a field has the focus."""
    expect(field).to_be_visible()
    for _ in range(TABS):
        if field.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{field} is not reached by {key}")


def choose_next(page, field):
    """Choose the entry after the one that a list shows."""
    tab_to(page, field)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")


def opened(open_page, address, path, lang="en"):
    page = open_page(LOCALES[lang])
    page.goto(f"{address}/{lang}/{path}")
    run = page.get_by_label(t(lang, "run"), exact=True).first
    return page, run


def test_archive_keeps_the_open_model(finished, address, open_page):
    with finished.run("first") as store:
        id = store.individuals()[0].id
    page, run = opened(open_page, address, f"archive?run=second&id={id}")
    title = page.locator("#title h2")
    expect(title).to_have_text(id)
    tab_to(page, run)
    page.locator("#wall .opens").first.evaluate("one => one.dataset.before = 1")
    choose_next(page, page.get_by_label(t("en", "sort"), exact=True))  # on the way Tab passes by the run
    expect(page.locator("#wall [data-before]")).to_have_count(0)
    expect(title).to_have_text(id)
    expect(run).to_have_value("second")
    page.keyboard.press("Home")
    tab_to(page, run, "Shift+Tab")
    choose_next(page, run)
    expect(run).to_have_value("first")
    expect(title).to_be_hidden()


def test_compare_keeps_what_was_typed(address, open_page):
    page, run = opened(open_page, address, "compare?run=second", "ja")
    caption = page.get_by_label(t("ja", "caption_ja"), exact=True)
    expect(page.locator("#sheet img").first).to_be_visible()
    tab_to(page, caption)
    page.keyboard.type("tea")
    expect(page.locator("#sheet thead th[scope=colgroup]")).to_have_count(2)
    tab_to(page, run, "Shift+Tab")
    tab_to(page, caption)
    page.keyboard.press("End")  # what Tab comes to is selected
    page.keyboard.type("cup")
    expect(page).to_have_url(re.compile(r"ja=teacup"))
    expect(caption).to_have_value("teacup")
    tab_to(page, run, "Shift+Tab")
    choose_next(page, run)
    expect(caption).to_have_value("")
    expect(run).to_have_value("first")


def test_prompts_keep_a_title_that_is_being_typed(address, open_page):
    page, _ = opened(open_page, address, "prompts?set=evolve")
    chosen = page.get_by_label(t("en", "prompt_set"), exact=True)
    title = page.get_by_label(t("en", "title"), exact=True)
    expect(title).to_have_value("evolve")
    tab_to(page, title)
    page.keyboard.type("mine")
    tab_to(page, chosen, "Shift+Tab")
    tab_to(page, page.locator("#rows tbody tr").first.locator("[data-column='2']"))
    page.keyboard.type("+")
    expect(page.locator("#use a")).to_have_count(0)  # the rows are none of those that are saved
    expect(title).to_have_value("mine")
    tab_to(page, chosen, "Shift+Tab")
    choose_next(page, chosen)
    expect(title).to_have_value("held_out")


def test_evolve_keeps_a_question_and_weak_spots_what_they_saved(address, open_page):
    page, run = opened(open_page, address, "?run=second")
    tab_to(page, page.get_by_role("button", name=t("en", "go_on")))
    page.keyboard.press("Enter")
    tab_to(page, page.locator("#delete-run"))
    page.keyboard.press("Enter")
    question = page.locator("#delete-ask")
    expect(question).to_contain_text("second")
    tab_to(page, run, "Shift+Tab")
    tab_to(page, page.locator("#delete-keep"))
    expect(question).to_be_visible()
    tab_to(page, run, "Shift+Tab")
    choose_next(page, run)
    expect(question).to_be_hidden()

    page, run = opened(open_page, address, "weak?run=second", "ja")
    keep = page.get_by_role("button", name=t("ja", "save_weak"))
    expect(keep).to_be_enabled()
    tab_to(page, keep)
    page.keyboard.press("Enter")
    saved = page.get_by_role("link", name=t("ja", "try_weak"))
    expect(saved).to_be_visible()
    tab_to(page, run, "Shift+Tab")
    tab_to(page, saved)
    expect(saved).to_be_visible()
    tab_to(page, run, "Shift+Tab")
    choose_next(page, run)
    expect(saved).to_be_hidden()
