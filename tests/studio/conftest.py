"""Small runs and what is exported of one, made once per session; a test that damages an export copies it first."""

from __future__ import annotations

import shutil

import pytest

from studio.execution import control
from studio.execution.creation import create_run
from studio.exporting.export_plan import plan_export
from studio.exporting.registry import Export, open_export
from studio.monitoring import scheduler
from tests import processes
from tests.studio.ui.browser import chrome_started


@pytest.fixture(scope="session")
def bred(small_config, tmp_path_factory):
    """A run with four offspring, 0001 to 0004, and its report; not to be changed."""
    store = create_run(tmp_path_factory.mktemp("runs") / "bred", small_config)
    control.carry_out(store)
    return store


@pytest.fixture(scope="session")
def exported(bred, tmp_path_factory):
    """The offspring as a folder and as a single file."""
    place = tmp_path_factory.mktemp("exports")
    for name in ("momiji", "momiji.safetensors"):
        plan_export(bred, "0001", place / name, title="momiji").write()
    return place


@pytest.fixture(params=["momiji", "momiji.safetensors"])
def either(request, exported):
    """An export in one form, then in the other; not to be changed."""
    return open_export(exported / request.param)


@pytest.fixture
def own_copy(either, tmp_path) -> Export:
    """A copy of it that a test may measure and damage."""
    if either.path.is_dir():
        return open_export(shutil.copytree(either.path, tmp_path / either.name))
    shutil.copytree(either.documents, tmp_path / either.documents.name)
    return open_export(shutil.copyfile(either.path, tmp_path / either.name))


@pytest.fixture(scope="session")
def sources_drawn(small_config, tmp_path_factory):
    """The folder of a run over the embedded family with no offspring."""
    store = create_run(tmp_path_factory.mktemp("runs") / "sources", small_config.model_copy(update={"evaluations": 0}))
    control.carry_out(store)
    store.close()
    return store.folder


@pytest.fixture
def forked(monkeypatch):
    """Runs and measurements that are started are forked from a process that has imported what they need."""
    for starter in (control, scheduler):
        monkeypatch.setattr(starter, "spawn", processes.start)


@pytest.fixture(scope="session")
def chrome():
    """A Chromium for all tests that look at pages."""
    with chrome_started() as started:
        yield started


@pytest.fixture
def ballot(sources_drawn, tmp_path):
    """A copy of it to vote on."""
    return shutil.copytree(sources_drawn, tmp_path / "runs" / "ballot")


def archive_of(store):
    """Everything about a run that must not depend on how often it was interrupted, to the last bit."""
    return [
        (
            one.id,
            one.mother,
            one.father,
            one.recipe.to_json(),
            one.entered,
            one.alive,
            {kind: values.tobytes() for kind, values in one.scores.items()},
        )
        for one in store.individuals()
    ] + [store.state.search, store.state.results]
