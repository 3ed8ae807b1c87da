"""What the Evolve page shows of a run, and what a poll of it reads."""

import shutil
import time
from types import SimpleNamespace

import pytest

import assets
from studio.analysis import look_alikes
from studio.errors import RunError
from studio.exporting.card_content import individual_card_content
from studio.i18n import LANGUAGES, Lang, t
from studio.runs import summary
from studio.runs.inputs import open_run_sources
from studio.runs.status import locked
from studio.runs.summary import status
from studio.ui.common.studio import Studio
from studio.ui.evolve import plots, progress
from studio.ui.evolve.progress import glance, results_header, results_table, run_view
from studio.ui.evolve.run_control import accept
from tests.conftest import files_opened

ROW = {kind: {"mean": 0.4, "low": 0.3514, "high": 0.4496} for kind in ("ja", "en", "consistency")}


@pytest.mark.parametrize(("lang", "average"), [("en", "average of all sources"), ("ja", "全素材モデルの平均")])
def test_results_table_shows_a_distance_below_nothing_as_nothing(lang: Lang, average: str) -> None:
    rows = results_table(lang, {"real": ROW, "average": ROW}, None, {"real": 0.0154, "average": -0.0004})
    assert [row[0] for row in rows] == ["real", average]
    assert [row[-1] for row in rows] == ["0.015", "0.000"]
    assert all(len(row) == len(results_header(lang)) for row in rows)


def test_results_table_without_reference_pictures() -> None:
    assert [row[-1] for row in results_table("en", {"real": ROW}, None, {})] == ["–"]


def test_a_poll_opens_the_run_it_shows_and_no_other(finished, tmp_path):
    for name in ("one", "two", "three"):
        shutil.copytree(finished.runs / "first", tmp_path / "runs" / name)
    studio = Studio(tmp_path / "runs")
    run_view(studio, "en", "two")  # as the page is loaded
    with files_opened() as opened:
        assert "two" in studio.run_names()
        glance(studio, "en", "two")
    assert sorted(file.relative_to(studio.runs).as_posix() for file in opened) == ["two/run.db", "two/run.yaml"]
    seen = run_view(studio, "en", "two")
    assert glance(studio, "en", "two") == (seen.mark, seen.headline, seen.workers)


@pytest.mark.parametrize(("lang", "words"), [("en", "torch was version 1"), ("ja", "torch のバージョンが 1 から 2")])
def test_what_has_changed_is_asked_about_and_a_statement_stays(lang: Lang, words: str, finished, tmp_path, monkeypatch):
    shutil.copytree(finished.runs / "first", tmp_path / "runs" / "first")
    studio, started = Studio(tmp_path / "runs"), []
    assert run_view(studio, lang, "first").question == ""
    difference = {"kind": "version", "name": "<b>torch", "was": "1", "now": "2"}
    with studio.run("first") as store:
        store.update(differences=[difference], status="failed")
    asked = run_view(studio, lang, "first").question
    assert words in asked.replace("&lt;b&gt;", "")
    assert "<b>torch" not in asked
    monkeypatch.setattr("studio.execution.control.spawn", lambda arguments, log: started.append(arguments))
    with pytest.raises(RunError, match=t("en", "accept_empty")):
        accept(studio, "first", " ")
    accept(studio, "first", " both give the same pictures ")
    (arguments,) = started
    assert arguments[-1] == "--accept=both give the same pictures"
    with studio.run("first") as store:
        store.update(
            accepted=[{"when": "", "after": 2, "why": "<i>tried", "differences": [difference]}], differences=[]
        )
        card = individual_card_content(store, store.individual("0001"), open_run_sources(store.config), "title", "")
    assert "After 2 offspring the run went on though version had changed: \\<i\\>tried." in card.summary
    shown = run_view(studio, lang, "first")
    assert "&lt;i&gt;tried" in shown.headline
    assert shown.question == ""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_run_of_which_nothing_comes_is_called_stuck_with_what_to_do(lang: Lang, finished, tmp_path, monkeypatch):
    shutil.copytree(finished.runs / "first", tmp_path / "<runs>" / "first")
    studio = Studio(tmp_path / "<runs>")
    with studio.run("first") as store, locked(store):
        for going, word in (("running", "stuck"), ("reporting", "stuck_reporting")):
            store.update(status=going, began=time.time())
            assert status(store)["stuck"] is None
            tomorrow = SimpleNamespace(time=lambda: time.time() + 86_400)
            with monkeypatch.context() as later:
                later.setattr(summary, "time", tomorrow)
                assert pytest.approx(status(store)["stuck"], abs=5) == 86_400
                words = glance(studio, lang, "first").headline
            assert t(lang, word, done=3, of=3, time="").split("：" if lang == "ja" else ":")[0] in words
            assert "&lt;runs&gt;/first/run.log</code>" in words
            assert "<runs>" not in words


