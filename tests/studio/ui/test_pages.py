"""The pages' handlers without a browser, over a finished run."""

import json
import time
from dataclasses import replace

import gradio as gr
import pytest

import assets
from pipelines.recipe import load_recipe
from studio.errors import ConfigError, RunError
from studio.store import create_run
from studio.ui import archive, compare, evolve, export, form, shared, watch

FORM = form.Form(
    sources=list(assets.NAMES),
    own="",
    host="ja",
    prompts=form.EMBEDDED,
    held_out=form.EMBEDDED,
    evaluations=200,
    archive=20,
    noises=1,
    seed=0,
    alpha=1.0,
    angle="chromosome",
    steps=6,
    guidance=3.0,
    merge_text_encoders=False,
    scorer=form.EMBEDDED,
    reporter=form.EMBEDDED,
)


def test_the_form_as_it_opens_is_the_embedded_run():
    config = FORM.config()
    assert [folder.rsplit("/", 1)[-1] for folder in config.sources] == list(assets.NAMES)
    assert (config.evaluations, config.archive, config.host) == (200, 20, {"default": "ja"})
    assert config.prompts == str(assets.EVOLVE)


def test_own_checkpoints_join_and_the_host_follows(tmp_path):
    own = replace(FORM, sources=["base"], own=f'\n "{tmp_path / "mine"}" \n', host="ja")
    assert own.names == ["base", "mine"]
    assert own.config().host == {"default": "base"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sources": ["ja"]}, "at least two sources"),
        ({"own": "/nowhere/mine"}, "/nowhere/mine is not a folder"),
        ({"archive": 3}, "room for the 4 sources"),
        ({"prompts": "/nowhere/set.yaml"}, "set.yaml"),
    ],
)
def test_what_does_not_fit_is_refused_and_no_run_is_made(empty, changed, message):
    with pytest.raises(Exception, match=message):
        evolve.begin(empty, replace(FORM, **changed))
    assert empty.names() == []


def test_the_cost_is_told_before_the_start(empty, finished):
    assert "200 offspring: about" in evolve.cost(empty, "en", FORM)
    assert "子 200 体" in evolve.cost(empty, "ja", FORM)
    assert "at least two sources" in evolve.cost(empty, "en", replace(FORM, sources=[]))


def test_a_first_visit_shows_the_sources():
    cards = evolve.welcome("en")
    assert all(f"<h3>{name}</h3>" in cards for name in assets.NAMES)


def test_a_run_is_seen_with_its_report(finished):
    seen = watch.look(finished, "en", "first")
    assert "Done" in seen.headline
    assert not seen.can_stop
    assert not seen.can_resume
    assert list(seen.progress["line"].unique()) == ["Japanese", "English (not optimised)"]
    assert seen.progress["made"].max() == 3
    assert [row[0] for row in seen.table][:4] == list(assets.NAMES)
    assert "best source" in seen.verdict
    assert seen.newest.index("0003") < seen.newest.index("0002")
    assert watch.look(finished, "ja", "first").mark == seen.mark


def test_a_run_nobody_carries_any_more_can_be_resumed(empty, finished, prompt_files):
    evolve_file, held_out = map(str, prompt_files)
    store = create_run(
        empty.runs / "left", replace(FORM, prompts=evolve_file, held_out=held_out, evaluations=2).config()
    )
    store.put(status="running")
    store.close()
    seen = watch.look(empty, "en", "left")
    assert "Interrupted" in seen.headline
    assert seen.can_resume
    assert evolve.current(empty, None) == "left"
    assert evolve.current(empty, "nobody") == "left"


def test_stop_and_resume_carry_a_run_to_its_end(empty, prompt_files):
    """As the buttons do, with the work in a process of its own."""
    evolve_file, held_out = map(str, prompt_files)
    name = evolve.begin(empty, replace(FORM, prompts=evolve_file, held_out=held_out, evaluations=2, steps=2))

    def wait_until(reached, seconds=120):
        deadline = time.monotonic() + seconds
        while not reached(watch.look(empty, "en", name)):
            assert time.monotonic() < deadline, (empty.runs / name / "run.log").read_text("utf-8")
            time.sleep(0.2)

    wait_until(lambda seen: seen.can_stop)
    evolve.stop(empty, name)
    wait_until(lambda seen: seen.can_resume)
    assert "Stopped" in watch.look(empty, "en", name).headline
    evolve.resume(empty, name)
    wait_until(lambda seen: seen.table is not None and not seen.can_stop)
    with empty.run(name) as store:
        assert store.count() == 2


