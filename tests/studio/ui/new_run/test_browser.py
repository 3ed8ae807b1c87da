"""The New run page in a real Chromium: numbers out of range, a run that waits behind another, a fork, a first day."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from studio.execution import control
from studio.i18n import t
from studio.jobs.device_queue import acquire_device
from studio.run_folders.labels import read_label
from studio.runs.status import ask_to_stop, is_running
from tests.studio.ui.browser import LOADING, LOCALES, shoot
from tests.studio.ui.evolve.test_browser import short_run, until_free

pytestmark = pytest.mark.browser


def test_numbers_out_of_range_and_empty_ones_cost_what_the_field_says(finished_address, open_page):
    page = open_page(LOCALES["en"])
    page.goto(f"{finished_address}/en/new")
    number, cost = page.locator("#evaluations input[type=number]"), page.locator("#cost")
    for typed, counted in (("5000", "1000"), ("", "1"), ("7", "7")):
        number.fill(typed)
        expect(cost).to_contain_text(re.compile(rf"\b{counted} (offspring|children)"))
    number.fill("5000")
    number.blur()
    expect(number).to_have_value("1000")
    expect(cost).to_contain_text(re.compile(r"\b1000 (offspring|children)"))
    expect(page.locator(".toast-body")).to_have_count(0)


def test_evolve_without_a_run_leads_to_where_one_is_started(address, open_page):
    page = open_page(LOCALES["ja"])
    page.goto(f"{address}/ja/")
    expect(page.locator("#no-run")).to_contain_text(t("ja", "no_runs"))
    expect(page).to_have_title(f"{t('ja', 'page_evolve')} · m2n2-studio")
    shoot(page, "ja", "evolve-no-run")
    page.get_by_role("link", name=t("ja", "new_run")).click()
    expect(page).to_have_url(f"{address}/ja/new")
    expect(page).to_have_title(f"{t('ja', 'page_new')} · m2n2-studio")
    expect(page.locator("#quick")).to_be_visible()


@pytest.mark.slow
def test_a_run_started_beside_another_says_its_place_and_leads_to_evolve(
    empty, address, prompt_files, forked, open_page
):
    first = short_run(empty, prompt_files, "first")
    with acquire_device(lambda before: None):  # as a run of another studio has it
        control.start(first)
        deadline = time.monotonic() + 90
        while not is_running(first):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        page = open_page(LOCALES["en"])
        page.goto(f"{address}/en/new")
        expect(page.locator("#cost")).to_contain_text(t("en", "cost_line", place="2nd"))
        expect(page.locator("#quick")).to_be_hidden()
        page.locator("#run-name :is(input, textarea)").fill("Spring")
        page.locator("#beyond > button").click()
        page.get_by_role("checkbox", name=t("en", "option_early_rejection")).check()
        shoot(page, "en", "new-run-beyond")
        page.locator("#go").click()
        expect(page.locator("#headline")).to_contain_text("3rd in line", timeout=LOADING)
        (second,) = set(empty.run_names()) - {"first"}
        expect(page).to_have_url(re.compile(rf"/en/\?run={second}$"))
        assert page.evaluate("window.scrollY") == 0
        with empty.run(second) as store:
            assert store.config.early_rejection
            assert read_label(store.folder).title == "Spring"
            for one in (store, first):
                ask_to_stop(one)
                until_free(one)
    first.close()
