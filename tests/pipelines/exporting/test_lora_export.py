"""A merge as a LoRA: base plus LoRA is the child, within the error that is stated, for us and for diffusers."""

import json
import math

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file

from pipelines.architectures.keys import canonical_name
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError, SourceError
from pipelines.exporting.lora_export import LORA_KEY, export_lora, extract_lora, lora_size
from pipelines.recipes.recipe import blend
from pipelines.storage.tensor_file import TensorFile
from pipelines.weaving.plan import Plan
from tests.full_keys import small_sdxl
from tests.loras import BASE, factors, kohya_lora, values

PARTS = ("unet", "text_encoder", "text_encoder_2")
RANK = 4


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Two sources with every true key of SDXL."""
    place = tmp_path_factory.mktemp("sources")
    return [open_source(small_sdxl(place / name, seed)) for seed, name in enumerate(("one", "two"))]


@pytest.fixture(scope="module")
def plan(sources):
    """Seven tenths of one and three of two, text encoders too."""
    rows = dict.fromkeys(("attention", "backbone", "text_encoder", "text_encoder_2"), [0.7, 0.3])
    return Plan(blend(sources, rows, host={"default": "one"}), {one.name: one for one in sources})


@pytest.fixture(scope="module")
def written(plan, sources, tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "child.safetensors"
    return path, {error.component: error for error in export_lora(plan, sources[0], path, rank=RANK)}


@pytest.fixture(scope="module")
def child(sources):
    """What the recipe gives: float64 by component and name."""
    one, two = sources
    return {
        part: {
            name: 0.7 * values(one.components[part], name).double() + 0.3 * values(two.components[part], name).double()
            for name in one.components[part].tensors
        }
        for part in PARTS
    }


def relative_error(found, child, base):
    """The norm of what is missing over the norm of the whole difference."""
    missing = sum(float((child[name] - found[name].double()).square().sum()) for name in child)
    return math.sqrt(missing / sum(float((child[name] - base[name].double()).square().sum()) for name in child))


def test_base_plus_lora_is_the_child_within_the_stated_error(written, child, sources):
    path, errors = written
    baked = open_source_uri(f"{sources[0].path} + 1 * {path}")
    for part in PARTS:
        base, found = (
            {name: values(one.components[part], name) for name in child[part]} for one in (sources[0], baked)
        )
        assert relative_error(found, child[part], base) == pytest.approx(errors[part].relative_error, rel=1e-4)


@pytest.mark.slow
def test_diffusers_loads_every_layer(written, child, sources):
    """Kohya's keys over SGM's blocks, convolutions and embeddings of time too."""
    path, errors = written
    pipeline = StableDiffusionXLPipeline.from_pretrained(sources[0].path, dtype=torch.float32)
    pipeline.load_lora_weights(path)
    pipeline.fuse_lora(components=list(PARTS))
    pipeline.unload_lora_weights()
    for part in PARTS:
        state = {canonical_name(part, key): tensor for key, tensor in getattr(pipeline, part).state_dict().items()}
        base = {name: values(sources[0].components[part], name) for name in child[part]}
        assert relative_error(state, child[part], base) == pytest.approx(errors[part].relative_error, rel=1e-4)


def test_no_other_lora_of_that_rank_is_closer(written, child, sources):
    """Eckart and Young: what is left is the sum of the squares of the further singular values, by numpy here."""
    path, errors = written
    stems = {key.partition(".")[0] for key in TensorFile(path).tensors}
    for part, prefix in zip(PARTS, ("lora_unet_", "lora_te1_", "lora_te2_"), strict=True):
        left = whole = unreachable = 0.0
        layers = 0
        for name, weights in child[part].items():
            delta = (weights - values(sources[0].components[part], name).double()).numpy()
            whole += (delta**2).sum()
            layer = delta.ndim > 1 and ".embeddings." not in name and not name.startswith("text_projection")
            layers += layer
            if layer:
                left += (np.linalg.svd(delta.reshape(len(delta), -1), compute_uv=False)[RANK:] ** 2).sum()
            else:
                left, unreachable = left + (delta**2).sum(), unreachable + (delta**2).sum()
        best = math.sqrt(left / whole)
        assert best <= errors[part].relative_error * (1 + 1e-6)
        assert errors[part].relative_error == pytest.approx(best, rel=1e-3)
        assert errors[part].out_of_reach == pytest.approx(math.sqrt(unreachable / whole), rel=1e-4)
        assert errors[part].layers == layers == sum(stem.startswith(prefix) for stem in stems)


def test_the_header_says_rank_base_and_error(written, plan, sources):
    path, errors = written
    metadata = TensorFile(path).metadata
    about = json.loads(metadata[LORA_KEY])
    assert about["rank"] == RANK
    assert about["base"]["sha256"]["unet"] == sources[0].components["unet"].sha256
    assert about["relative_error"] == {part: error.relative_error for part, error in errors.items()}
    assert metadata["ss_network_dim"] == str(RANK)
    stored = sum(tensor.nbytes for key, tensor in load_file(path).items() if not key.endswith(".alpha"))
    assert stored == lora_size(plan, RANK)


def test_a_lora_comes_back(tmp_path, family):
    """A child that is its base and a LoRA of rank 4 is held by rank 4 but for the rounding of half precision."""
    lora = kohya_lora({"unet": factors()["unet"]}, tmp_path / "lora.safetensors")
    source = open_source_uri(f"{BASE} + 1 * {lora}")
    made = blend([source], {"attention": [1.0], "backbone": [1.0]}, host={"default": source.name})
    told = []
    found = extract_lora(
        Plan(made, {source.name: source}), family["base"], rank=4, progress=lambda done, of: told.append((done, of))
    )
    (error,) = found.errors
    assert (error.component, error.layers) == ("unet", len(factors()["unet"]))
    assert error.relative_error < 1e-3
    assert error.out_of_reach == 0
    assert told[-1][0] == told[-1][1]
    single = extract_lora(Plan(made, {source.name: source}), family["base"], rank=4, dtype=torch.float32)
    assert single.errors[0].relative_error < 1e-5


def test_refuses_what_no_lora_can_be(plan, sources, family, tmp_path):
    with pytest.raises(ExportError, match="Expected 1 to 1024"):
        extract_lora(plan, sources[0], rank=0)
    with pytest.raises(ExportError, match=r"ends in \.safetensors"):
        export_lora(plan, sources[0], tmp_path / "folder")
    (tmp_path / "taken.safetensors").touch()
    with pytest.raises(ExportError, match="exists already"):
        export_lora(plan, sources[0], tmp_path / "taken.safetensors")
    with pytest.raises(SourceError, match="the base base"):
        extract_lora(plan, family["base"])
    same = blend([sources[0]], {"attention": [1.0], "backbone": [1.0]}, host={"default": "one"})
    with pytest.raises(ExportError, match="a LoRA would hold nothing"):
        export_lora(Plan(same, {"one": sources[0]}), sources[0], tmp_path / "nothing.safetensors")
    assert not list(tmp_path.glob("nothing*"))
