"""The pages' handlers without a browser, over a finished run."""

import json
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from PIL import Image

import assets
from studio.analysis.selection import WallFilter
from studio.errors import ConfigError, RunError
from studio.execution.creation import create_run
from studio.ui.archive import page as archive
from studio.ui.archive.picture_lookup import found_by_picture
from studio.ui.common import frame, studio
from studio.ui.evolve import progress, run_control
from studio.ui.new_run import beginning, form, form_values
from studio.ui.new_run import page as new_run
from tests.conftest import python

FORM = form.RunForm(
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
    pictures="standard",
    steps=0,
    guidance=0,
    merge_text_encoders=False,
    cross="",
    scorer=form.EMBEDDED,
    reporter=form.EMBEDDED,
    fitness="text",
    options=[],
    start="",
    votes="",
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
        ({"own": f"{assets.FAMILY}/mine"}, "There is nothing at .*/mine"),
        ({"own": "/nowhere/mine"}, "/nowhere/mine lies outside"),
        ({"archive": 3}, "room for the 4 sources"),
        ({"prompts": "/nowhere/set.yaml"}, "set.yaml"),
    ],
)
def test_what_does_not_fit_is_refused_and_no_run_is_made(empty, changed, message):
    with pytest.raises(Exception, match=message):
        beginning.begin(empty, replace(FORM, **changed))
    assert empty.run_names() == []


def test_a_form_and_the_run_it_asks_for_are_two_views_of_one_thing(finished):
    asked = replace(FORM, options=["bilingual", "merges", "beta"], fitness="both", steps=4, noises=2)
    config = asked.config()
    assert (config.compete, config.breeding.beta, config.breeding.merges) == (("ja", "en"), 5.0, True)
    assert config.fitness == {"text": 0.5, "image": 0.5}
    assert form.form_of(config).config() == config
    with finished.run("first") as store:
        fork = form.form_of(store.config, fork=store.folder)
        assert fork.config() == store.config.model_copy(update={"start": str(store.folder)})


def test_cross_attention_apart_or_from_one_source():
    apart, kept = (replace(FORM, cross=how).config() for how in ("apart", "ja"))
    assert (apart.chromosomes, apart.frozen) == (form.CROSS_APART, {})
    assert (kept.chromosomes, kept.frozen) == (form.CROSS_APART, {"cross_attention": "ja"})
    assert [form.form_of(one).cross for one in (FORM.config(), apart, kept)] == ["", "apart", "ja"]
    gone = replace(FORM, sources=["base", "real"], cross="ja")
    assert (gone.cross_here, gone.config().frozen) == ("", {})


def test_a_fork_keeps_what_the_form_does_not_show(finished, empty):
    """And what it shows, unless that was changed there."""
    unseen = {
        "pictures": {"steps": 4, "guidance": 0.0, "size": 48, "batch": 7, "speed": "lightning"},
        "breeding": {"beta": 2.0, "attraction": False},
        "fitness": {"text": 1.0, "image": 2.0},
        "host": {"default": "ja", "vae": "base"},
        "noise_rotation": 7,
    }
    with finished.run("first") as store:
        config = store.config.changed(unseen)
    folder = empty.runs / "former"
    folder.mkdir(parents=True)
    config.save(folder / "run.yaml")
    fork = form.form_of(config, fork=folder)
    as_it_was = config.model_copy(update={"start": str(folder)})
    assert fork.config() == as_it_was
    changed = replace(fork, seed=5, options=["one_ratio"], start="", steps=8, host="real")
    assert changed.config() == config.changed(
        {"seed": 5, "breeding.one_ratio": True, "start": None, "pictures.steps": 8, "host.default": "real"}
    )
    assert replace(fork, fork="").config().pictures.size is None


def test_the_address_fills_the_form(finished):
    assert form_values.asked_form(finished, {"run": "first"}) is None
    fork = form_values.asked_form(finished, {"fork": "first", "noises": "3"})
    assert (fork.start, fork.noises, fork.evaluations) == (str(finished.runs / "first"), 3, 3)
    two = form_values.asked_form(finished, {"sources": f"{assets.FAMILY / 'real'}\n/models/mine.safetensors"})
    assert (two.sources, two.own, two.host) == (["real"], "/models/mine.safetensors", "real")
    with pytest.raises(ConfigError, match="noises='many'"):
        form_values.asked_form(finished, {"noises": "many"})
    with pytest.raises(RunError, match="no run called"):
        form_values.asked_form(finished, {"fork": "nobody"})


def test_the_cost_is_told_before_the_start(empty, finished):
    assert "200 offspring: about" in beginning.cost(empty, "en", FORM)
    assert "子 200 体" in beginning.cost(empty, "ja", FORM)
    assert "at least two sources" in beginning.cost(empty, "en", replace(FORM, sources=[]))


def test_a_first_visit_shows_the_sources():
    cards = new_run.welcome("en")
    assert all(f"<h3>{name}</h3>" in cards for name in assets.NAMES)


def test_a_run_nobody_carries_any_more_can_be_resumed(empty, finished, prompt_files):
    evolve_file, held_out = map(str, prompt_files)
    store = create_run(
        empty.runs / "left", replace(FORM, prompts=evolve_file, held_out=held_out, evaluations=2).config()
    )
    store.update(status="running")
    store.close()
    seen = progress.run_view(empty, "en", "left")
    assert "Interrupted" in seen.headline
    assert seen.can_resume
    assert studio.current_run(empty, None) == "left"
    assert studio.current_run(empty, "nobody") == "left"


