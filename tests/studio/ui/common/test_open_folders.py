"""What is typed into a page names no file outside of the folders that were opened when the studio started."""

import ast
import dataclasses
import os
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from typer.testing import CliRunner

import assets
from eval.prompts.prompt_set import load_prompts
from pipelines.errors import M2N2Error
from studio.cli import app as command_line
from studio.errors import RunError
from studio.execution.creation import create_run
from studio.runs.config import embedded
from studio.ui.common.open_folders import OpenFolders
from studio.ui.common.studio import Studio
from studio.ui.compare.models import contender
from studio.ui.new_run.beginning import begin, check_open, cost
from studio.ui.new_run.form import form_of
from studio.ui.server.picture_routes import picture_routes
from studio.ui.sources import adding as sources

ROOT = Path(__file__).parents[4]
FORM = form_of(embedded())


@pytest.fixture
def studio(tmp_path):
    (tmp_path / "home" / "runs").mkdir(parents=True)
    (tmp_path / "models").mkdir()
    return Studio(tmp_path / "home" / "runs")


@pytest.fixture
def outside(tmp_path):
    """A folder that nobody opened, with a file of each kind that a page may be asked for."""
    folder = tmp_path / "private"
    folder.mkdir()
    for name in ("set.yaml", "set.csv", "recipe.json", "picture.png", "model.safetensors"):
        (folder / name).write_text("secret")
    return folder


def test_what_lies_below_is_open_wherever_links_go(tmp_path, studio, outside):
    folders = studio.open_folders
    here = studio.runs.parent
    (here / "out").symlink_to(outside)
    (here / "in").symlink_to(studio.runs)
    os.mkfifo(here / "pipe")
    assert all(map(folders.holds, (here / "new.yaml", here / "in", Path.cwd() / "x")))
    assert not Studio(studio.runs).open_folders.holds(tmp_path / "models")
    assert Studio(studio.runs, allowed=(tmp_path / "models",)).open_folders.holds(tmp_path / "models" / "a")
    for path in (
        outside,
        here / "out" / "set.yaml",
        here / ".." / "private",
        here / "pipe",
        Path("/dev/zero"),
        Path("\0"),
    ):
        assert not folders.holds(path)
        with pytest.raises(RunError, match=r"m2n2 studio --allow"):
            folders.path(path)
    with pytest.raises(RunError, match="lies outside") as caught:
        folders.path(outside)
    assert str(here) in str(caught.value)


def test_sources_and_scorers_are_open_below_on_the_hub_or_where_the_studio_knows_them(studio, outside):
    folders, mine = studio.open_folders, studio.runs.parent / "a"
    family = str(assets.sources()[0])
    assert folders.sources(["owner/name", f"{mine} + 0.5 * owner/lora", family])[1] == f"{mine} + 0.5 * owner/lora"
    for uri in (f"{outside}/model.safetensors", f"{mine} + 0.8 * {outside}/model.safetensors", "/etc", "../../x"):
        with pytest.raises(RunError, match="outside"):
            folders.source(uri, relative_to=studio.runs.parent)
    assert OpenFolders((), frozenset({f"{outside}/a"})).source("a", relative_to=outside) == f"{outside}/a"
    for name in ("hf-hub:owner/name", f"local-dir:{mine}", "ViT-B-32/openai"):
        assert folders.scorer(name) == name
    for name in (f"local-dir:{outside}", f"ViT-B-32/openai@{outside}"):
        with pytest.raises(RunError, match="outside"):
            folders.scorer(name)


@pytest.mark.parametrize("field", ["own", "prompts", "held_out", "scorer", "reporter", "start", "votes", "fork"])
def test_no_field_of_a_new_run_names_a_file_outside(studio, outside, field):
    value = {"own": "model.safetensors", "scorer": "", "reporter": ""}.get(field, "set.yaml")
    named = f"local-dir:{outside}" if field in ("scorer", "reporter") else f"{outside}/{value}"
    form = dataclasses.replace(FORM, **{field: named})
    with pytest.raises(RunError, match="outside"):
        begin(studio, form)
    assert "outside" in cost(studio, "en", form)
    assert list(studio.runs.iterdir()) == []


