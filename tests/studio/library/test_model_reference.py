"""Sources of a recipe are found again where this machine had them, wherever they have gone since."""

import shutil

import pytest

from pipelines.checkpoints.sources import Source, open_source
from pipelines.errors import SourceError
from pipelines.exporting.export import export_folder
from pipelines.exporting.places import noted_uris
from pipelines.recipes.recipe import blend, load_recipe
from pipelines.weaving.plan import Plan
from studio.library.model_reference import open_recipe_sources


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache in which no other test has noted a place."""
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path / "cache"))


def exported_from(source, folder):
    chromosomes = {"attention": [1.0], "backbone": [1.0]}
    plan = Plan(blend([source], chromosomes, host={"default": source.name}, name="x"), {source.name: source})
    return load_recipe(export_folder(plan, folder) / "recipe.json")


@pytest.mark.usefixtures("own_cache")
def test_a_source_is_found_where_it_was_before_its_last_place_went(copied, tmp_path):
    first = copied("ja")
    second = shutil.copytree(first, tmp_path / "copy" / "ja")
    recipe = exported_from(open_source(first), tmp_path / "one")
    exported_from(open_source(second), tmp_path / "two")
    exported_from(Source(first, "ja", open_source(first).contents, uri="owner/ja"), tmp_path / "three")
    assert noted_uris(recipe.sources[0]) == ["owner/ja", str(second), str(first)]
    assert open_recipe_sources(recipe, relative_to=tmp_path / "one")["ja"].path == second  # no hub can be reached
    shutil.rmtree(second)
    assert open_recipe_sources(recipe, relative_to=tmp_path / "one")["ja"].path == first
    shutil.rmtree(first)
    with pytest.raises(SourceError, match="ja"):
        open_recipe_sources(recipe, relative_to=tmp_path / "one")


@pytest.mark.usefixtures("own_cache")
def test_eight_places_are_remembered(copied, tmp_path):
    folder = copied("ja")
    contents = open_source(folder).contents
    for place in range(10):
        recipe = exported_from(Source(folder, "ja", contents, uri=f"owner/ja@{place}"), tmp_path / f"out{place}")
    assert noted_uris(recipe.sources[0]) == [f"owner/ja@{place}" for place in range(9, 1, -1)]
