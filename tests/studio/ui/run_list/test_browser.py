"""The table of runs in a real Chromium: opened from the list, sorted, labelled; the list follows."""

from __future__ import annotations

import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from studio.i18n import t
from studio.run_folders.labels import RunLabel, read_label
from tests.studio.ui.browser import LOCALES, SHOTS

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")]


@pytest.fixture
def second(finished):
    """A second run beside the finished one, to be called otherwise; gone afterwards."""
    folder = finished.runs / "second"
    shutil.copytree(finished.runs / "first", folder)
    yield folder
    shutil.rmtree(folder)


def test_the_table_is_sorted_and_a_run_is_called_otherwise(second, finished_address, open_page):
    page = open_page(LOCALES["ja"], color_scheme="dark")
    page.goto(f"{finished_address}/ja/monitor?__theme=dark")
    page.get_by_role("button", name=t("ja", "run_list")).click()
    page.locator("#run-list .runs-table").click()
    names = page.locator("#run-table tbody b")
    column = page.locator("#run-table th[data-key=name]")
    for order, direction in ((["first", "second"], "ascending"), (["second", "first"], "descending")):
        column.get_by_role("button").click()
        expect(column).to_have_attribute("aria-sort", direction)
        expect(names).to_have_text(order)
    page.get_by_role("button", name=f"{t('ja', 'run_label_edit')}: second").click()
    fields = page.locator("#run-table form input")
    for place, text in enumerate(("春の実験", "<b>メモ</b>", "client, v2")):
        fields.nth(place).fill(text)
    fields.last.press("Enter")
    expect(names.first).to_have_text("春の実験")
    expect(page.locator("#run-table tbody")).to_contain_text("<b>メモ</b>")
    assert read_label(second) == RunLabel("春の実験", "<b>メモ</b>", ("client", "v2"))
    expect(page.locator("#run-list")).to_contain_text("春の実験")
    page.get_by_role("searchbox", name=t("ja", "run_table_find")).fill("V2")
    expect(names).to_have_text(["春の実験"])
    page.screenshot(path=SHOTS / "ja-run-table.png")
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    page.keyboard.press("Escape")  # empties the field, then closes the table
    page.keyboard.press("Escape")
    expect(page.locator("#run-table")).to_be_hidden()
