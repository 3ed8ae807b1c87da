"""More like these: what the fork begins with, and who cannot be bred from."""

import shutil

import pytest

from studio.breeding.initial_population import initial_offspring
from studio.errors import RunError
from studio.execution import control
from studio.runs.inputs import open_run_sources
from studio.ui.common.studio import Studio
from studio.ui.compare.blend import save_mix
from studio.ui.compare.choice import Choice
from studio.ui.compare.more import begin_with


@pytest.fixture
def studio(finished, tmp_path):
    """A studio of its own over a copy of the finished run."""
    shutil.copytree(finished.runs / "first", tmp_path / "runs" / "first")
    return Studio(tmp_path / "runs", allowed=finished.allowed)


def test_a_fork_begins_with_the_chosen_models_and_nobody_else_of_the_run(studio, monkeypatch):
    called = []
    monkeypatch.setattr(control, "start", lambda store: called.append(store.name))  # a process of its own
    mix = save_mix(studio, "en", "first", Choice(view="blend", first="0001", second="real"))
    (studio.runs.parent / "mix.json").write_bytes(mix.read_bytes())
    named = ["0002", "ja", str(studio.runs.parent / "mix.json"), "0001"]
    name = begin_with(studio, "en", "first", named)
    assert called == [name]
    with studio.run("first") as store, studio.run(name) as fork:
        expected = [store.individual("0002").recipe, None, store.individual("0001").recipe]
        first = initial_offspring(fork.config, open_run_sources(fork.config))
        assert [one.name for one in first] == ["0001", "0002", "0003"]
        assert [one.digest for one, recipe in zip(first, expected, strict=True) if recipe] == [
            recipe.digest for recipe in expected if recipe
        ]
        assert first[1].shares["attention"]["real"] > store.individual("0001").recipe.shares["attention"]["real"]
        assert fork.config.model_copy(update={"start": None, "prompts": "", "held_out": ""}) == store.config.model_copy(
            update={"start": None, "prompts": "", "held_out": ""}
        )


def test_sources_alone_are_nobody_to_breed_from(studio):
    with pytest.raises(RunError, match="at least 2 models that are no sources, found 1"):
        begin_with(studio, "en", "first", ["ja", "real", "0001"])
    assert studio.run_names() == ["first"]