def test_a_fork_may_read_what_its_run_was_given(studio, outside, small_config, tmp_path):
    check_open(studio, FORM)
    given = tmp_path / "given.yaml"
    given.write_bytes(Path(small_config.prompts).read_bytes())
    bred = create_run(studio.runs / "bred", small_config)
    config = bred.config
    bred.close()
    fork = form_of(config, fork=studio.runs / "bred")
    check_open(studio, fork)
    with pytest.raises(RunError, match="outside"):
        check_open(studio, dataclasses.replace(fork, prompts=str(given)))


def test_other_pages_name_no_file_outside(studio, outside):
    assert "outside" in sources.look(studio, "en", f"{outside}/model.safetensors")
    with pytest.raises(RunError, match="outside"):
        sources.add(studio, "en", f"{outside}/model.safetensors", lambda *_: None)
    with pytest.raises(RunError, match="outside"):
        contender(studio, "en", "none", f"{outside}/recipe.json")


def test_a_reference_is_served_beside_its_set_or_in_an_open_folder(studio, outside):
    app = FastAPI()
    app.include_router(picture_routes(studio))
    client = TestClient(app)
    picture = next((assets.EVOLVE.parent / "references").glob("*.png"))
    studio.prompts.mkdir()
    (studio.prompts / "beside.png").write_bytes(picture.read_bytes())
    (outside / "picture.png").write_bytes(picture.read_bytes())
    (studio.prompts / "link.png").symlink_to(outside / "picture.png")
    named = {
        "a": "beside.png",
        "b": str(picture),
        "c": str(outside / "picture.png"),
        "d": "../../private/picture.png",
        "e": "link.png",
    }
    lines = "".join(f"- {{id: {id}, category: x, en: y, reference: {path}}}\n" for id, path in named.items())
    (studio.prompts / "mine.yaml").write_text(f"format: m2n2-prompts\nversion: 1\nname: mine\nprompts:\n{lines}")
    assert len(load_prompts(studio.prompts / "mine.yaml")) == 5
    answers = {id: client.get(f"/pictures/prompts/mine/{id}").status_code for id in named}
    assert answers == {"a": 200, "b": 200, "c": 404, "d": 404, "e": 404}


def test_folders_are_opened_on_the_command_line(tmp_path, monkeypatch):
    told = {}
    monkeypatch.setattr("studio.ui.server.app.serve", lambda runs, door, **more: told.update(more))
    (tmp_path / "a").mkdir()
    done = CliRunner().invoke(command_line.app, ["studio", "--allow", str(tmp_path), "--allow", str(tmp_path / "a")])
    assert done.exit_code == 0
    assert told["allowed"] == [tmp_path, tmp_path / "a"]
    assert CliRunner().invoke(command_line.app, ["studio", "--allow", str(tmp_path / "none")]).exit_code == 2


#: Calls on pages that open what a path names; each file that has one, with where the path comes from.
OPENING = {
    "open_source_uri",
    "load_prompts",
    "load_config",
    "load_recipe",
    "read_rows",
    "open_source",
    "fetch_source",
    "absolute_uri",
}
OPENED = {
    "studio/ui/compare/cells.py": "a run's own sources",
    "studio/ui/compare/models.py": "checked by OpenFolders.path",
    "studio/ui/new_run/form.py": "checked by beginning.check_open",
    "studio/ui/new_run/page.py": "the embedded family",
    "studio/ui/export/wish.py": "checked by OpenFolders.source",
    "studio/ui/prompts/editor.py": "checked by OpenFolders on the page",
    "studio/ui/sources/cards.py": "known to the studio, or checked by OpenFolders.source",
    "studio/ui/sources/adding.py": "checked by OpenFolders.sources",
    "studio/ui/sources/page.py": "captions of the embedded family",
    "studio/ui/sources/similarity.py": "known to the studio: chosen from a list",
    "studio/ui/common/open_folders.py": "the check itself",
}


def test_every_page_that_opens_a_path_is_known():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "studio" / "ui").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in OPENING
    }
    assert found == set(OPENED)


def test_errors_of_closed_folders_are_the_houses(studio, outside):
    with pytest.raises(M2N2Error):
        studio.open_folders.source(f"{outside}/x + x * ")
