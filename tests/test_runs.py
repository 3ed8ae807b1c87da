"""The run files that ship can be read, and name the sets that the import writes and the sources of the recipe."""

import socket

import pytest

import assets
from eval.scorers.catalogue import REPORTER, SCORER
from pipelines.generation.settings import presets
from pipelines.recipes.recipe import load_recipe
from studio.runs.config_file import load_config

RUN = assets.FAMILY.parent / "runs" / "sdxl-jp.yaml"
RECIPE = assets.FAMILY.parent / "recipes" / "evo-ukiyoe-base.json"


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("asked for a network"))
    return load_config(RUN)


def test_the_papers_run_scores_by_the_photograph_on_the_imported_sets(config):
    assert config.fitness == {"image": 1.0}
    assert config.compete == ("ja",)
    assert config.prompts == str(RUN.parent / "coco" / "evolve.yaml")
    assert config.held_out == str(RUN.parent / "coco" / "held_out.yaml")


def test_the_papers_run_breeds_the_checkpoints_of_the_published_merge_under_its_host(config):
    recipe = load_recipe(RECIPE, unpinned=True)
    names = {source.name: source.uri.partition("/")[2] for source in recipe.sources}
    assert config.sources == tuple(source.uri for source in recipe.sources)
    assert config.host == {part: names[lender] for part, lender in recipe.host.items()}
    assert not config.merge_text_encoders


def test_what_the_paper_leaves_open_is_the_studios_own_choice(config):
    assert (config.scorer, config.reporter) == (SCORER, REPORTER)
    standard = presets(1024)["standard"]
    assert config.pictures == standard.model_copy(update={"size": 1024})
    fields = type(config).model_fields
    for name in ("archive", "evaluations", "seed", "alpha", "angle", "noises"):
        assert getattr(config, name) == fields[name].default
