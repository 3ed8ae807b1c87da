"""The Export page's functions without a browser: plan, preview, send."""

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

import assets
from pipelines.errors import ExportError
from pipelines.recipes.recipe import load_recipe
from pipelines.storage.unfinished import leftovers, unfinished_folder, unfinished_path
from studio.errors import LicenceError, RunError
from studio.exporting.export_names import name_problem
from studio.exporting.registry import list_exports
from studio.i18n import LANGUAGES, t
from studio.licences import catalogue
from studio.ui.export import licences, on_disk, steps
from studio.ui.export import page as export_page
from studio.ui.export.publish import publish
from studio.ui.export.wish import HOST, Wish, base_choices


@pytest.fixture
def wish(finished):
    """What is asked for, under a name that no other test uses."""
    _, first = steps.first_choice(finished, "en", "first", None)
    taken = [path.stem for path in finished.exports.iterdir()] if finished.exports.is_dir() else []
    return Wish("first", first, f"sakura {len(taken):02d}")


@pytest.mark.parametrize("form", ["folder", "file"])
def test_what_is_previewed_is_what_is_written(finished, wish, form):
    wish = replace(wish, form=form)
    planned = steps.plan(finished, wish)
    shown = steps.preview("en", planned, wish.run, wish.id)
    told = []
    done = steps.export(finished, "en", wish, [], lambda *now: told.append(now))
    place = planned.target if form == "folder" else planned.target.with_suffix(".about")
    written = (place / "README.md").read_text("utf-8")
    _, front, card = written.split("---\n", 2)
    assert shown.front_matter == front
    expected = steps.preview("en", done.planned, wish.run, wish.id)
    assert shown.card == expected.card
    for digest in done.hashes.values():
        assert digest in card
        card = card.replace(digest, "known when it is written")
    assert shown.card.splitlines()[:20] == card.splitlines()[:20]
    assert len(shown.card.splitlines()) == len(card.splitlines())
    assert told[-1] == (planned.size, planned.size)
    assert all(digest in steps.told("ja", done) for digest in done.hashes.values())
    assert load_recipe(place / "recipe.json").digest == planned.plan.recipe.digest
    with pytest.raises(RunError, match="already"):
        steps.export(finished, "en", wish, [])


def test_the_header_is_shown_as_a_person_reads_it(finished, wish):
    planned = steps.plan(finished, replace(wish, form="file"))
    shown = steps.preview("en", planned, wish.run, wish.id).metadata
    assert shown.keys() == planned.metadata.keys()
    assert shown["modelspec.title"] == wish.title
    assert len(shown["modelspec.thumbnail"]) < 100
    assert shown["sd_merge_recipe"]["type"] == "m2n2-studio"
    folder = steps.preview("en", steps.plan(finished, wish), wish.run, wish.id)
    assert folder.metadata["_class_name"] == "StableDiffusionXLPipeline"


def test_pictures_of_the_card_are_where_the_browser_finds_them(finished, wish):
    shown = steps.preview("en", steps.plan(finished, wish), wish.run, wish.id)
    assert f"](/pictures/run/first/{wish.id}/" in shown.card
    assert "](samples/" not in shown.card
    assert shown.pictures.count("<img") == 6


def test_the_size_follows_the_precision(finished, wish):
    sizes = {
        kind: steps.plan(finished, replace(wish, form="file", precision=kind)).size for kind in ("fp16", "fp32", HOST)
    }
    assert sizes["fp32"] == pytest.approx(2 * sizes["fp16"], rel=1e-4)
    assert sizes[HOST] == sizes["fp16"]


def test_what_does_not_fit_is_said_before(finished, wish, monkeypatch):
    words, fits = steps.facts(finished, "en", steps.plan(finished, wish))
    assert fits
    assert str(finished.exports / wish.title) in words
    monkeypatch.setattr("pipelines.storage.disk_space.SPARE_BYTES", 1 << 60)
    words, fits = steps.facts(finished, "ja", steps.plan(finished, wish))
    assert not fits
    assert "空きを作って" in words


