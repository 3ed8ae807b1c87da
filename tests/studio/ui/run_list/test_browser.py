"""The list of runs in a real Chromium: its table, sorted and labelled, and the notice when a run ends."""

from __future__ import annotations

import contextlib
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from studio.i18n import t
from studio.run_folders.labels import RunLabel, read_label
from studio.runs.status import locked
from studio.runs.store import open_run
from tests.studio.ui.browser import LOCALES, SHOTS

pytestmark = pytest.mark.browser


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


def test_whoever_asked_is_told_when_a_run_is_stuck_and_when_it_ends(second, finished_address, monkeypatch, open_page):
    page = open_page(LOCALES["en"])
    # A Chromium without windows has nowhere to show a notice and refuses; whoever asked has allowed it.
    page.add_init_script("""window.told = [];
        window.Notification = class extends Notification {
          static get permission() { return "granted"; }
          static async requestPermission() { return "granted"; }
          constructor(title, more) { super(title, more); window.told.push([title, more.body]); }
        };
        window.asking = 0;  // looks at the runs whose answer nobody has read
        const fetched = window.fetch;
        window.fetch = async (...asked) => {
          if (!String(asked[0]).startsWith("/run-list/")) return fetched(...asked);
          window.asking++;
          try {
            const answer = await fetched(...asked), text = await answer.text();
            return { ok: answer.ok, json: async () => JSON.parse(text) };
          } finally {
            setTimeout(() => window.asking--);
          }
        };""")
    listed = page.locator("#run-list li").filter(has_text="second")
    with contextlib.closing(open_run(second)) as store:
        with locked(store):
            store.update(status="running")
            page.goto(f"{finished_address}/en/monitor")
            page.get_by_role("button", name=t("en", "run_list")).click()
            expect(listed).to_have_class("going")
            bell = page.get_by_role("button", name=t("en", "run_notice"))
            expect(bell).to_have_attribute("aria-pressed", "false")
            bell.click()
            expect(bell).to_have_attribute("aria-pressed", "true")
            page.wait_for_function("asking === 0")  # how the runs were when it was pressed is known
            assert page.evaluate("told") == []
            for limit in ("STUCK_TIMES", "STUCK_SECONDS"):
                monkeypatch.setattr(f"studio.runs.summary.{limit}", 0)
            page.evaluate("document.dispatchEvent(new Event('studio-runs'))")
            stuck = t("en", "short_made", state=t("en", "short_stuck"), done=3, of=3)
            expect(listed).to_contain_text(stuck)
            page.wait_for_function("told.length")
        store.update(status="failed")
        page.evaluate("document.dispatchEvent(new Event('studio-runs'))")
        expect(listed).not_to_have_class("going")
        page.wait_for_function("told.length > 1")
        state = t("en", "short_made", state=t("en", "short_failed"), done=3, of=3)
        assert page.evaluate("told") == [["second", stuck], ["second", state]]
        store.update(status="running")  # and no process: it is told once, and it was not going on in between
        page.evaluate("document.dispatchEvent(new Event('studio-runs'))")
        expect(listed).to_contain_text(t("en", "short_interrupted"))
        assert len(page.evaluate("told")) == 2
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "false")
