"""Any network: its chromosomes are glob patterns, and recipe, weave and export know no pictures."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file

from pipelines.architectures.keys import chromosome_layouts
from pipelines.checkpoints.sources import open_network
from pipelines.errors import ExportError, RecipeError, SourceError
from pipelines.exporting.export import export_network
from pipelines.exporting.places import noted_uris
from pipelines.recipes.chromosome import Segment
from pipelines.recipes.gram import compute_gram
from pipelines.recipes.mergeable import check_mergeable
from pipelines.recipes.pinning import check_sources, pin
from pipelines.recipes.recipe import blend, load_recipe, parse_recipe
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import LiveWeights, component_entries, weave_file
from tests.networks import LEFT, RIGHT, network

PATTERNS = {"attention": ["*.attn.*"], "early": ["layers.2.*"]}
ROWS = {"attention": [0.5, 0.5], "early": [1.0, 0.0], "rest": [0.0, 1.0]}
TENSORS = {name: (tuple(tensor.shape), "F32" if tensor.is_floating_point() else "I64") for name, tensor in LEFT.items()}


@pytest.fixture
def pair(tmp_path):
    """Two sources by name."""
    return {
        name: open_network(network(tmp_path / name, tensors)) for name, tensors in (("left", LEFT), ("right", RIGHT))
    }


@pytest.fixture
def recipe(pair):
    """Attention halfway, the early layer of `left`, the rest of `right`, and a split inside the attention."""
    made = blend(list(pair.values()), ROWS, host={"default": "left"}, name="child", patterns=PATTERNS)
    attention = made.chromosomes["attention"]
    cut = attention.model_copy(
        update={"segments": (Segment(stop=5, weights=(1.0, 0.0)), Segment(stop=8, weights=(0.5, 0.5)))}
    )
    return made.model_copy(update={"chromosomes": {**made.chromosomes, "attention": cut}})


def woven_by_hand():
    return {
        "layers.2.attn.weight": LEFT["layers.2.attn.weight"],  # elements 0 to 4 of the attention
        "layers.10.attn.weight": torch.tensor([[1.0, 3.5], [5.0, 6.5]]),  # 4 to 8: one of left, then means
        "layers.2.mlp.bias": LEFT["layers.2.mlp.bias"],
        "head.weight": torch.tensor([21.0, 41.0]),
        "positions": torch.tensor([0, 1]),  # integers come from the host
    }


def equal(one, other):
    assert one.keys() == other.keys()
    assert all(one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one)


def test_the_first_pattern_that_matches_takes_a_tensor_and_the_rest_is_left():
    found = chromosome_layouts("model", TENSORS, PATTERNS)
    assert {name: layout.names for name, layout in found.items()} == {
        "attention": ("layers.2.attn.weight", "layers.10.attn.weight"),  # natural order
        "early": ("layers.2.mlp.bias",),
        "rest": ("head.weight",),
    }
    assert found["attention"].spans["layers.10.attn.weight"] == (4, 8)
    assert {layout.component for layout in found.values()} == {"model"}


def test_without_patterns_all_that_can_be_merged_is_one_chromosome():
    assert set(chromosome_layouts("model", TENSORS)["rest"].names) == set(LEFT) - {"positions"}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ({"attention": ["*.atn.*"]}, r"Pattern '\*.atn.\*' of chromosome 'attention' takes no tensor: none matches it"),
        ({"ints": ["positions"]}, "takes no tensor: none matches it"),
        ({**PATTERNS, "late": ["layers.10.*"]}, "patterns before it take layers.10.attn.weight and all else"),
    ],
)
def test_a_pattern_that_takes_nothing_is_refused(patterns, expected):
    with pytest.raises(RecipeError, match=expected):
        chromosome_layouts("model", TENSORS, patterns)


def test_shards_are_one_network(tmp_path):
    parts = [dict(list(LEFT.items())[:2]), dict(list(LEFT.items())[2:])]
    sharded, whole = network(tmp_path / "sharded", *parts), network(tmp_path / "whole", LEFT)
    sha256 = open_network(whole).components["model"].sha256
    assert open_network(sharded).components["model"].sha256 == sha256
    (sharded / "other.safetensors").write_bytes((whole / "model.safetensors").read_bytes())
    with pytest.raises(SourceError, match=r"holds tensor .* twice, in model-0000.* and in other.safetensors"):
        open_network(sharded)
    named = {name: f"model-0000{1 + (name in parts[1])}-of-00002.safetensors" for name in LEFT}
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    assert open_network(sharded).components["model"].sha256 == sha256


def test_the_hash_is_over_every_tensor_integers_too(pair):
    digest = hashlib.sha256()
    for name in ("head.weight", "layers.2.attn.weight", "layers.2.mlp.bias", "layers.10.attn.weight", "positions"):
        digest.update(LEFT[name].numpy().tobytes())
    assert pair["left"].components["model"].sha256 == digest.hexdigest()


def test_a_folder_without_safetensors_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"holds no weights. Expected .safetensors files in this folder itself"):
        open_network(tmp_path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda tensors: tensors.pop("head.weight"), "tensor head.weight is missing"),
        (lambda tensors: tensors.update({"tail": torch.ones(1)}), "tensor tail is unexpected"),
        (
            lambda tensors: tensors.update({"head.weight": torch.ones(3)}),
            r"tensor head.weight has shape \[3\], not \[2\]",
        ),
    ],
)
def test_networks_of_other_keys_or_shapes_are_refused(tmp_path, pair, change, expected):
    tensors = dict(RIGHT)
    change(tensors)
    other = open_network(network(tmp_path / "other", tensors))
    with pytest.raises(SourceError, match=f"other cannot be merged with left: {expected}"):
        check_mergeable([pair["left"], other])


def test_memory_and_file_are_the_sums_worked_out_by_hand(pair, recipe, tmp_path):
    plan = Plan(recipe, pair)
    memory = {name: torch.empty_like(tensor) for name, tensor in LEFT.items()}
    live = LiveWeights("model", memory)
    assert live.weave(plan) == 5
    equal(memory, woven_by_hand())
    assert live.weave(plan) == 0  # nothing has changed
    weave_file(plan, component_entries(plan, "model"), tmp_path / "child.safetensors")
    equal(load_file(tmp_path / "child.safetensors"), woven_by_hand())


def test_gram_of_a_chromosome_by_hand(pair):
    layout = pair["left"].layouts(["model"], PATTERNS)["rest"]  # [10, 20] and [21, 41]
    assert compute_gram(list(pair.values()), layout).between(0, 2).tolist() == [[500.0, 1030.0], [1030.0, 2122.0]]


def test_a_recipe_file_rebuilds_the_same_weights(pair, recipe, tmp_path):
    recipe.save(tmp_path / "recipe.json")
    assert json.loads((tmp_path / "recipe.json").read_text())["patterns"] == PATTERNS
    loaded = load_recipe(tmp_path / "recipe.json")
    assert loaded == recipe
    assert loaded.digest == recipe.digest
    assert loaded.merged_components == ("model",)
    assert loaded.shares["attention"] == {"left": 0.8125, "right": 0.1875}  # 5 of 8, and half of 3
    folder = export_network(Plan(loaded, pair), tmp_path / "child")
    equal(load_file(folder / "model.safetensors"), woven_by_hand())


def test_the_order_of_patterns_is_part_of_what_a_recipe_is(pair):
    one, other = (
        blend(list(pair.values()), rows, host={"default": "left"}, patterns=patterns)
        for patterns, rows in (
            ({"a": ["*.attn.*"], "b": ["*.2.*"]}, {"a": [1, 0], "b": [1, 0], "rest": [1, 0]}),
            ({"b": ["*.2.*"], "a": ["*.attn.*"]}, {"a": [1, 0], "b": [1, 0], "rest": [1, 0]}),
        )
    )
    assert one.digest != other.digest


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"host": {"default": "left", "unet": "left"}}, "unknown component 'unet'; known: default, model"),
        ({"patterns": {"attention": ["*.attn.*"]}}, "unknown chromosome 'early'"),
        ({"patterns": {**PATTERNS, "late": ["x"]}}, "must hold 'attention' and 'early' and 'late'"),
        ({"patterns": {**PATTERNS, "rest": ["x"]}}, "patterns are given for 'rest', which has none"),
        ({"patterns": {"attention": []}}, "patterns.attention"),
        ({"patterns": None}, "must hold 'rest'|unknown chromosome"),
        ({"architecture": "sdxl-unet"}, "lacks the sha256 of unet"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(recipe, changes, expected):
    with pytest.raises(RecipeError, match=expected):
        parse_recipe(json.dumps({**json.loads(recipe.to_json()), **changes}))


def test_patterns_that_give_other_chromosomes_than_the_recipe_has_are_refused(pair, recipe):
    other = recipe.model_copy(update={"patterns": {**recipe.patterns, "head": ("head.*",)}})
    with pytest.raises(RecipeError, match="form the chromosomes attention, early, head; the recipe has"):
        check_sources(other, pair)


def test_a_recipe_without_hashes_is_pinned(pair, recipe):
    content = json.loads(recipe.to_json())
    for source in content["sources"]:
        del source["sha256"]
    for chromosome in content["chromosomes"].values():
        del chromosome["layout"]
    assert pin(parse_recipe(json.dumps(content), unpinned=True), pair).digest == recipe.digest


def test_an_exported_network_is_its_hosts_folder_with_other_weights(tmp_path):
    parts = [dict(list(LEFT.items())[:2]), dict(list(LEFT.items())[2:])]
    host = network(tmp_path / "left", *parts, format="pt", made_by="hand")
    named = {name: f"model-0000{1 + (name in parts[1])}-of-00002.safetensors" for name in LEFT}
    (host / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    for name in ("tokenizer.json", "LICENSE", "modeling_tiny.py", "README.md", "model.bin"):
        (host / name).write_text("{}")
    sources = {"left": open_network(host), "right": open_network(network(tmp_path / "right", RIGHT))}
    made = blend(list(sources.values()), ROWS, host={"default": "left"}, patterns=PATTERNS)
    folder = export_network(Plan(made, sources), tmp_path / "child")
    papers = {"config.json", "tokenizer.json", "LICENSE", "model.safetensors.index.json", "recipe.json", "SHA256SUMS"}
    assert {path.name for path in folder.iterdir()} == papers | set(named.values())
    for file in set(named.values()):
        assert load_file(folder / file).keys() == load_file(host / file).keys()
    child = open_network(folder)
    assert child.components["model"].files[0].metadata == {"format": "pt", "made_by": "hand"}
    assert child.components["model"].read("head.weight").tolist() == [21.0, 41.0]
    again = load_recipe(folder / "recipe.json")
    at = {one.name: open_network(noted_uris(one)[0], name=one.name) for one in again.sources}
    export_network(Plan(again, at), tmp_path / "again")
    assert open_network(tmp_path / "again").components["model"].sha256 == child.components["model"].sha256
    with pytest.raises(ExportError, match="exists already. Expected a new or empty folder"):
        export_network(Plan(made, sources), folder)


def test_a_unet_can_be_regrouped(family):
    """Self-attention of `real`, cross-attention of `ja`, the rest of `base`; text encoders keep their own names."""
    patterns = {"self": ["*.attn1.*"], "cross": ["*.attn2.*"]}
    names = list(family)
    rows = {part: [float(name == of) for name in names] for part, of in (("self", "real"), ("cross", "ja"))}
    rows["rest"] = [float(name == "base") for name in names]
    made = blend(list(family.values()), rows, host={"default": "ja"}, patterns=patterns)
    assert parse_recipe(made.to_json()) == made
    assert made.merged_components == ("unet",)
    plan = Plan(made, family)
    for tensor in plan.tensor_plans("unet"):
        owner = "real" if ".attn1." in tensor.name else "ja" if ".attn2." in tensor.name else "base"
        assert torch.equal(plan.build_tensor(tensor), family[owner].components["unet"].read(tensor.name)), tensor.name


def test_recipes_of_sdxl_are_what_they_were(one_hot):
    recipe = one_hot["ja"]
    content = json.loads(recipe.to_json())
    assert "patterns" not in content
    assert content["architecture"] == "sdxl-unet"
    decides = {
        "sources": [source["sha256"] for source in content["sources"]],
        "host": {"default": 1},
        "chromosomes": content["chromosomes"],
    }
    assert recipe.digest == hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
