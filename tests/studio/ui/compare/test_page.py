"""Comparisons over a finished run: what is there at once, what is drawn, what is said beside each picture."""

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from PIL import Image
from starlette.datastructures import QueryParams

import assets
from pipelines.errors import M2N2Error
from studio.errors import RunError
from studio.i18n import t
from studio.png_metadata import generation_data
from studio.runs.config import embedded
from studio.runs.inputs import RunPrompts
from studio.runs.noise import noise_seed
from studio.ui.common.cancellable import Cancelled
from studio.ui.common.frame import query_values
from studio.ui.common.studio import DRAWN_KEPT
from studio.ui.compare import downloads, view
from studio.ui.compare.cells import MOST_PROMPTS, Place, ask
from studio.ui.compare.choice import Choice
from studio.ui.compare.grid import content, draw, look
from studio.ui.compare.grid import picture as picture_of
from studio.ui.compare.models import asked_models, contender, contenders, first_choice


def compared(studio, models, known=(), ja="", en="", noises=1, quality="run"):
    choice = Choice(models=models, known=known, ja=ja, en=en, noises=noises, quality=quality)
    return view.compared(studio, "en", "first", choice)


@pytest.mark.parametrize(
    ("address", "values"),
    [("id=a,b&id=c", ["a", "b", "c"]), ("id=a,a", ["a"]), ("id=,", []), ("other=a", [])],
)
def test_an_address_names_several_by_commas_or_repeated(address, values):
    assert query_values(SimpleNamespace(query_params=QueryParams(address)), "id") == values


def test_the_page_opens_with_those_asked_for_or_the_best_beside_the_best_source(finished):
    found, chosen = first_choice(finished, "en", "first", ["0001"])
    with finished.run("first") as store:
        best = max((one for one in store.individuals() if one.is_source), key=lambda one: one.mean("ja"))
    assert chosen == ["0001", best.id]
    assert {value for _, value in found} >= set(assets.NAMES)
    assert first_choice(finished, "en", "first", ["ja", "real", "flat"])[1] == ["ja", "real", "flat"]
    assert first_choice(finished, "en", "first")[1][0] == found[0][1]
    with pytest.raises(RunError, match="no individual 'nobody'"):
        first_choice(finished, "en", "first", ["nobody"])


def test_what_an_address_asks_too_much_or_in_vain_is_said(finished):
    everybody = ["ja", "real", "flat", "base", "0001", "0002", "0003", "average"]
    there, said = asked_models(finished, "en", "first", ["nobody", *everybody, "first/ja"], [])
    assert there == everybody
    assert len(said) == 2
    assert "no individual 'nobody'" in said[0]
    assert said[1] == "8 models fit side by side; left out: first/ja."
    with finished.run("first") as store:
        known = store.prompts.niches.ids[0]
    assert asked_models(finished, "ja", "first", ["ja", "real"], [known]) == (["ja", "real"], [])
    assert asked_models(finished, "en", "first", [], [known, "absent"])[1] == [
        "The run first has no prompt called absent."
    ]


def test_models_come_from_this_run_from_another_and_from_recipe_files(finished, tmp_path):
    here, there = (contender(finished, "en", "first", named) for named in ("0001", "first/0001"))
    here.recipe.save(tmp_path / "sakura.json")
    read = contender(finished, "en", "first", str(tmp_path / "sakura.json"))
    assert here.recipe == there.recipe == read.recipe
    assert [one.label for one in (here, there, read)] == ["0001", "first/0001", "sakura"]
    assert {other.individual.id for other in here.others} >= {here.individual.mother, here.individual.father}
    with pytest.raises(RunError, match="no run called 'elsewhere'"):
        contender(finished, "en", "first", "elsewhere/0001")
    with pytest.raises(M2N2Error, match="cannot be read"):
        contender(finished, "en", "first", str(tmp_path / "recipe.json"))
    with pytest.raises(RunError, match="one to 8"):
        contenders(finished, "en", "first", list("abcdefghi"))


def test_the_plain_average_of_the_sources_is_a_model_like_any_other(finished):
    found, _ = first_choice(finished, "en", "first")
    assert found[-1] == (t("en", "row_average"), "average")
    for named in ("average", "first/average"):
        average = contender(finished, "ja", "first", named)
        assert average.label == t("ja", "row_average")
        assert average.recipe.shares["attention"] == pytest.approx(dict.fromkeys(assets.NAMES, 0.25))


