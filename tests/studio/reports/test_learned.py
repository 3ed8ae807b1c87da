"""What a run's scores say, as page and report show it: every model on a map, or what is missing for one."""

import re
import shutil

import numpy as np
import pytest

from eval.prompts.prompt_set import Prompt
from studio.breeding.score_map import COLUMNS, ROWS, ScoreMap
from studio.breeding.source_effects import Effect, SourceEffect
from studio.breeding.variation import RecipeCrossover
from studio.execution import control
from studio.execution.creation import create_run
from studio.i18n import LANGUAGES, t
from studio.reports.effects_table import effects_table
from studio.reports.learned import learned_section
from studio.reports.recipe_map import MARKS, SCALE, kinds_on_map, recipe_map
from studio.runs.inputs import open_run_sources
from studio.runs.store import open_run
from tests.conftest import stop_with


@pytest.fixture(scope="module")
def known(bred):
    """The run, whose sources were bred from on this machine."""
    RecipeCrossover(bred.config, open_run_sources(bred.config), bred.sources()[0].recipe)
    return bred


def marks(drawn):
    """Kind, address and words of every model on a map that leads somewhere."""
    return re.findall(r'<a href="([^"]+)"><g class="mark (\w+)".*?<title>([^<]+)</title>', drawn)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_model_is_on_the_map_and_leads_to_itself(known, lang):
    drawn = learned_section(lang, known, lambda id: f"/to/{id}")
    everyone = known.individuals()
    kinds = kinds_on_map(everyone)
    expected = {
        f"/to/{one.id}": (
            kind,
            t(lang, "map_node", id=one.id, score=f"{one.mean('ja'):.3f}", what=t(lang, f"map_{kind}")),
        )
        for one, kind in zip(everyone, kinds, strict=True)
    }
    assert {address: (kind, words) for address, kind, words in marks(drawn)} == expected
    for one, kind in zip(everyone, kinds, strict=True):
        assert (f">{one.id}</text>" in drawn) == (kind in ("source", "best", "newest"))
        assert re.search(
            rf'<th scope="row"><a href="/to/{one.id}">{one.id}</a></th><td>{t(lang, f"map_{kind}")}</td>', drawn
        )
    assert t(lang, "map_click") in drawn


def test_without_links_it_is_a_picture_and_leads_nowhere(known):
    drawn = learned_section("en", known)
    assert "<a " not in drawn
    assert 'class="recipe-map" role="img"' in drawn
    assert t("en", "map_click") not in drawn


def test_the_best_lies_on_top_and_the_newest_is_a_child(known):
    everyone = known.individuals()
    kinds = dict(zip((one.id for one in everyone), kinds_on_map(everyone), strict=True))
    best = max((one for one in everyone if one.alive and not one.is_source), key=lambda one: one.mean("ja"))
    assert kinds[best.id] == "best"
    assert kinds[everyone[-1].id] in ("newest", "best")
    assert [kind for _, kind, _ in marks(learned_section("en", known, str))][-1] == next(iter(MARKS)) == "best"


def test_where_little_is_known_the_ground_is_pale_and_bears_no_line(known):
    everyone = known.individuals()
    slope = np.tile(np.linspace(0.2, 0.4, COLUMNS), (ROWS, 1))
    points = np.full((len(everyone), 2), 0.5)
    sure = recipe_map("en", ScoreMap(1.0, points, slope, np.ones((ROWS, COLUMNS))), everyone)
    unsure = recipe_map("en", ScoreMap(1.0, points, slope, np.zeros((ROWS, COLUMNS))), everyone)
    assert re.findall(r">(0\.\d\d)</text>", sure)[:2] == ["0.24", "0.28"]
    assert 'class="lines"' in sure
    assert 'class="lines"' not in unsure
    level = recipe_map("en", ScoreMap(1.0, points, np.full((ROWS, COLUMNS), 0.3), np.ones((ROWS, COLUMNS))), everyone)
    assert 'class="lines"' not in level
    assert SCALE[0] in sure


def test_effects_are_a_table_of_those_that_are_sure():
    prompts = [Prompt(id=id, category=category, ja=ja, en=id) for id, category, ja in
               (("sushi", "food", "寿司"), ("ox", "animals", "牡牛"), ("hotel", "travel", "ホテル"))]  # fmt: skip
    effects = [
        SourceEffect("flat", "first", {"food": Effect(0.02, 0.004)}, (0, Effect(0.03, 0.01))),
        SourceEffect("real", "second", {"animals": Effect(-0.01, 0.009)}, None),
    ]
    drawn = effects_table("ja", effects, prompts)
    rows = [re.sub(r"<[^>]+>", "|", row) for row in re.findall(r"<tr>.*?</tr>", drawn)]
    cells = [[cell.strip() for cell in row.split("|") if cell.strip()] for row in rows]
    assert cells == [
        [t("ja", "effects_more_of"), "食べ物", "動物・自然", t("ja", "effects_strongest")],
        ["flat・前半", "▲ +0.020", "±0.004", "▲ +0.030", "±0.010", "寿司"],
        ["real・後半", "▼ -0.010", "±0.009"],
    ]
    assert re.findall(r"--part:(\d+)%", drawn) == ["100", "50"]


def test_three_models_are_too_few(known, pair_config, tmp_path):
    store = create_run(tmp_path / "run", pair_config)
    control.carry_out(store, stop_with(3))
    assert learned_section("en", store) == f'<p class="quiet">{t("en", "learned_few", fewest=4, n=3)}</p>'
    store.close()


def test_sources_that_were_not_read_here_are_not_read_for_it(known, tmp_path, monkeypatch):
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path))
    assert t("ja", "learned_unread") in learned_section("ja", known)
    assert not list(tmp_path.rglob("*.npy"))


def test_sources_that_are_gone_are_asked_for(known, tmp_path):
    shutil.copytree(known.folder, tmp_path / "run")
    settings = tmp_path / "run" / "run.yaml"
    settings.write_text(settings.read_text("utf-8").replace("assets/family", "assets/gone"), "utf-8")
    moved = open_run(tmp_path / "run")
    assert t("en", "learned_gone") in learned_section("en", moved)
    moved.close()