def test_runs_that_no_page_can_show_hide_no_other(empty, finished):
    other, newer = empty.runs / "language-models", empty.runs / "from-tomorrow"
    for folder in (other, newer):
        shutil.copytree(finished.runs / "first", folder)
    (other / "run.yaml").write_text("kind: any\nsources: [a, b]\nscorer: score.py:score\n")
    with closing(sqlite3.connect(newer / "run.db")) as database, database:
        database.execute("UPDATE state SET value = '99' WHERE key = 'schema'")
    shutil.copytree(finished.runs / "first", empty.runs / "first")
    assert "language-models" not in empty.run_names()
    assert studio.current_run(empty, None) in empty.run_names()
    with finished.run("first") as store:
        picture = store.images("0002")[0]
    assert found_by_picture(empty, picture) == ("first", "0002")


def test_stop_and_resume_carry_a_run_to_its_end(empty, prompt_files, forked):
    """As the buttons do, with the work in a process of its own."""
    evolve_file, held_out = map(str, prompt_files)
    asked = replace(FORM, sources=["base", "ja"], prompts=evolve_file, held_out=held_out, evaluations=2, steps=1)
    name = beginning.begin(empty, asked)

    def wait_until(reached, seconds=120):
        deadline = time.monotonic() + seconds
        while not reached(progress.run_view(empty, "en", name)):
            assert time.monotonic() < deadline, (empty.runs / name / "run.log").read_text("utf-8")
            time.sleep(0.2)

    wait_until(lambda seen: seen.can_stop)
    run_control.stop(empty, name)
    wait_until(lambda seen: seen.can_resume)
    assert "Paused" in progress.run_view(empty, "en", name).headline
    run_control.resume(empty, name)
    wait_until(lambda seen: seen.table is not None and not seen.can_stop)
    with empty.run(name) as store:
        assert store.count() == 2


def test_the_wall_shows_whom_somebody_asks_for(finished):
    found = archive.wall(finished, "en", "first", WallFilter())
    with finished.run("first") as store:
        alive = sorted((one for one in store.individuals() if one.alive), key=lambda one: -one.mean("ja"))
    assert found.ids == [one.id for one in alive]
    assert (found.found, found.pages) == (len(alive), 1)
    assert found.cards.count('<article class="wall-card"') == len(alive)
    first = found.cards.split("</article>")[0]
    assert f'data-id="{alive[0].id}"' in first
    assert f"JA {alive[0].mean('ja'):.3f}" in first
    assert f"EN {alive[0].mean('en'):.3f}" in first
    assert archive.wall(finished, "en", "first", WallFilter(text="no caption says this")).ids == []


def test_what_people_say_is_on_the_wall_and_filters_it(finished):
    archive.say(finished, "first", "ja", rater="美咲", stars=4, tags="柔らかい, keep", note="線がきれい")
    archive.say(finished, "first", "ja", rater="Ken", stars=5, tags="", note="<b>")
    assert archive.wall(finished, "en", "first", WallFilter(stars=4)).cards.count("★4.5") == 1
    assert archive.wall(finished, "en", "first", WallFilter(tag="柔らかい")).ids == ["ja"]
    assert archive.choices_of(finished, "first").tags == ["keep", "柔らかい"]
    said = archive.detail(finished, "ja", "first", "ja").said
    assert "★ 平均 4.5" in said
    assert "線がきれい" in said
    assert "<b>Ken" not in said
    with pytest.raises(RunError, match="Expected 0 to 5 stars, found 6"):
        archive.say(finished, "first", "ja", rater="Ken", stars=6, tags="", note="")


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_an_individual_is_shown_with_its_recipe_and_ancestors(finished, lang):
    found = archive.detail(finished, lang, "first", "0002")
    assert ("Brightness" if lang == "en" else "明るさ") in found.title
    with finished.run("first") as store:
        child = store.individual("0002")
    assert json.loads(found.recipe) == json.loads(child.recipe.to_json())
    assert {child.mother, child.father} <= set(found.ancestors)
    assert len(found.family) == len(found.ancestors)
    assert found.pairs.count("<article") == 6
    assert "<line" in found.depth
    assert found.command.startswith("m2n2 export ")
    assert "run=first&amp;id=0002" in found.title


def test_a_picture_leads_to_whoever_drew_it(finished, tmp_path):
    with finished.run("first") as store:
        file = store.images("0002")[0]
    assert found_by_picture(finished, file) == ("first", "0002")
    converted = tmp_path / "converted.png"
    Image.open(file).convert("RGB").save(converted)
    with pytest.raises(RunError, match="does not say how it was made"):
        found_by_picture(finished, converted)
    with pytest.raises(RunError, match="Nobody in the runs here"):
        found_by_picture(studio.Studio(tmp_path), file)


def test_text_from_outside_is_escaped(finished):
    with pytest.raises(gr.Error) as caught:
        frame.guarded("en", archive.detail)(finished, "en", "first", "<b>nobody</b>")
    assert "<b>nobody" not in caught.value.message
    assert "has no individual" in caught.value.message


def test_a_run_without_sources_to_merge_is_a_config_error():
    with pytest.raises(ConfigError):
        replace(FORM, sources=[]).config()


def test_what_was_offered_to_download_is_gone_when_the_studio_ends():
    new = "from studio.ui.common.studio import download_folder as new"
    offer = f"{new}; a, b = new(), new(); (a / 'x').touch(); print(a, b)"
    first, second = python("-c", offer).stdout.split()
    assert first != second
    assert Path(first).parent == Path(second).parent
    assert not Path(first).parent.exists()
