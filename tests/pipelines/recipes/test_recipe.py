"""The recipe file: what it says, what it refuses, and that it reads back to the same bits."""

import json

import pytest

from pipelines.errors import RecipeError
from pipelines.recipes.pinning import check_sources
from pipelines.recipes.recipe import blend, load_recipe, parse_recipe


@pytest.fixture
def content(one_hot):
    return json.loads(one_hot["ja"].to_json())


def broken(content, **changes):
    return json.dumps({**content, **changes})


def test_round_trip_is_exact(family, tmp_path):
    third = blend(
        list(family.values()),
        {"attention": [1 / 3, 0.1, 0.2, 0.3], "backbone": [0.1 + 0.2, 0, 0, 0.7]},
        host={"default": "ja"},
    )
    third.save(tmp_path / "recipe.json")
    assert load_recipe(tmp_path / "recipe.json") == third
    assert load_recipe(tmp_path / "recipe.json").digest == third.digest


def test_digest_ignores_names_but_not_weights(family, one_hot):
    assert one_hot["ja"].model_copy(update={"name": "another"}).digest == one_hot["ja"].digest
    assert one_hot["ja"].digest != one_hot["base"].digest


def test_shares(family):
    half = blend(
        list(family.values()), {"attention": [0.5, 0.5, 0, 0], "backbone": [0, 1, 0, 0]}, host={"default": "ja"}
    )
    assert half.shares["attention"] == {"base": 0.5, "ja": 0.5, "flat": 0.0, "real": 0.0}


def test_a_hand_written_recipe_needs_neither_layout_nor_lineage(content):
    for chromosome in content["chromosomes"].values():
        del chromosome["layout"]
    for source in content["sources"]:
        source["sha256"] = {"unet": source["sha256"]["unet"]}
    assert parse_recipe(json.dumps(content)).lineage is None


def test_refuses_a_merged_component_without_its_hash(content):
    by_name = {source["name"]: source for source in content["sources"]}
    del by_name["flat"]["sha256"]["unet"]  # which has no weight in it
    assert parse_recipe(json.dumps(content)).weighted_sources("unet") == ("ja",)
    del by_name["ja"]["sha256"]["unet"]
    with pytest.raises(RecipeError, match="source 'ja' lacks the sha256 of unet; `m2n2 recipe pin"):
        parse_recipe(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"colour": "red"}, "colour: unknown key"),
        ({"version": 2}, "version 2; this program reads version 1"),
        ({"format": "mecha"}, "format 'mecha'. Expected 'm2n2-recipe'"),
        ({"host": {"vae": "ja"}}, "host must name a source for 'default'"),
        ({"host": {"default": "nobody"}}, "'nobody', which is not among the sources"),
        ({"host": {"default": "ja", "engine": "ja"}}, "unknown component 'engine'"),
        ({"chromosomes": {}}, "must hold 'attention' and 'backbone'"),
        ({"sources": []}, "sources"),
    ],
)
def test_refused(content, changes, expected):
    with pytest.raises(RecipeError, match=expected):
        parse_recipe(broken(content, **changes))


def test_refuses_what_is_no_json():
    with pytest.raises(RecipeError, match="is not JSON"):
        parse_recipe("{")


def test_refuses_segments_that_do_not_cover(content):
    content["chromosomes"]["attention"]["segments"][0]["stop"] = 5
    with pytest.raises(RecipeError, match="segment stops must rise and end at size"):
        parse_recipe(json.dumps(content))


def test_refuses_the_wrong_number_of_weights(content):
    content["chromosomes"]["attention"]["segments"][0]["weights"] = [1.0]
    with pytest.raises(RecipeError, match="expected 4 weights, one a source, found 1"):
        parse_recipe(json.dumps(content))


def test_refuses_weights_that_are_not_finite(content):
    content["chromosomes"]["attention"]["segments"][0]["weights"][0] = float("nan")
    with pytest.raises(RecipeError, match="finite"):
        parse_recipe(json.dumps(content))


def test_refuses_other_weights_than_it_was_made_from(content, family):
    content["sources"][1]["sha256"]["unet"] = "0" * 64
    with pytest.raises(RecipeError, match="unet of source 'ja' at .* has hash .*, the recipe expects 000000000000"):
        check_sources(parse_recipe(json.dumps(content)), family)


def test_refuses_another_architecture(content, family):
    content["chromosomes"]["attention"]["layout"] = "1" * 64
    with pytest.raises(RecipeError, match="another order of tensors"):
        check_sources(parse_recipe(json.dumps(content)), family)
