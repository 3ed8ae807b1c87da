"""A recipe as YAML: read by mergekit's rules, every tensor gets the weights that the recipe has for it."""

import numpy as np
import pytest
import torch
import yaml

from pipelines.checkpoints.sources import open_source
from pipelines.interchange.exporting import export_yaml, weight_conditions
from pipelines.interchange.tensor_names import file_tensor_names
from pipelines.recipes.recipe import Segment, blend

FLOAT32_TINY = 1e-44


def weight_of(setting, name):
    """What mergekit takes for a tensor: the first filter that is part of its name; 0 is none for older versions."""
    value = next(one["value"] for one in setting if "filter" not in one or one["filter"] in name)
    assert value, "a weight of 0 is no weight"
    return value


@pytest.fixture(scope="module")
def sources(trio):
    return {name: open_source(trio[name]) for name in ("anime", "photo")}


def recipe_of(sources, attention, *, text=None):
    """Halves of both, but for the attention's segments: (share of the chromosome, weights)."""
    rows = {"attention": [0.5, 0.5], "backbone": [0.25, 0.75]} | ({"text_encoder_2": text} if text else {})
    made = blend(list(sources.values()), rows, host={"default": "anime", "vae": "photo"}, name="made")
    whole = made.chromosomes["attention"]
    segments = tuple(Segment(stop=stop, weights=weights) for stop, weights in attention)
    return made.model_copy(
        update={"chromosomes": {**made.chromosomes, "attention": whole.model_copy(update={"segments": segments})}}
    )


def test_every_tensor_has_its_weights(sources, tmp_path):
    layout = sources["anime"].layouts(["unet"])["attention"]
    edge = int(layout.stops[100])
    recipe = recipe_of(sources, [(edge, (1.0, 0.0)), (layout.size, (0.4, 0.6))], text=[0.3, 0.7])
    exported = export_yaml(recipe, sources, tmp_path)
    assert exported.rounded == ()
    assert exported.notes() == []
    content = yaml.safe_load(exported.text)
    assert content["merge_method"] == "linear"
    assert content["parameters"] == {"normalize": False}
    models = {one["model"]: one["parameters"]["weight"] for one in content["models"]}
    first, second = (str(sources[name].path.absolute()) for name in ("anime", "photo"))
    assert list(models) == [first, second]
    before = set(layout.names[:101])
    expected = {
        "unet": lambda part: (1.0, 0.0) if part in before else (0.4, 0.6) if part in layout.names else (0.25, 0.75),
        "text_encoder": lambda part: (1.0, 0.0),
        "text_encoder_2": lambda part: (0.3, 0.7),
        "vae": lambda part: (0.0, 1.0),
    }
    seen = set()
    for tensor in file_tensor_names(sources["anime"]):
        weights = [weight_of(models[file], tensor.name) for file in (first, second)]
        assert weights == pytest.approx(expected[tensor.component](tensor.parts[0]), abs=FLOAT32_TINY), tensor.name
        seen.add(tensor.component)
    assert seen == set(expected)
    for buffer in (
        "conditioner.embedders.0.transformer.text_model.embeddings.position_ids",
        "conditioner.embedders.1.model.logit_scale",
    ):
        assert [weight_of(models[file], buffer) for file in (first, second)] == pytest.approx([1, 0], abs=FLOAT32_TINY)


def test_a_name_that_holds_another_is_not_taken_for_it():
    weights = {"conv": 0.1, "block.conv": 0.5, "block.conv_out": 0.2, "other": 0.5, "last": 0.5}
    setting = weight_conditions(weights, None)
    assert {name: weight_of(setting, name) for name in weights} == weights


def test_a_split_within_a_tensor_is_rounded_and_measured(sources, tensors, tmp_path):
    layout = sources["anime"].layouts(["unet"])["attention"]
    number = int(np.argmax([np.prod(shape) for shape in layout.shapes]))
    start, stop = layout.spans[layout.names[number]]
    split = start + 3 * (stop - start) // 4
    recipe = recipe_of(sources, [(split, (0.9, 0.1)), (layout.size, (0.4, 0.6))])
    exported = export_yaml(recipe, sources, tmp_path)
    (rounded,) = exported.rounded
    assert rounded.elements == stop - split
    one, two = (tensors[name][rounded.tensor].ravel() for name in ("anime", "photo"))
    meant = np.where(np.arange(len(one)) < split - start, 0.9 * one + 0.1 * two, 0.4 * one + 0.6 * two)
    moved = np.linalg.norm(0.9 * one + 0.1 * two - meant) / np.linalg.norm(meant)
    assert rounded.relative == pytest.approx(moved, rel=1e-5)
    (note,) = exported.notes()
    assert note.startswith("1 splits fall into a tensor")
    assert f"{moved:.2%} of a tensor's norm ({rounded.tensor})" in note
    setting = yaml.safe_load(exported.text)["models"][0]["parameters"]["weight"]
    assert weight_of(setting, rounded.tensor) == 0.9


def test_a_source_that_is_no_single_file_is_named_as_one(family, one_hot, tmp_path):
    exported = export_yaml(one_hot["real"], family, tmp_path)
    assert set(exported.missing) == {tmp_path / "ja.safetensors", tmp_path / "real.safetensors"}
    assert any("m2n2 merge ja.json --out" in note for note in exported.notes())
    assert torch.finfo(torch.float32).smallest_normal > 1e-45  # what stands for zero is none