def test_a_typed_caption_of_the_set_has_the_noise_it_was_judged_by(config):
    known = RunPrompts(config).niches.prompts[1]
    asked = ask(config, [], f" {known.ja} ", known.en, noises=2)
    assert asked.prompts == (known,)
    assert asked.seed(0, 1) == noise_seed(known.id, 1)
    own = ask(config, [known.id], "金継ぎの茶碗", "", noises=1)
    assert [prompt.ja for prompt in own.prompts] == [known.ja, "金継ぎの茶碗"]
    assert own.request(Place(0, 1, 0, "en")) is None
    assert own.request(Place(0, 1, 0, "ja")).seed == noise_seed("金継ぎの茶碗", 0)


def test_captions_are_at_least_one_and_not_too_many(config):
    with pytest.raises(RunError, match=f"one to {MOST_PROMPTS} captions, found 0"):
        ask(config, [], " ", "", noises=1)
    with pytest.raises(RunError, match=f"one to {MOST_PROMPTS} captions, found {MOST_PROMPTS + 1}"):
        ask(config, [prompt.id for prompt in RunPrompts(config).niches.prompts], "もう一つ", "", noises=1)


def test_pictures_of_the_run_are_there_at_once_with_its_scores(fresh, config):
    prompt = RunPrompts(config).niches.prompts[2]
    grid = compared(fresh, ["ja", "real"], [prompt.id])
    assert len(grid.cells) == 4
    assert grid.missing == []
    with fresh.run("first") as store:
        ja, real = store.individual("ja"), store.individual("real")
    cell = grid.cells[Place(1, 0, 0, "en")]
    assert cell.file == fresh.runs / "first" / "images" / "real" / f"{prompt.id}-en-0.png"
    assert cell.score == real.scores["en"][2, 0]
    assert cell.others[0] == ("ja", ja.scores["en"][2, 0])
    assert grid.alike[Place(0, 0, 0, "ja")] == ja.scores["consistency"][2, 0]


def test_other_settings_noises_and_captions_are_not_taken_from_the_run(fresh, config):
    prompt = RunPrompts(config).niches.prompts[0]
    assert compared(fresh, ["ja"], [prompt.id], quality="final").cells == {}
    assert {place.noise for place in compared(fresh, ["ja"], [prompt.id], noises=2).cells} == {0}
    assert compared(fresh, ["ja"], ja=prompt.ja, en="something else").cells == {}
    assert compared(fresh, [], [prompt.id]) is None
    assert compared(fresh, ["ja"]) is None


def test_what_is_missing_is_drawn_model_by_model_and_remembered(fresh, config, monkeypatch):
    prompt, woven = RunPrompts(config).niches.prompts[0], []
    draw_once = fresh.previewer.draw
    monkeypatch.setattr(
        fresh.previewer,
        "draw",
        lambda recipe, *more, **options: woven.append(recipe.name) or draw_once(recipe, *more, **options),
    )
    grid = compared(fresh, ["ja", "0001"], [prompt.id], "金継ぎの茶碗", noises=2)
    told = []
    draw(fresh, grid, lambda place, cell: told.append((place, fresh.drawn.at(cell.address) is not None)))
    assert woven == ["ja", "0001"]
    drawn = look(fresh, grid.rows, grid.asked)
    assert drawn.missing == []
    assert told == [(place, True) for place in grid.undrawn]  # each as soon as it is drawn
    assert all(0 <= cell.score <= 1 for cell in drawn.cells.values())
    pairs = {place for place in drawn.cells if place.prompt == 0 and place.language == "ja"}
    assert set(drawn.alike) == pairs  # the typed caption has no twin
    assert compared(fresh, ["0001"], ja="金継ぎの茶碗", noises=2).missing == []  # another choice of the same pictures


def test_two_looks_are_alike_until_the_choice_or_the_pictures_differ(fresh, config):
    first, second = RunPrompts(config).niches.prompts[:2]
    shown = compared(fresh, ["ja"], [first.id], noises=2)
    assert shown.is_like(compared(fresh, ["ja"], [first.id], noises=2))
    assert not shown.is_like(compared(fresh, ["real"], [first.id], noises=2))
    assert not shown.is_like(compared(fresh, ["ja"], [second.id], noises=2))
    draw(fresh, shown)  # another window does
    assert not shown.is_like(compared(fresh, ["ja"], [first.id], noises=2))