@pytest.mark.parametrize("lang", LANGUAGES)
def test_warnings_must_be_ticked_as_read(finished, wish, lang, monkeypatch):
    monkeypatch.delitem(catalogue.KNOWN_LICENCES, "apache-2.0")
    found = licences.terms(lang, steps.plan(finished, wish))
    assert found.warnings
    for read in ([], found.warnings[:-1]):
        with pytest.raises(RunError, match=t("en", "tick_first").split(".")[0]):
            steps.export(finished, lang, wish, read)
    assert name_problem(wish.title, finished.exports) is None  # nothing was written
    steps.export(finished, lang, replace(wish, form="recipe"), found.warnings)


@pytest.fixture
def forbidden(monkeypatch):
    """The licence of the embedded family lets no changed version be shared."""
    forbids = replace(catalogue.KNOWN_LICENCES["cc-by-nd-4.0"], name="apache-2.0", asks_for_recipe=True)
    monkeypatch.setitem(catalogue.KNOWN_LICENCES, "apache-2.0", forbids)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_weights_that_licences_stand_against_take_a_reason(finished, wish, lang, forbidden):
    planned = steps.plan(finished, wish)
    found = licences.terms(lang, planned)
    assert found.clashes
    assert t(lang, "barred") in licences.told(lang, found)
    assert t(lang, "no_advice") in licences.told(lang, found)
    words, may = steps.facts(finished, lang, planned)
    assert not may
    assert t(lang, "barred") in words
    for stated in ({}, {"reason": "agreed"}, {"stated_by": "Aya"}, {"reason": " ", "stated_by": "Aya"}):
        with pytest.raises(LicenceError, match=re.escape(t("en", "barred"))):
            steps.export(finished, lang, replace(wish, **stated), found.warnings)
    assert name_problem(wish.title, finished.exports) is None  # nothing was written
    assert steps.facts(finished, lang, steps.plan(finished, replace(wish, form="recipe")))[1]
    stated = replace(wish, reason="both agreed", stated_by="Aya")
    assert steps.facts(finished, lang, steps.plan(finished, stated))[1]
    done = steps.export(finished, lang, stated, found.warnings)
    statement = load_recipe(done.planned.target / "recipe.json").licence_statement
    assert (statement.reason, statement.who) == ("both agreed", "Aya")
    assert "> Aya stated on" in (done.planned.target / "README.md").read_text("utf-8")


def test_one_click_publishes_the_recipe(finished, wish, forbidden):
    stated = replace(wish, reason="both agreed", stated_by="Aya")
    read = licences.terms("en", steps.plan(finished, stated)).warnings
    done = steps.export(finished, "en", stated, read)
    assert export_page._results("en", done)[-1].visible
    first, second = (publish(finished, stated) for _ in range(2))
    assert first.path == finished.exports / f"{wish.name}.recipe.zip"
    assert second.path == finished.exports / f"{wish.name}-2.recipe.zip"
    assert first.page is None
    with zipfile.ZipFile(first.path) as packed:
        assert load_recipe(done.planned.target / "recipe.json").digest in packed.read("hashes.json").decode()
    with pytest.raises(ExportError, match="is no name of a repository"):
        publish(finished, stated, "nobody")


def test_attribution_is_filled_in_and_can_be_put_right(finished, wish):
    found = licences.terms("en", steps.plan(finished, wish))
    assert {row[0] for row in found.rows} <= set(assets.NAMES)
    assert "licensed under [apache-2.0](https://www.apache.org/licenses/LICENSE-2.0)" in found.credit
    named = replace(wish, credit="- ja by 美咲")
    done = steps.export(finished, "en", named, [])
    for paper in ("README.md", "LICENSE.md"):
        assert "## Attribution\n\n- ja by 美咲\n" in (done.planned.target / paper).read_text("utf-8")


def test_a_recipe_alone_is_a_zip_and_the_commands(finished, wish):
    wish = replace(wish, form="recipe", precision="bf16")
    shown = steps.preview("en", steps.plan(finished, wish), wish.run, wish.id)
    assert "## Rebuild it" in shown.card
    assert shown.metadata["format"] == "m2n2-recipe"
    words, fits = steps.facts(finished, "en", steps.plan(finished, wish))
    assert fits
    assert ".recipe.zip" in words
    done = steps.export(finished, "en", wish, [])
    assert done.is_recipe
    assert "--dtype bf16" in done.code
    assert done.planned.target.stat().st_size < steps._PACKAGE
    assert all(digest in steps.told("en", done) for digest in done.hashes.values())
    results = export_page._results("en", done)
    assert Path(results[8].value["path"]).read_bytes() == done.planned.target.read_bytes()


