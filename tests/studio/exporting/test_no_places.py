"""What leaves this machine says nothing of its folders: no home, no working folder, no place of a source."""

import base64
import json
import shutil
import zipfile
from pathlib import Path

import pytest

import assets
from pipelines.checkpoints.sources import open_source
from pipelines.recipes.recipe import blend
from studio.exporting.export_plan import plan_export, plan_recipe_export
from studio.exporting.recipe_package import RecipePackage
from studio.exporting.registry import open_export
from studio.exporting.verification import verify_export
from studio.reports import write_report
from studio.runs.picture_names import picture_stem
from studio.ui.common.studio import Studio
from studio.ui.compare.choice import Choice
from studio.ui.compare.downloads import sheet_files
from studio.ui.compare.grid import draw, look
from studio.ui.compare.view import compared


@pytest.fixture
def places(bred, tmp_path):
    """What must not be found: folders of the sources, of the run and of the person, also as JSON may write them."""
    folders = {str(assets.FAMILY), str(assets.JUDGE.parent), str(bred.folder.parent), str(tmp_path), str(Path.home())}
    return [text.encode() for folder in folders if len(folder) > 1 for text in (folder, folder.replace("/", "\\/"))]


def contents(path):
    """Every file of an export by its place, those of a zip too; embedded pictures of a page decoded as well."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    for file in files:
        yield file.name, file.read_bytes()
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as packed:
                yield from ((name, packed.read(name)) for name in packed.namelist())
        if file.suffix == ".html":
            for part in file.read_text("utf-8").split(";base64,")[1:]:
                yield f"a picture of {file.name}", base64.b64decode(part.split('"')[0].split("'")[0].split(")")[0])


def assert_clean(places, *paths):
    seen = 0
    for path in paths:
        for name, content in contents(path):
            seen += 1
            assert [place for place in places if place in content] == [], f"{path.name}: {name}"
    assert seen >= len(paths)


def test_the_exports_of_a_run(bred, places, tmp_path):
    for name in ("momiji", "momiji.safetensors"):
        plan_export(bred, "0001", tmp_path / "out" / name).write()
    RecipePackage(plan_export(bred, "0001", tmp_path / "out" / "only"), tmp_path / "out" / "only.recipe.zip").write()
    assert_clean(places, tmp_path / "out")
    for name in ("momiji", "momiji.safetensors"):  # and still this machine finds the sources again
        assert verify_export(open_export(tmp_path / "out" / name)).same


def test_the_report_and_the_contact_sheet(bred, places, tmp_path):
    report = write_report(bred, "en", tmp_path / "report.html")
    shutil.copytree(bred.folder, tmp_path / "run")
    desk = Studio(tmp_path)
    choice = Choice(models=["0001", "ja"], known=bred.prompts.niches.ids[:1], noises=1)
    grid = compared(desk, "en", "run", choice)
    draw(desk, grid)
    sheet = sheet_files(desk, "en", "run", look(desk, grid.rows, grid.asked))
    desk.previewer.release()
    assert_clean(places, report, sheet.png, sheet.html)


def test_the_pictures_of_a_run(bred, places):
    niche = bred.prompts.niches.ids[0]
    picture = bred.image("0001", niche, "ja", 0)
    assert picture.name.startswith(picture_stem(niche))
    assert_clean(places, picture)


def test_a_configuration_that_was_saved_here(places, tmp_path, monkeypatch):
    """Libraries write into a configuration where its model was loaded from."""
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path / "cache"))  # or others would find this one by its weights
    folder = shutil.copytree(assets.FAMILY / "ja", tmp_path / "ja", ignore=lambda *_: ["previews"])
    notes = {
        "unet/config.json": ("_name_or_path", str(tmp_path / "training")),
        "vae/config.json": ("_name_or_path", "madebyollin/sdxl-vae-fp16-fix"),  # a hub id tells nothing of here
        "tokenizer/tokenizer_config.json": ("name_or_path", str(tmp_path / "training")),
    }
    for name, (key, value) in notes.items():
        content = json.loads((folder / name).read_text("utf-8"))
        (folder / name).write_text(json.dumps({**content, key: value}), "utf-8")
    source = open_source(folder)
    recipe = blend([source], {"attention": [1.0], "backbone": [1.0]}, host={"default": "ja"})
    written = plan_recipe_export(recipe, {"ja": source}, tmp_path / "out").write()
    assert_clean(places, written.path)
    assert json.loads((written.path / "vae" / "config.json").read_text())["_name_or_path"].startswith("madebyollin/")
    assert verify_export(open_export(written.path)).same
    (written.path / "SHA256SUMS").unlink()  # no export had one then
    del notes["vae/config.json"]
    for name, (key, value) in notes.items():  # as exports kept it once
        content = json.loads((written.path / name).read_text("utf-8"))
        (written.path / name).write_text(json.dumps({**content, key: value}), "utf-8")
    assert verify_export(open_export(written.path)).same
