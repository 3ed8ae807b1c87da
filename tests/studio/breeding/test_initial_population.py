"""What a run starts from: a former run's archive, over its own sources and under its own host."""

import pytest

from pipelines.recipes.chromosome import Segment
from pipelines.recipes.recipe import blend, load_recipe
from pipelines.weaving.plan import Plan
from studio.breeding.initial_population import carried_over, initial_offspring
from studio.errors import ConfigError, RunError
from studio.execution.creation import create_run
from studio.runs.config import checked
from studio.runs.store import open_run

HALF = {"attention": [0.5, 0.25, 0.25, 0.0], "backbone": [0.5, 0.0, 0.5, 0.0]}


@pytest.fixture(scope="module")
def merged(family):
    return blend(list(family.values()), HALF, host={"default": "ja"}, name="0007")


def test_weights_follow_their_sources(merged, family, small_config):
    """The order of sources is another one, and one that weighs nothing is left out."""
    sources = {name: family[name] for name in ("flat", "ja", "base")}
    config = checked({**small_config.model_dump(), "host": {"default": "flat"}, "archive": 6})
    child = carried_over(merged, config, sources, name="0001")
    assert [source.name for source in child.sources] == ["flat", "ja", "base"]
    assert [segment.weights for segment in child.chromosomes["attention"].segments] == [(0.25, 0.25, 0.5)]
    assert [segment.weights for segment in child.chromosomes["backbone"].segments] == [(0.5, 0.0, 0.5)]
    assert child.host == {"default": "flat"}
    assert (child.name, child.lineage.mother, child.lineage.father) == ("0001", "base", "flat")


def test_a_source_that_weighs_something_may_not_be_missing(merged, family, small_config):
    sources = {name: family[name] for name in ("ja", "base", "real")}
    with pytest.raises(ConfigError, match="is made of 'flat', which is not among"):
        carried_over(merged, small_config, sources, name="0001")


def test_a_fork_may_group_the_network_otherwise(merged, family, small_config):
    """Every tensor keeps its weights, those of a frozen group aside."""
    groups = {"cross": ["*.attn2.*"], "up": ["up_blocks.*"]}
    config = checked({**small_config.model_dump(), "chromosomes": groups, "frozen": {"cross": "real"}})
    size = merged.chromosomes["attention"].size
    halves = ((size // 3, (1.0, 0.0, 0.0, 0.0)), (size, tuple(HALF["attention"])))
    segments = tuple(Segment(stop=stop, weights=weights) for stop, weights in halves)  # the split falls within a tensor
    attention = merged.chromosomes["attention"].model_copy(update={"segments": segments})
    recipe = merged.model_copy(update={"chromosomes": {**merged.chromosomes, "attention": attention}})
    child = carried_over(recipe, config, family, name="0001")
    assert [one.weights for one in child.chromosomes["cross"].segments] == [(0, 0, 0, 1)]
    flat, regrouped = Plan(recipe, family), Plan(child, family)
    ours = {tensor.name: tensor for tensor in regrouped.tensor_plans("unet")}
    for tensor in flat.tensor_plans("unet"):
        if ".attn2." not in tensor.name:
            assert ours[tensor.name].spans == tensor.spans


def test_the_same_parts_must_be_merged(merged, family, small_config):
    both = checked({**small_config.model_dump(), "merge_text_encoders": True})
    with pytest.raises(ConfigError, match="merges unet; expected text_encoder, text_encoder_2, unet"):
        carried_over(merged, both, family, name="0001")


def test_a_fork_has_the_recipes_in_its_own_folder(tmp_path, merged, family, small_config):
    merged.save(tmp_path / "mine" / "good.json")
    config = checked({**small_config.model_dump(), "start": str(tmp_path / "mine")})
    create_run(tmp_path / "fork", config).close()
    (tmp_path / "mine" / "good.json").unlink()
    moved = (tmp_path / "fork").rename(tmp_path / "moved")
    store = open_run(moved)
    (first,) = initial_offspring(store.config, family)
    assert first.chromosomes == load_recipe(moved / "start" / "0001.json").chromosomes == merged.chromosomes
    store.close()


def test_merges_by_hand_come_before_a_former_archive(tmp_path, merged, family, small_config):
    merged.save(tmp_path / "0001.json")
    config = checked({**small_config.model_dump(), "start": str(tmp_path), "breeding": {"merges": True}})
    given = initial_offspring(config, family)
    assert [one.name for one in given] == [f"{number:04d}" for number in range(1, 9)]  # six pairs, all, and that one
    assert given[-1].chromosomes == merged.chromosomes


def test_an_individual_of_other_sources_leaves_no_folder_behind(tmp_path, merged, small_config):
    merged.save(tmp_path / "mine" / "good.json")
    asked = {"start": str(tmp_path / "mine"), "sources": [path for path in small_config.sources if "flat" not in path]}
    with pytest.raises(ConfigError, match="is made of 'flat'"):
        create_run(tmp_path / "fork", checked({**small_config.model_dump(), **asked}))
    assert not (tmp_path / "fork").exists()


def test_a_folder_with_nobody_in_it_is_refused(tmp_path, small_config):
    with pytest.raises(RunError, match="nobody to start from"):
        create_run(tmp_path / "fork", checked({**small_config.model_dump(), "start": str(tmp_path)}))
