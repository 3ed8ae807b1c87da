"""A short run over the embedded family, finished once per session, and short prompt sets to start others with."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient

import assets
from benchmarks.app.pages import door_of, served
from eval.prompts.prompt_set import load_prompts
from studio.execution import control
from studio.execution.creation import create_run
from studio.runs.config import EMBEDDED_PICTURES, embedded
from studio.runs.status import ask_to_stop
from studio.ui.common.studio import Studio
from studio.ui.server.app import build_app
from studio.ui.server.picture_routes import picture_routes

EVALUATIONS = 3


def _short(source: Path, target: Path, count: int) -> Path:
    """The first prompts of a shipped set, as a file of their own."""
    short = load_prompts(source)
    rows = [prompt.model_dump(exclude={"reference"}) for prompt in short.prompts[:count]]
    content = {"format": "m2n2-prompts", "version": 1, "name": f"{short.name}-short", "prompts": rows}
    target.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return target


@pytest.fixture(scope="session")
def prompt_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompts")
    return _short(assets.EVOLVE, folder / "evolve.yaml", 6), _short(assets.HELD_OUT, folder / "held_out.yaml", 4)


@pytest.fixture(scope="session")
def finished(tmp_path_factory, prompt_files):
    """A studio whose only run, `first`, is done."""
    runs = tmp_path_factory.mktemp("studio") / "runs"
    evolve, held_out = map(str, prompt_files)
    store = create_run(
        runs / "first",
        embedded(
            prompts=evolve,
            held_out=held_out,
            evaluations=EVALUATIONS,
            archive=6,
            seed=3,
            pictures={**EMBEDDED_PICTURES.model_dump(), "steps": 1},
        ),
    )
    control.carry_out(store)
    store.close()
    return Studio(runs, allowed=(tmp_path_factory.getbasetemp(),))


@pytest.fixture
def empty(tmp_path, tmp_path_factory):
    """A studio on its first day; what a test that failed left running is told to stop."""
    studio = Studio(tmp_path / "runs", allowed=(tmp_path_factory.getbasetemp(),))
    yield studio
    for name in studio.run_names():
        with studio.run(name) as store:
            ask_to_stop(store)


@pytest.fixture
def address(empty):
    """The studio on its first day, served on a port of its own."""
    with served(empty.runs, empty.allowed) as found:
        yield found


@pytest.fixture(scope="session")
def finished_address(finished):
    """The studio whose run is done, served on a port of its own; one for all, for a studio takes seconds to build."""
    with served(finished.runs, finished.allowed) as found:
        yield found


@pytest.fixture(scope="session")
def finished_door(finished):
    """The door of the studio whose run is done."""
    return door_of(finished.runs)


@pytest.fixture(scope="session")
def finished_app(finished, finished_door):
    """The application over that studio for clients without a browser, which need no server."""
    return build_app(finished.runs, finished_door)


@pytest.fixture
def served_pictures():
    """Gives a client of the addresses of a studio's pictures; they need no page."""

    def client(studio):
        app = FastAPI()
        app.include_router(picture_routes(studio))
        return TestClient(app)

    return client


@pytest.fixture
def open_page(chrome):
    """Opens pages in a browser."""
    with chrome.browsing() as opened:
        yield opened