def test_what_a_run_was_and_is_steered_by_is_said(finished, tmp_path):
    shutil.copytree(finished.runs / "first", tmp_path / "runs" / "first")
    studio = Studio(tmp_path / "runs")
    with studio.run("first") as store:
        store.change(evaluations=9)
        entry = {"by": "<b>Aya", "first": 2, "favour": {"ja": 5.0, "real": 0.5, "flat": 0.0}}
        store.update(status="stopped", steered=[entry], steer={"by": "", "favour": {}})
    words = run_view(studio, "en", "first").headline
    assert "Steered from child 2 on (by &lt;b&gt;Aya): more often ja ×5; less often real ×0.5; never flat." in words
    assert t("en", "steer_ends", by="") in words
    with studio.run("first") as store:
        store.update(steered=[entry, {"by": "", "first": 4, "favour": {}}])
    shown = run_view(studio, "ja", "first")
    assert "子 2 ～ 3 に反映しました（&lt;b&gt;Aya さん）" in shown.headline
    assert (shown.can_steer, shown.is_steered) == (True, False)


def test_the_family_tree_leads_to_everyone_alive(finished):
    tree = progress.drawings(finished, "en", "first").tree
    with finished.run("first") as store:
        alive = [one.id for one in store.individuals() if one.alive]
    assert all(f"/en/archive?run=first&amp;id={id}" in tree for id in alive)
    assert 'class="gone"' not in tree or len(alive) < 7


def test_a_run_is_seen_with_its_report(finished):
    seen = progress.run_view(finished, "en", "first")
    assert "Done" in seen.headline
    assert not seen.can_stop
    assert not seen.can_resume
    drawn = progress.drawings(finished, "en", "first")
    assert set(drawn.progress["line"]) == {progress.t("en", line) for line in plots.LINES}
    assert drawn.progress["made"].max() == 3
    assert [row[0] for row in seen.table][:4] == list(assets.NAMES)
    assert "best source" in seen.verdict
    assert seen.newest.index("0003") < seen.newest.index("0002")
    assert progress.run_view(finished, "ja", "first").mark == seen.mark


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_run_whose_models_all_look_alike_says_so_and_what_would_keep_them_apart(lang, finished, monkeypatch):
    newest = progress.run_view(finished, lang, "first").newest
    assert t(lang, "option_apart") not in newest.unescape()
    monkeypatch.setattr(look_alikes, "LOOK_ALIKE", 100.0)
    with finished.run("first") as store:
        alive = sum(one.alive for one in store.individuals())
    newest = progress.run_view(finished, lang, "first").newest
    assert t(lang, "settled", n=alive) in newest.unescape()
    assert t(lang, "settled_apart", option=t(lang, "option_apart")) in newest.unescape()
    with finished.run("first") as store:
        kept_apart = progress.settled_line(lang, store.individuals(), apart=True)
    assert t(lang, "option_apart") not in kept_apart.unescape()


def test_the_map_rings_who_holds_each_niche(finished):
    with finished.run("first") as store:
        prompts = store.prompts.niches
        alive = sorted((one for one in store.individuals() if one.alive), key=lambda one: -one.mean("ja"))
    shown = progress.drawings(finished, "en", "first").niches
    for row, prompt in enumerate(prompts.prompts):
        best = max(alive, key=lambda one: one.scores["ja"][row].mean())
        said = progress.t(
            "en", "niche_cell", id=best.id, prompt=prompt.ja, score=f"{best.scores['ja'][row].mean():.3f}"
        )
        assert f"<title>{said}{progress.t('en', 'niche_held')}</title>" in shown
    assert shown.count('class="held"') == len(prompts)
    assert shown.count('class="column"') == len(prompts)
