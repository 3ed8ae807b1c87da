"""The workers of a run on the Evolve page, in a real Chromium: two that draw, one more, one killed, one less."""

from __future__ import annotations

import multiprocessing
import re
import threading

import pytest
from playwright.sync_api import expect

from studio.execution import control, worker_watch
from studio.execution.creation import create_run
from studio.i18n import t
from studio.runs.config import EMBEDDED_PICTURES, embedded
from studio.runs.store import open_run
from studio.ui.new_run.form import form_of
from studio.ui.new_run.form_values import shown_values, typed_form
from studio.workers import process_slot
from tests.processes import FORKED
from tests.studio.ui.browser import LOADING, LOCALES, shoot
from tests.studio.ui.evolve.test_browser import until_free

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
]


@pytest.fixture
def carried_here(monkeypatch):
    """Runs that are started are carried by a thread of this process, whose workers can be killed; forked ones."""
    monkeypatch.setattr(process_slot, "PROCESSES", FORKED)
    monkeypatch.setattr(worker_watch, "SECONDS", 0.2)

    def carry(arguments, log):
        folder = arguments[arguments.index("--out") + 1]
        threading.Thread(target=lambda: control.carry_out(open_run(folder)), daemon=True).start()

    monkeypatch.setattr(control, "spawn", carry)


def test_two_workers_are_shown_with_what_they_draw_and_others_come_and_go(
    empty, address, prompt_files, carried_here, open_page
):
    pictures = {**EMBEDDED_PICTURES.model_dump(), "steps": 1}
    files = {"prompts": str(prompt_files[0]), "held_out": str(prompt_files[1])}
    config = embedded(**files, pictures=pictures, workers=2, evaluations=50_000)  # it is paused, never done
    store = create_run(empty.runs / "pair", config.model_copy(update={"sources": config.sources[:2]}))
    control.start(store)
    page = open_page(LOCALES["en"])
    page.goto(f"{address}/en/?run=pair")
    workers = page.locator("#workers-now")
    rows = workers.locator("tbody tr")
    expect(workers).to_contain_text(re.compile(r"child \S+: \d of 6 prompts"), timeout=LOADING)
    expect(workers).to_contain_text(re.compile(r"2 workers, [\d.]+ evaluations a minute"), timeout=LOADING)
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("float32")
    page.locator("#worker-more").click()
    expect(rows).to_have_count(3, timeout=LOADING)
    multiprocessing.active_children()[0].kill()
    expect(workers).to_contain_text(t("en", "workers_failed", n=1), timeout=LOADING)
    expect(workers.locator("li")).to_contain_text("ended with exit code -9")
    shoot(page, "en", "evolve-workers")
    page.goto(f"{address}/ja/?run=pair")
    expect(workers).to_contain_text(t("ja", "workers_failed", n=1), timeout=LOADING)
    expect(workers.locator("li")).to_contain_text("終了コード -9 で終わりました")
    shoot(page, "ja", "evolve-workers")
    page.locator("#worker-less").click()
    expect(rows).to_have_count(2, timeout=LOADING)
    page.locator("#halt").click()
    expect(workers).to_be_hidden(timeout=LOADING)
    until_free(store)
    assert store.config.workers == 2  # in flight: those who came and went changed nothing of the search
    store.close()


@pytest.mark.parametrize(("typed", "asked"), [(1, None), (2.0, 2), (900, 64), ("", None)])
def test_the_form_asks_for_workers_and_one_is_the_runs_own_process(typed, asked):
    form = typed_form({**shown_values(form_of(embedded())), "workers": typed})
    assert form.config().workers == asked
    assert form_of(form.config()).workers == (asked or 1)
    assert form_of(embedded(workers={"ray": 8})).workers == 8
