"""Recipes without hashes, and the sources that fill them in."""

import json
from pathlib import Path

import pytest

import assets
from pipelines.errors import RecipeError
from pipelines.recipes.pinning import pin
from pipelines.recipes.recipe import load_recipe, parse_recipe


@pytest.fixture
def unpinned(one_hot):
    content = json.loads(one_hot["ja"].to_json())
    for source in content["sources"]:
        del source["sha256"]
    for chromosome in content["chromosomes"].values():
        del chromosome["layout"]
    return content


def test_a_pinned_recipe_is_the_one_it_would_have_been(unpinned, one_hot, family):
    pinned = pin(parse_recipe(json.dumps(unpinned), unpinned=True), family)
    assert pinned.digest == one_hot["ja"].digest
    assert parse_recipe(pinned.to_json()) == pinned


def test_what_is_pinned_already_must_fit(unpinned, family):
    unpinned["sources"][0]["sha256"] = {"unet": "0" * 64}
    with pytest.raises(RecipeError, match="not the weights it was made from"):
        pin(parse_recipe(json.dumps(unpinned), unpinned=True), family)


def test_a_size_that_does_not_fit(unpinned, family):
    chromosome = unpinned["chromosomes"]["attention"]
    chromosome["size"] = chromosome["segments"][0]["stop"] = 955353600
    with pytest.raises(RecipeError, match="has 955353600 elements in the recipe"):
        pin(parse_recipe(json.dumps(unpinned), unpinned=True), family)


def test_an_unpinned_recipe_is_not_merged(unpinned, family):
    with pytest.raises(RecipeError, match="`m2n2 recipe pin` opens the sources"):
        parse_recipe(json.dumps(unpinned))


def test_the_published_merge_is_a_recipe():
    """The weights of each group sum to 1, and the chromosomes are SDXL's."""
    recipe = load_recipe(Path(assets.__file__).parent / "recipes" / "evo-ukiyoe-base.json", unpinned=True)
    assert {name: chromosome.size for name, chromosome in recipe.chromosomes.items()} == {
        "attention": 955_353_600,
        "backbone": 1_612_110_084,
    }
    for shares in recipe.shares.values():
        assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    assert [recipe.lender(part) for part in ("text_encoder", "tokenizer", "text_encoder_2", "vae")] == [
        "jsdxl",
        "jsdxl",
        "sdxl",
        "sdxl",
    ]
