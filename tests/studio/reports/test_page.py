"""The report on a run: one page with everything in it, in both languages, from runs in any state."""

import dataclasses
import html
import json
import re
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import assets
from pipelines.recipes.recipe import parse_recipe
from studio.evolution.racing import RaceEnd
from studio.execution import control
from studio.execution.creation import create_run
from studio.i18n import LANGUAGES, t
from studio.png_metadata import generation_data
from studio.reports import report_html
from studio.reports.content import read_report_content
from studio.reports.figures import archive_curves
from studio.runs.config_file import load_config
from studio.runs.individual import PartialScores, Prediction
from studio.runs.inputs import open_run_sources
from studio.runs.results import SHOWN, shown_prompts
from studio.runs.state import Steered
from studio.runs.store import open_run
from studio.runs.summary import calibration_of, racing_of, run_json
from studio.ui.evolve.progress import foresight_lines


@pytest.fixture(scope="module")
def finished(bred, tmp_path_factory):
    """A copy of a finished run, for these tests change what it says of itself."""
    store = open_run(shutil.copytree(bred.folder, tmp_path_factory.mktemp("runs") / "sakura"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def report(finished):
    return read_report_content(finished)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_report_holds_all_that_a_run_tells(finished, report, lang):
    page = report_html(finished, lang)
    assert f'<html lang="{lang}">' in page
    for key in (
        "report",
        "report_pictures",
        "report_curves",
        "niche_map",
        "report_niches",
        "colours_title",
        "report_lineage",
        "licences",
    ):
        assert t(lang, key) in page, key
    for key in ("report_asked", "report_failures", "report_no_failures", "report_again"):
        assert t(lang, key) in page, key
    assert all(name in page for name in assets.NAMES)
    assert all(f"{row['ja']['mean']:.3f}" in page for row in report.results.values())
    assert finished.state.scorer["sha256"] in page
    assert finished.state.machine["versions"]["torch"] in page
    assert report.held_out.digest in page
    assert "apache-2.0" in page


def test_nothing_is_asked_from_a_network_or_a_disk(finished):
    page = report_html(finished, "en")
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', page) == []
    assert re.findall(r"url\((?!#)", page) == []
    assert "default-src 'none'" in page
    assert str(assets.FAMILY) not in page  # nor does it tell where this machine keeps things
    assert str(finished.folder.parent) not in page


def test_the_recipe_in_it_is_the_childs_and_can_be_copied(finished, report):
    page = report_html(finished, "en")
    text = html.unescape(re.search(r'<code id="recipe">(.*?)</code>', page, re.DOTALL)[1])
    assert parse_recipe(text).digest == finished.individual(report.child.id).recipe.digest
    assert [source["uri"] for source in json.loads(text)["sources"]] == list(assets.NAMES)


def test_the_run_file_in_it_can_be_run_where_the_sources_lie(finished, tmp_path):
    page = report_html(finished, "en")
    text = html.unescape(re.search(r'<code id="run-yaml">(.*?)</code>', page, re.DOTALL)[1])
    for name in assets.NAMES:
        (tmp_path / name).symlink_to(assets.FAMILY / name)
    for name in ("prompts.yaml", "held_out.yaml"):
        (tmp_path / name).write_bytes((finished.folder / name).read_bytes())
    (tmp_path / "run.yaml").write_text(text, "utf-8")
    again = load_config(tmp_path / "run.yaml")
    kept = ("sources", "prompts", "held_out", "scorer", "reporter")
    assert again.model_dump(exclude=set(kept)) == finished.config.model_dump(exclude=set(kept))
    assert list(open_run_sources(again)) == list(assets.NAMES)


def test_held_out_pictures_of_every_row_are_kept_and_shown(finished, report):
    assert report.pictures.held_out
    assert report.pictures.models == [*assets.NAMES, "average", "child"]
    prompts = shown_prompts(finished.prompts.held_out)
    assert len(prompts) == min(SHOWN, len(finished.prompts.held_out))
    assert [shown.prompt for shown in report.pictures.captions] == list(prompts.prompts)
    for shown in report.pictures.captions:
        assert len(shown.files) == 2 * len(report.pictures.models)
        assert {generation_data(file)["seed"] for file in shown.files.values()} == {shown.seed}
    place = ("child", "ja")
    assert generation_data(report.pictures.captions[0].files[place])["individual"] == report.child.id
    means = [sum(shown.scores[place] for shown in report.pictures.captions) / len(prompts)]
    assert means == pytest.approx([report.results["child"]["ja"]["mean"]])  # the set is so short that all are shown


def test_niches_have_their_holders(finished, report):
    alive = {one.id: one for one in finished.individuals() if one.alive}
    for row, holding in enumerate(report.holdings):
        best = max(one.scores["ja"][row].mean() for one in alive.values())
        assert holding.score == best
        assert holding.holder is None or alive[holding.holder].scores["ja"][row].mean() == best


def test_a_run_that_is_not_done_is_reported_by_what_it_was_bred_on(small_config, tmp_path):
    store = create_run(tmp_path / "new", small_config)
    page = report_html(store, "en")
    assert t("en", "report_none_yet") in page
    assert "<img" not in page
    store.close()


def test_without_kept_held_out_pictures_those_of_the_niches_are_shown(finished):
    finished.update(report_keys={})
    found = read_report_content(finished)
    assert not found.pictures.held_out
    assert found.pictures.models == [*assets.NAMES, found.child.id]
    assert t("ja", "report_pictures_niches") in report_html(finished, "ja")


def test_sources_that_are_gone_leave_the_rest_of_the_report(small_config, copied, tmp_path, monkeypatch):
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path / "cache"))  # which notes no other place of the same weights
    sources = [str(copied(name)) for name in ("ja", "flat")]
    store = create_run(tmp_path / "run", small_config.model_copy(update={"sources": tuple(sources), "evaluations": 1}))
    control.carry_out(store)
    (tmp_path / "flat" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    page = report_html(store, "en")
    assert t("en", "report_sources_gone") in page
    assert "apache-2.0" in page
    store.close()


def test_what_went_wrong_is_told_and_escaped(finished):
    finished.update(failed_rows={"average": "a <black> picture"})
    page = report_html(finished, "en")
    assert "a &lt;black&gt; picture" in page
    assert t("en", "report_no_failures") not in page
    finished.update(failed_rows={})


@pytest.mark.parametrize("lang", LANGUAGES)
def test_curves_are_sound_svg_in_the_pages_ink_and_letters(report, lang):
    found = archive_curves(lang, report.moments)
    figures = re.findall(r"<svg.*?</svg>", found, re.DOTALL)
    assert len(figures) == 2
    for figure in figures:
        ET.fromstring(figure.replace("xlink:href", "href"))
        assert "currentColor" in figure
        assert "<script" not in figure
    assert t(lang, "curve_coverage") in found
    assert found == archive_curves(lang, report.moments)


def test_the_command_writes_it_and_says_where(finished, m2n2, tmp_path):
    done = m2n2("report", finished.folder, "--lang", "ja", "--out", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "page.html")
    assert t("ja", "report_again") in (tmp_path / "page.html").read_text("utf-8")
    beside = m2n2("report", finished.folder)
    assert beside.stdout.strip() == str(finished.folder.with_name("sakura-report-en.html"))
    refused = m2n2("report", tmp_path)
    assert refused.returncode == 1
    assert "holds no run" in refused.stderr


def test_a_run_without_pictures_is_refused(tmp_path, m2n2):
    (tmp_path / "run.yaml").write_text("kind: any\n")
    refused = m2n2("report", tmp_path)
    assert refused.returncode == 1
    assert "draw no pictures" in refused.stderr


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_run_that_looked_ahead_says_how_well(bred, tmp_path, lang):
    """Of a child whose scores are foreseen but for one prompt, far from it by more than its interval."""
    store = open_run(shutil.copytree(bred.folder, tmp_path / "ahead"))
    assert t(lang, "foresight_found").split("{")[0] not in report_html(store, lang)
    last = store.individuals()[-1]
    scores = last.competing(store.config.competing)
    missed = np.where(np.arange(len(scores)) == 0, 0.5, 0.0)
    expected = Prediction(scores + missed, np.full(len(scores), 0.01))
    alive = [one.id for one in store.individuals() if one.alive]
    store.record([dataclasses.replace(last, id="0005", prediction=expected)], store.state.search or {}, alive)
    found = run_json(store)["foresight"]
    before = np.mean([one.competing(("ja",)) for one in bred.individuals()], axis=0)
    r2 = 1 - 0.25 / ((scores - before) ** 2).sum()
    assert (found["individuals"], found["coverage"]) == (1, 1 - 1 / len(scores))
    assert found["r2"] == pytest.approx(r2)
    said = t(lang, "foresight_found", n=1, r2=f"{r2:.2f}", share=f"{1 - 1 / len(scores):.0%}", meant="80%")
    assert said in report_html(store, lang)
    store.rescore({"0005": {"ja": last.scores["ja"] * 0.9}}, {}, 1)
    again = store.individual("0005")
    assert (again.prediction.mean == expected.mean).all()
    assert (again.scores["ja"] == last.scores["ja"] * 0.9).all()
    assert foresight_lines(lang, None, None) == ""
    everyone = [*bred.individuals(), dataclasses.replace(last, prediction=expected)]
    assert said in foresight_lines(lang, calibration_of(everyone, ("ja",)), None)
    assert calibration_of(everyone[-1:], ("ja",)) is None  # nobody before it, so nothing is usual
    store.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_run_that_was_steered_says_from_where_and_by_whom(bred, tmp_path, lang, m2n2):
    store = open_run(shutil.copytree(bred.folder, tmp_path / "steered"))
    assert "美咲" not in report_html(store, lang)
    store.update(steered=[Steered(by="美咲", favour={"ja": 3.0, "flat": 0.0}, first=2).model_dump()])
    who = t(lang, "steer_and").join((t(lang, "steer_more", models="ja ×3"), t(lang, "steer_never", models="flat")))
    said = t(lang, "steered_from", first=2, by=t(lang, "steered_by", name="美咲"), who=who)
    assert said in report_html(store, lang)
    store.close()
    if lang == "en":
        assert said in m2n2("show", tmp_path / "steered").stdout


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_run_that_raced_says_what_it_spared_and_what_it_missed(bred, tmp_path, lang, m2n2):
    """One was given up after two prompts, at a chance of 2 %; one was drawn to the end to see, at 4 %, and entered."""
    store = open_run(shutil.copytree(bred.folder, tmp_path / "raced"))
    last, alive = store.individuals()[-1], [one.id for one in store.individuals() if one.alive]
    rows = last.scores["ja"].copy()
    rows[2:] = np.nan
    given_up = dataclasses.replace(
        last, id="0005", scores={}, partial=PartialScores(rows), entered=False, race=RaceEnd(0.02, 2)
    )
    audited = dataclasses.replace(last, id="0006", entered=True, race=RaceEnd(0.04, 3))
    store.record([given_up], store.state.search or {}, alive)
    words = t(lang, "racing_found", n=1, chance="2.0%", spared=len(rows) - 2)
    assert words in report_html(store, lang)
    assert t(lang, "racing_audited", n=1, missed=1) not in report_html(store, lang)
    store.record([audited], store.state.search or {}, [*alive, "0006"])
    found = run_json(store)["racing"]
    assert found == {"given_up": 1, "spared": len(rows) - 2, "audited": 1, "missed": 1, "chance": pytest.approx(0.03)}
    said = t(lang, "racing_found", n=1, chance="3.0%", spared=len(rows) - 2)
    for page in (report_html(store, lang), foresight_lines(lang, None, racing_of(store.individuals()))):
        assert f"{said} {t(lang, 'racing_audited', n=1, missed=1)}" in page
    assert store.individual("0005").race == RaceEnd(0.02, 2)
    store.close()
    shown = m2n2("show", tmp_path / "raced").stdout
    assert "racing: 1 offspring given up at a chance of 3.0%, 1 more drawn to the end to see: 1 entered" in shown
