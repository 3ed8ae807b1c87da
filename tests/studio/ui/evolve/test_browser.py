"""The Evolve page in a real Chromium: a run that waits, one that goes on, one that is ended."""

from __future__ import annotations

import re
import shutil
import time

import pytest
from playwright.sync_api import expect

from benchmarks.app.pages import served
from studio.execution import control
from studio.execution.creation import create_run
from studio.i18n import t
from studio.jobs.device_queue import acquire_device
from studio.judging.annotations import reject, star
from studio.runs.config import EMBEDDED_PICTURES, embedded
from studio.runs.status import is_running
from studio.ui.common.steering import steer
from studio.ui.common.studio import Studio
from studio.ui.judge import results
from tests import processes
from tests.studio.ui.browser import LOADING, LOCALES, shoot

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A studio for runs that no process carries yet, each of a name of its own."""
    return Studio(tmp_path_factory.mktemp("studio") / "runs", allowed=(tmp_path_factory.getbasetemp(),))


@pytest.fixture(scope="module")
def address(studio):
    """That studio, served on a port of its own."""
    with served(studio.runs, studio.allowed) as found:
        yield found


def short_run(studio, prompt_files, name, evaluations=40):
    """A run over two sources that no process carries yet."""
    evolve, held_out = map(str, prompt_files)
    pictures = {**EMBEDDED_PICTURES.model_dump(), "steps": 1}
    config = embedded(prompts=evolve, held_out=held_out, evaluations=evaluations, archive=6, seed=3, pictures=pictures)
    return create_run(studio.runs / name, config.model_copy(update={"sources": config.sources[:2]}))


def until_free(store):
    deadline = time.monotonic() + 90
    while is_running(store):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_run_that_waits_says_so_and_can_be_taken_out_of_the_line(studio, address, prompt_files, forked, open_page):
    store = short_run(studio, prompt_files, "second")
    with acquire_device(lambda before: None):  # as another run has it
        control.start(store)
        page = open_page(LOCALES["en"])
        page.goto(f"{address}/en/?run=second")
        expect(page.locator("#headline")).to_contain_text("2nd in line", timeout=LOADING)
        expect(page.locator("#headline")).to_contain_text(t("en", "queued_elsewhere"))
        expect(page.get_by_label(t("en", "run"), exact=True).first).to_have_value("second")
        expect(page.locator("#halt")).to_have_text(t("en", "queue_leave"))
        shoot(page, "en", "waiting")
        page.locator("#halt").click()
        expect(page.locator("#headline")).to_contain_text(t("en", "status_stopped"))
        expect(page.locator("#halt")).to_have_text(t("en", "pause"))
        until_free(store)
    store.close()


def test_resume_says_that_it_starts_and_an_early_end_fills_the_bar(
    studio, address, prompt_files, monkeypatch, open_page
):
    asked = []
    monkeypatch.setattr(control, "spawn", lambda *command: asked.append(command))  # it starts once that was seen
    store = short_run(studio, prompt_files, "first")
    store.update(status="stopped")
    page = open_page(LOCALES["ja"])
    page.goto(f"{address}/ja/?run=first")
    expect(page.locator("#headline")).to_contain_text(t("ja", "status_stopped"))
    page.locator("#again").click()
    expect(page.locator("#headline")).to_contain_text(t("ja", "status_new"))
    expect(page.locator("#again")).to_be_disabled()
    processes.start(*asked.pop())
    expect(page.locator("#headline")).to_contain_text(re.compile(r"40 体中 [1-9]"), timeout=LOADING)
    page.locator("#end").click()
    expect(page.locator("#headline")).to_contain_text(t("ja", "status_done"), timeout=LOADING)
    bar = page.locator("#headline progress")
    made = store.count()
    assert 0 < made < 40
    expect(bar).to_have_attribute("value", str(made))
    expect(bar).to_have_attribute("max", str(made))
    until_free(store)
    store.close()


def test_a_run_is_deleted_once_the_question_is_answered(finished, tmp_path, request):
    for name in ("kept", "gone"):
        shutil.copytree(finished.runs / "first", tmp_path / "runs" / name)
    with served(tmp_path / "runs") as address:
        page = request.getfixturevalue("open_page")(LOCALES["ja"])  # Playwright's loop comes last
        page.goto(f"{address}/ja/?run=gone")
        page.get_by_role("button", name=t("ja", "go_on")).click()
        page.locator("#delete-run").click()
        expect(page.locator("#delete-ask")).to_contain_text("gone")
        shoot(page, "ja", "evolve-delete")
        page.locator("#delete-keep").click()
        expect(page.locator("#delete-ask")).to_be_hidden()
        assert (tmp_path / "runs" / "gone").is_dir()
        page.locator("#delete-run").click()
        page.locator("#delete-yes").click()
        expect(page.locator("#headline")).to_contain_text("kept")
        page.close()  # a server waits for whoever listens to it
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["kept"]


def test_a_run_is_steered_by_one_button_and_by_another_no_more(finished, tmp_path, request):
    shutil.copytree(finished.runs / "first", tmp_path / "runs" / "first")
    studio = Studio(tmp_path / "runs")
    with studio.run("first") as store:
        store.change(evaluations=9)
        store.update(status="stopped")
        liked, rejected = [one for one in store.individuals() if one.alive][:2]
    with served(studio.runs) as address:
        page = request.getfixturevalue("open_page")(LOCALES["ja"])  # Playwright's loop comes last
        page.goto(f"{address}/ja/?run=first")
        button, undo = page.locator("#steer"), page.locator("#unsteer")
        button.click()
        expect(page.locator(".toast-body")).to_contain_text("まだ星もボツも投票もありません")
        with studio.run("first") as store:
            star(store, liked, "Aya", on=True)
            reject(store, rejected, "Aya", on=True)
        expect(undo).to_be_hidden()
        button.press("Enter")
        who = f"親になりやすい {liked.id} ×5、親にしない {rejected.id}"
        expect(page.locator("#headline")).to_contain_text(t("ja", "steer_waits", who=who, by=""))
        edge = page.locator(".studio-bar").bounding_box()["x"]
        assert button.bounding_box()["x"] == edge
        shoot(page, "ja", "evolve-steered")
        undo.press("Enter")
        expect(undo).to_be_hidden()
        expect(page.locator("#headline")).not_to_contain_text(liked.id)
        page.close()  # a server waits for whoever listens to it
    assert t("ja", "steer_waits", who="", by="").split("：")[0] not in results.steered(studio, "ja", "first")
    with studio.run("first") as store:
        assert store.state.steer.favour == {}
    steer(studio, "first", "Aya")
    assert f'{who}。 <a href="/ja/?run=first">' in results.steered(studio, "ja", "first")
    assert results.can_steer(studio, "first")
    assert not results.can_steer(finished, "first")
