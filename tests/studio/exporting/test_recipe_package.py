"""A recipe-only export: what is in it, and that it gives the weights back."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError
from pipelines.recipes.recipe import load_recipe
from studio.exporting.export_plan import plan_export
from studio.exporting.recipe_package import PACKAGE_ENDING, RecipePackage


def package(bred, place, precision=None):
    return RecipePackage(
        plan_export(bred, "0001", place / "momiji", precision=precision), place / f"momiji{PACKAGE_ENDING}"
    )


def test_it_is_small_and_holds_all_but_the_weights(bred, tmp_path):
    planned = package(bred, tmp_path)
    hashes = planned.write().hashes
    assert planned.target.stat().st_size < 100_000
    with zipfile.ZipFile(planned.target) as archive:
        names = set(archive.namelist())
        texts = {name: archive.read(name).decode() for name in names}
    assert {"README.md", "recipe.json", "hashes.json", "rebuild.py", "LICENSE.md", "licences/ja/LICENSE"} <= names
    assert json.loads(texts["hashes.json"])["sha256"] == hashes
    assert all(digest in texts["README.md"] for digest in hashes.values())
    paths = [str(source.path) for source in planned.export.plan.sources.values()]
    assert not any(path in text for path in paths for text in texts.values())
    assert "m2n2 merge recipe.json --out momiji" in texts["README.md"]
    assert "## Attribution" in texts["README.md"]
    compile(texts["rebuild.py"], "rebuild.py", "exec")


def test_the_same_recipe_gives_the_same_bytes(bred, tmp_path):
    contents = []
    for name in ("one", "two"):
        planned = package(bred, tmp_path / name)
        planned.write()
        contents.append(planned.target.read_bytes())
    assert contents[0] == contents[1]


def test_a_name_that_is_taken_is_refused(bred, tmp_path):
    planned = package(bred, tmp_path)
    planned.target.write_text("mine")
    with pytest.raises(ExportError, match="exists already"):
        planned.write()
    assert planned.target.read_text() == "mine"


def test_cancelled_it_leaves_nothing(bred, tmp_path):
    def cancel(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        package(bred, tmp_path).write(cancel)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_its_script_rebuilds_the_weights_and_checks_them(bred, family, tmp_path, monkeypatch):
    planned = package(bred, tmp_path, "bf16")
    hashes = planned.write().hashes
    place = tmp_path / "elsewhere"
    zipfile.ZipFile(io.BytesIO(planned.target.read_bytes())).extractall(place)
    for source in load_recipe(place / "recipe.json").sources:
        (place / source.uri).symlink_to(family[source.name].path)
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "m2n2"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m studio.cli.app "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[3]))
    done = subprocess.run([sys.executable, place / "rebuild.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("same bytes") == 4
    assert open_source(place / "momiji").components["unet"].sha256 == hashes["unet"]
    content = json.loads((place / "hashes.json").read_text())
    content["sha256"]["vae"] = "0" * 64
    (place / "hashes.json").write_text(json.dumps(content))
    again = [program, "verify", place / "momiji", "--hashes", place / "hashes.json"]
    assert subprocess.run(again, capture_output=True, check=False).returncode == 1