def test_who_cancels_keeps_what_is_drawn(fresh):
    grid, told = compared(fresh, ["ja", "real"], ja="宇宙人", en="alien"), []

    def stop(place, _):
        told.append(place)
        if len(told) == 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        draw(fresh, grid, stop)
    cells = look(fresh, grid.rows, grid.asked).cells
    assert set(cells) == set(told)
    assert [place.model for place in told] == [0, 0, 1]
    assert all(cell.score is not None for cell in cells.values())


def test_more_pictures_than_are_kept_are_refused_before_any_is_drawn(fresh):
    models = ["ja", "real", "flat", "base", "0001", "0002", "0003", "average"]
    grid = replace(compared(fresh, models, ja="宇宙人", en="alien", noises=8), cells={})
    grid = replace(grid, missing=[*grid.missing] * 4)
    with pytest.raises(RunError, match=f"at most {DRAWN_KEPT} images to generate at once, found 512"):
        draw(fresh, grid)


def test_every_picture_says_which_model_drew_it_and_from_which_seed(fresh, config):
    prompt = RunPrompts(config).niches.prompts[0]
    grid = compared(fresh, ["ja", "0002"], [prompt.id], noises=2)
    draw(fresh, grid)
    grid = look(fresh, grid.rows, grid.asked)
    for place, cell in grid.cells.items():
        said = generation_data(io.BytesIO(content(fresh, cell)))
        assert said["individual"] == ["ja", "0002"][place.model]
        assert said["recipe"] == grid.rows[place.model].recipe.digest
        assert said["seed"] == noise_seed(prompt.id, place.noise)
        assert said["language"] == place.language
    kept = grid.cells[Place(0, 0, 0, "ja")]
    assert picture_of(fresh, kept).tobytes() == Image.open(kept.file).convert("RGB").tobytes()


def test_scores_stand_beside_those_of_parents_and_best_source(fresh, config):
    with fresh.run("first") as store:
        child = next(one for one in store.individuals() if not one.is_source and one.entered)
        mother = store.individual(child.mother)
        row = 3
        prompt = RunPrompts(config).niches.prompts[row]
    grid = compared(fresh, [child.id], [prompt.id])
    beside = dict(grid.cells[Place(0, 0, 0, "ja")].others)
    assert beside[t("en", "mother", id=mother.id)] == mother.scores["ja"][row, 0]


def test_a_contact_sheet_tells_all_of_every_picture(fresh, config):
    prompts = RunPrompts(config).niches.prompts[:2]
    grid = compared(fresh, ["ja", "real"], [prompt.id for prompt in prompts])
    files = downloads.sheet_files(fresh, "ja", "first", grid)
    said = generation_data(files.png)
    assert len(said["pictures"]) == 8
    by_place = {(one["row"], one["column"], one["language"]): one for one in said["pictures"]}
    assert by_place[1, 0, "en"]["individual"] == "real"
    assert by_place[1, 0, "en"]["recipe"] == grid.rows[1].recipe.digest
    assert by_place[0, 1, "ja"]["prompt"] == prompts[1].ja
    assert by_place[0, 1, "ja"]["seed"] == noise_seed(prompts[1].id, 0)
    page = files.html.read_text("utf-8")
    assert page.count('src="data:image/png;base64,') == 8
    assert "http" not in page.replace("http-equiv", "").replace(json.dumps("http"), "")
    assert all(caption in page for prompt in prompts for caption in (prompt.ja, prompt.en))
    assert '"format": "m2n2-recipe"' in page.replace("&#34;", '"')


def test_a_contact_sheet_has_no_frames_for_seeds_that_nothing_is_drawn_of(fresh, config):
    prompts = RunPrompts(config).niches.prompts[:2]
    grid = compared(fresh, ["ja"], [prompt.id for prompt in prompts], noises=3)
    assert {place.noise for place in grid.cells} == {0}
    sheet = downloads.sheet_of(fresh, "en", "first", grid)
    assert [column.seeds for column in sheet.columns] == [[noise_seed(prompt.id, 0)] for prompt in prompts]
    assert len(sheet.tiles) == 4
    assert {noise for _, _, noise, _ in sheet.tiles} == {0}


def test_a_preset_draws_otherwise_than_the_run():
    config = embedded()
    asked = ask(config, [RunPrompts(config).niches.prompts[0].id], "", "", noises=1, quality="final")
    assert asked.settings.steps == 20