def test_the_wall_sorts_and_filters(finished):
    with finished.run("first") as store:
        prompts, everyone = store.config.niches(), store.individuals()
        best = archive.arranged(everyone, prompts, sort="ja", category=None, alive=True)
        means = [one.mean("ja") for one in best]
        assert means == sorted(means, reverse=True)
        assert all(one.alive for one in best)
        category = prompts.categories[0]
        row = [one.scores["ja"][[k for k, c in enumerate(prompts.categories) if c == category]].mean() for one in best]
        sorted_by = archive.arranged(everyone, prompts, sort="ja", category=category, alive=True)
        assert sorted_by[0].id == best[max(range(len(row)), key=row.__getitem__)].id
        assert archive.arranged(everyone, prompts, sort="newest", category=None, alive=False)[0].id == "0003"
        tiles = archive.wall("en", store, best, category)
    assert len(tiles) == len(best)
    assert tiles[0][1].startswith(best[0].id)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_an_individual_is_shown_with_its_recipe_and_ancestors(finished, lang):
    found = archive.detail(finished, lang, "first", "0002")
    with finished.run("first") as store:
        child = store.individual("0002")
    assert json.loads(found.recipe) == json.loads(child.recipe.to_json())
    assert {child.mother, child.father} <= set(found.ancestors)
    assert len(found.family) == len(found.ancestors)
    assert found.pairs.count("<article") == 6
    assert "<line" in found.depth
    assert found.command.startswith("m2n2 export ")
    assert "run=first&amp;id=0002" in found.title


def test_text_from_outside_is_escaped(finished):
    with pytest.raises(gr.Error) as caught:
        shared.guarded("en", archive.detail)(finished, "en", "first", "<b>nobody</b>")
    assert "<b>nobody" not in caught.value.message
    assert "has no individual" in caught.value.message


def test_models_are_compared_in_both_languages_from_the_same_noise(finished):
    found, chosen = compare.first_choice(finished, "en", "first", "0001")
    assert chosen[0] == "0001"
    assert {value for _, value in found} >= set(assets.NAMES)
    with finished.run("first") as store:
        prompt = store.config.niches().prompts[0]
    wanted = compare.ask(finished, "first", prompt.ja, prompt.en, 2)
    told = []
    rows = compare.draw(finished, "first", ["0001", "ja"], wanted, lambda done, of: told.append((done, of)))
    assert told[-1] == (8, 8)
    assert [row.id for row in rows] == ["0001", "ja"]
    assert all(set(cell) == {"ja", "en"} for row in rows for cell in row.cells)
    sheet = compare.sheet(finished, "en", wanted, rows)
    assert sheet.count("<img") == 8
    assert str(wanted.seeds[1]) in sheet


def test_a_typed_prompt_may_lack_its_twin(finished):
    wanted = compare.ask(finished, "first", " 金継ぎの茶碗 ", "", 1)
    assert wanted.captions == {"ja": "金継ぎの茶碗"}
    rows = compare.draw(finished, "first", ["ja"], wanted)
    assert rows[0].consistency == [None]
    with pytest.raises(RunError, match="Both captions are blank"):
        compare.ask(finished, "first", " ", "", 1)
    with pytest.raises(RunError, match="one to 4"):
        compare.draw(finished, "first", [], wanted)


def test_an_export_is_described_then_written(finished):
    _, first = export.first_choice(finished, "en", "first", None)
    told = []
    described = export.offer(finished, "en", "first", first, "sakura 07")
    assert described.licences[0][0] in assets.NAMES
    assert described.folder == finished.exports / "sakura 07"
    done = export.export(finished, "first", first, "sakura 07", lambda written, of: told.append((written, of)))
    assert (done.folder / "model_index.json").is_file()
    assert told[-1][1] == described.size
    assert len(done.sha256) == 64
    assert str(done.folder) in done.code
    with pytest.raises(Exception, match="exists already"):
        export.export(finished, "first", first, "sakura 07")
    assert (
        load_recipe(export.recipe_file(finished, "first", first)).digest
        == load_recipe(done.folder / "recipe.json").digest
    )


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a\\b", "x" * 81])
def test_a_name_that_leaves_its_place_is_refused(finished, name):
    with pytest.raises(RunError, match="cannot be a folder's"):
        export.target(finished, name)


def test_a_run_without_sources_to_merge_is_a_config_error():
    with pytest.raises(ConfigError):
        replace(FORM, sources=[]).config()
