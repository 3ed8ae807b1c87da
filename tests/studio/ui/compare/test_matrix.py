"""The matrix either way round, cells that fill as they are drawn, the playground, two pictures on one place."""

import re
from dataclasses import replace

import pytest

from studio.i18n import LANGUAGES, t
from studio.runs.inputs import RunPrompts
from studio.runs.noise import noise_seed
from studio.ui.compare.cells import Place, ask_typed
from studio.ui.compare.choice import Choice, Window
from studio.ui.compare.grid import draw, look
from studio.ui.compare.matrix_html import arrivals, matrix, noise_label
from studio.ui.compare.models import yardsticks
from studio.ui.compare.overlay import first_two, flicker, overlay, picture_names, place_of, value_of
from studio.ui.compare.progress import News
from studio.ui.compare.view import SHOWN, compared, shown


def keys(text):
    return re.findall(r'data-cell="(\w+)"', text)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_columns_are_captions_by_languages_by_seeds(fresh, config, lang):
    prompts = RunPrompts(config).niches.prompts[:2]
    known = tuple(prompt.id for prompt in prompts)
    grid = compared(fresh, lang, "first", Choice(models=("ja", "flat"), known=known, ja="<b>", noises=3))
    found = matrix(lang, grid, range(2))
    assert found.count('<th scope="colgroup"') == 3
    assert re.findall(r'colspan="(\d+)"', found) == ["4", "4", "2"]  # what was typed has no twin
    assert found.count('<th scope="col"') == 10
    assert len(set(keys(found))) == 20
    assert found.count("<img") == 8  # of the first seed, that the run kept
    assert found.count("no-picture") == 12
    seeds = [t(lang, "noise_seed", seed=noise_seed(prompts[0].id, noise)) for noise in range(3)]
    assert [seed in found for seed in seeds] == [True, True, False]
    assert "<b>&lt;" not in found
    assert "&lt;b&gt;" in found
    assert t(lang, "from_the_run") in found
    assert "2" in noise_label(lang, grid, range(2))


def test_models_across_have_a_row_per_caption_language_and_seed(fresh, config):
    known = (RunPrompts(config).niches.ids[0],)
    grid = compared(fresh, "en", "first", Choice(models=("ja", "flat", "real"), known=known))
    found = matrix("en", grid, range(2), models_across=True)
    assert found.count('<th scope="col"') == 3
    assert found.count('<th scope="row"') == 4
    assert sorted(keys(found)) == sorted(keys(matrix("en", grid, range(2))))


def test_a_picture_fills_the_frame_that_was_empty_for_it(fresh):
    grid = compared(fresh, "en", "first", Choice(models=("ja",), ja="宇宙人", en="alien", noises=2))
    frames, came = keys(matrix("en", grid, range(2))), []
    draw(fresh, grid, lambda place, cell: came.append((place, cell)))
    told = [arrivals("en", News(grid, [one], 1, 4, None)) for one in came]
    assert sorted(key for text in told for key in keys(text)) == sorted(frames)
    assert all(text.count("<img") == 1 and "figcaption" not in text for text in told)
    drawn = matrix("en", look(fresh, grid.rows, grid.asked), range(2))
    assert keys(drawn) == frames  # what a page shows by then has the same keys
    assert drawn.count("<b>") == 4


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_playground_has_the_best_beside_what_it_must_beat(fresh, config, lang):
    models = yardsticks(fresh, lang, "first")
    with fresh.run("first") as store:
        everyone = store.individuals()
    alive = [one for one in everyone if one.alive and not one.is_source]
    best = max(alive, key=lambda one: one.mean("ja"))
    source = max((one for one in everyone if one.is_source), key=lambda one: one.mean("ja"))
    assert [model.label for model in models] == [best.id, source.id, t(lang, "row_average")]
    assert [model.part for model in models[:2]] == [t(lang, "part_winner"), t(lang, "part_best_source")]
    tried = Choice(view="playground", tried=("a red boat", "赤い船"), noises=1)
    grid = compared(fresh, lang, "first", tried)
    assert [(prompt.ja, prompt.en) for prompt in grid.asked.prompts] == [(None, "a red boat"), ("赤い船", None)]
    assert len(grid.undrawn) == 6
    assert compared(fresh, lang, "first", replace(tried, tried=())) is None


def test_a_caption_of_the_set_that_is_tried_has_its_noise(config):
    prompt = RunPrompts(config).niches.prompts[0].model_copy(update={"en": None})
    asked = ask_typed(config, [prompt.ja], noises=1)
    assert asked.seed(0, 0) == noise_seed(prompt.ja, 0)  # its twin is not asked for: it is another prompt


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("view", ["matrix", "playground", "blend"])
def test_an_empty_view_says_what_to_do(fresh, lang, view):
    choice = Choice(view=view)
    found = shown(fresh, lang, "first", choice, Window(), compared(fresh, lang, "first", choice))
    assert set(found) == set(SHOWN)
    assert t(lang, f"{view}_empty") in found["table"]
    assert found["grid"] is None


def test_every_part_that_shows_a_comparison_has_a_value(fresh, config):
    choice = Choice(models=("ja", "flat"), known=(RunPrompts(config).niches.ids[0],), noises=3)
    grid = compared(fresh, "en", "first", choice)
    found = shown(fresh, "en", "first", choice, Window(2, 2), grid)
    assert set(found) == set(SHOWN)
    assert found["window"] == Window(2, 2)
    assert t("en", "drawn_of", done=4, of=12) in found["drawing"]
    assert "noise=3" in found["address"]


def test_any_two_pictures_are_laid_over_each_other_or_take_turns(fresh, config):
    known = (RunPrompts(config).niches.ids[0],)
    grid = compared(fresh, "en", "first", Choice(models=("ja", "flat"), known=known, noises=1))
    names = picture_names("en", grid, range(1))
    left, right = first_two(names)
    assert (left, right) == ("0/0/0/ja", "1/0/0/ja")
    one, other = overlay(fresh, grid, left, right)
    assert one.size == other.size
    assert one.width >= 400
    turns = flicker("en", grid, left, "1/0/0/en")
    assert re.findall(r'src="([^"]+)"', turns) == [
        grid.cells[Place(0, 0, 0, "ja")].address, grid.cells[Place(1, 0, 0, "en")].address
    ]  # fmt: skip
    for absent in (None, "0/0/1/ja", "9/0/0/ja"):
        assert overlay(fresh, grid, left, absent) is None
        assert flicker("en", grid, left, absent) == ""


def test_a_place_reads_back_and_nothing_else_does():
    place = Place(3, 1, 2, "en")
    assert place_of(value_of(place)) == place
    assert [place_of(text) for text in ("", "1/2/3", "1/2/x/ja", "1/2/3/fr", "-1/2/3/ja", None)] == [None] * 6