def test_how_to_open_it_elsewhere(finished, wish, monkeypatch):
    done = steps.export(finished, "en", replace(wish, form="file"), [])
    assert "160 wide" in steps.how_to("en", done, "comfyui")
    monkeypatch.setattr(steps, "is_full_size", lambda _: True)
    assert steps.fitting_form(finished, "first", wish.id) == "file"
    assert f"`{wish.title}.safetensors`" in steps.how_to("ja", done, "comfyui")
    assert "models/Stable-diffusion" in steps.how_to("en", done, "a1111")
    folder = replace(done, planned=replace(done.planned, target=done.planned.target.with_suffix("")))
    assert "open single files" in steps.how_to("en", folder, "a1111")


def test_what_comfyui_cannot_open_is_offered_as_a_folder(finished, wish):
    assert steps.fitting_form(finished, "first", wish.id) == "folder"


def test_the_clock_tells_bytes_and_the_time_left():
    assert steps.Clock("en").words(0, 4_000_000_000).endswith("of 4.0 GB")
    clock = steps.Clock("en", iter((0.0, 600.0)).__next__)
    assert clock.words(1_000_000_000, 4_000_000_000).endswith("30 minutes left")
    assert "hecking" in steps.Clock("en").words(4, 4)


def test_somebody_is_shown_with_pictures_of_both_languages(finished, wish):
    shown = steps.portrait(finished, "ja", "first", wish.id)
    assert shown.count("<img") == 8
    assert "日本語" in shown
    assert steps.suggested(finished, "first", wish.id).endswith(wish.id.lstrip("0"))


def test_a_lora_is_offered_against_the_host_and_says_what_it_misses(finished, wish):
    choices, host = base_choices(finished, wish.run, wish.id)
    assert host in [uri for _, uri in choices]
    assert len({uri for _, uri in choices}) == len(choices) >= 4
    with pytest.raises(RunError, match="Choose the base"):
        steps.plan(finished, replace(wish, form="lora"))
    other = next(uri for _, uri in choices if uri != host)
    wish = replace(wish, form="lora", base=other, rank=4)
    planned = steps.plan(finished, wish)
    shown = steps.preview("en", planned, wish.run, wish.id)
    assert f"LoRA of rank 4. Put on `{Path(other).name}`" in shown.card
    assert shown.metadata["modelspec.architecture"].endswith("/lora")
    done = steps.export(finished, "ja", wish, [])
    assert planned.target.stat().st_size == done.size
    assert "表せません" in steps.told("ja", done)
    assert "load_lora_weights" in done.code
    assert planned.target not in [export.path for export in list_exports(finished.exports)]


def test_an_export_on_the_disk_is_verified_with_its_sources(finished, wish):
    done = steps.export(finished, "en", wish, [])
    name = done.planned.target.name
    assert name in on_disk.export_names(finished)
    told = []
    found = on_disk.verify(finished, name, deep=True, progress=lambda *now: told.append(now))
    assert (found.same, found.sources, found.unchecked) == (True, (), ())
    assert told[-1][0] == told[-1][1] > 0
    assert "is what was written" in on_disk.verdict("en", name, found)
    (done.planned.target / "LICENSE.md").write_text("<img src=x>")
    (done.planned.target / "<img>.md").touch()
    found = on_disk.verify(finished, name, deep=False)
    said = on_disk.verdict("ja", name, found)
    assert "違います：LICENSE.md" in said
    assert "書き出しにはなかったファイルです：&lt;img&gt;.md" in said
    assert t("ja", "verify_unchecked_sources") in said
    with pytest.raises(RunError, match="no export called '../runs'"):
        on_disk.verify(finished, "../runs", deep=False)


def test_what_is_half_written_is_listed_and_removed_and_nothing_else(finished):
    finished.exports.mkdir(exist_ok=True)
    before = sorted(finished.exports.iterdir())
    left = unfinished_path(finished.exports / "<b>.safetensors")
    left.write_bytes(b"half")
    with unfinished_folder(finished.exports / "now") as current:
        said = on_disk.leftovers_text("en", leftovers(finished.exports))
        assert "left by processes that were killed: 1" in said
        assert "&lt;b&gt;" in said
        assert on_disk.remove_leftovers(finished) == []
        assert current.is_dir()
    assert sorted(finished.exports.iterdir()) == before
    assert on_disk.leftovers_text("en", []) == ""
