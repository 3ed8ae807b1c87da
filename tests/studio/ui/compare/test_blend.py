"""What lies between two models of a run: stops, pictures that are there at once, the recipe that is saved."""

import re
import shutil

import pytest

from pipelines.recipes.recipe import load_recipe
from studio.breeding.variation import RecipeCrossover
from studio.errors import RunError
from studio.formatting import format_score
from studio.i18n import LANGUAGES, t
from studio.library.model_reference import open_recipe_sources
from studio.licences.inheritance import inherited_licences
from studio.runs.inputs import open_run_sources
from studio.ui.common.studio import Studio
from studio.ui.compare.blend import Mix, expected_words, save_mix, stop_models, stops
from studio.ui.compare.choice import Choice
from studio.ui.compare.view import compared

PAIR = Choice(view="blend", first="ja", second="real")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), [(0, 0), (25, 25), (50, 50), (75, 75), (100, 100)]),
        (Choice(attention=60, rest=10), [(0, 0), (25, 25), (50, 50), (60, 60), (75, 75), (100, 100)]),
        (Choice(moved="attention", attention=25, rest=10), [(0, 10), (25, 10), (50, 10), (75, 10), (100, 10)]),
        (Choice(moved="rest", attention=80, rest=0), [(80, 0), (80, 25), (80, 50), (80, 75), (80, 100)]),
    ],
)
def test_five_stops_and_where_the_sliders_stand(choice, expected):
    assert stops(choice) == [Mix(*mix) for mix in expected]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_models_at_both_ends_are_the_two_themselves(finished, lang):
    models = stop_models(finished, lang, "first", PAIR)
    assert (models[0].label, models[-1].label) == ("ja", "real")
    assert [model.individual is not None for model in models] == [True, False, False, False, True]
    assert len({model.label for model in models}) == 5
    shares = models[1].recipe.shares["attention"]
    assert (shares["ja"], shares["real"]) == (0.75, 0.25)


def test_attention_goes_apart_from_the_rest(finished):
    moved = Choice(view="blend", first="ja", second="real", moved="attention", attention=0, rest=75)
    shares = stop_models(finished, "en", "first", moved)[-1].recipe.shares
    assert (shares["attention"]["real"], shares["backbone"]["real"]) == (1.0, 0.75)


def test_the_plain_average_can_be_blended_too(finished):
    models = stop_models(finished, "en", "first", Choice(view="blend", first="average", second="0001"))
    one, half, other = (models[number].recipe.shares["attention"] for number in (0, 2, 4))
    assert half == pytest.approx({name: (one[name] + other[name]) / 2 for name in one})


def test_pictures_that_the_run_kept_of_both_ends_are_there_at_once(finished):
    studio = Studio(finished.runs, previewer=finished.previewer, allowed=finished.allowed)
    with studio.run("first") as store:
        prompt = store.prompts.niches.ids[0]
    choice = Choice(view="blend", first="ja", second="real", known=(prompt,), noises=1)
    grid = compared(studio, "en", "first", choice)
    assert {place.model for place in grid.cells} == {0, 4}
    assert {place.model for place in grid.undrawn} == {1, 2, 3}


def test_a_saved_blend_is_a_recipe_with_its_sources_and_licences(finished):
    choice = Choice(view="blend", first="0001", second="ja", moved="attention", attention=30, rest=60)
    file = save_mix(finished, "en", "first", choice)
    assert file.name == "first-0001-ja-30-60.json"
    recipe = load_recipe(file)
    with finished.run("first") as store:
        one, other = (store.individual(id).recipe for id in ("0001", "ja"))
    for part, share in (("attention", 0.3), ("backbone", 0.6)):
        expected = (1 - share) * one.shares[part]["ja"] + share * other.shares[part]["ja"]
        assert recipe.shares[part]["ja"] == pytest.approx(expected, abs=1e-12)
    assert [(source.name, source.licence, source.sha256) for source in recipe.sources] == [
        (source.name, source.licence, source.sha256) for source in one.sources
    ]
    opened = open_recipe_sources(recipe, relative_to=file.parent)  # as `m2n2 merge` does
    assert {entry.name for entry in inherited_licences(recipe, opened)} <= set(opened)


@pytest.mark.parametrize("second", [None, "0001"])
def test_two_different_models_are_asked_for(finished, second):
    with pytest.raises(RunError, match="two different models"):
        save_mix(finished, "en", "first", Choice(view="blend", first="0001", second=second))


@pytest.fixture
def known_sources(finished):
    """The run's sources were bred from on this machine."""
    with finished.run("first") as store:
        RecipeCrossover(store.config, open_run_sources(store.config), store.sources()[0].recipe)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_the_stops_should_score_is_said_before_anything_is_drawn(finished, known_sources, lang):
    told = expected_words(finished, lang, "first", PAIR)
    with finished.run("first") as store:
        ends = [format_score(store.individual(id).mean("ja")) for id in ("ja", "real")]
        scored = sum("ja" in one.scores for one in store.individuals())
    stops_told = re.findall(r"<li( class=\"found\")?><span>(\d+) %</span> <b class=\"number\">([^<]+)</b>", told)
    assert [(bool(found), percent) for found, percent, _ in stops_told] == [
        (True, "0"), (False, "25"), (False, "50"), (False, "75"), (True, "100"),
    ]  # fmt: skip
    assert [stops_told[0][2], stops_told[-1][2]] == ends
    assert all(re.fullmatch(r"0\.\d{3} ± 0\.\d{3}", score) for _, _, score in stops_told[1:-1])
    assert t(lang, "blend_expected", n=scored) in told


def test_nothing_is_said_where_the_sources_would_have_to_be_read_for_it(finished, tmp_path, monkeypatch):
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path))
    assert expected_words(finished, "en", "first", PAIR) == ""
    assert not list(tmp_path.rglob("*.npy"))


def test_blends_whose_sources_are_gone_are_looked_at_without_it(finished, known_sources, tmp_path):
    shutil.copytree(finished.runs, tmp_path / "runs")
    settings = tmp_path / "runs" / "first" / "run.yaml"
    settings.write_text(re.sub(r"assets/family", "assets/gone", settings.read_text("utf-8")), "utf-8")
    moved = Studio(tmp_path / "runs")
    assert expected_words(moved, "en", "first", PAIR) == ""
    assert len(stop_models(moved, "en", "first", PAIR)) == 5
