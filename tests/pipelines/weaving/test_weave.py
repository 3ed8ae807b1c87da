"""Weaving: a source equals its file, memory equals disk, and only what changes is touched."""

import json
import os
import shutil

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from pipelines.checkpoints.sources import open_source
from pipelines.errors import RecipeError, SourceError
from pipelines.recipes.chromosome import Segment
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import LiveWeights, component_entries, weave_file
from tests.pipelines.merges import split_inside_tensors


@pytest.fixture(scope="module")
def child(one_hot):
    return split_inside_tensors(one_hot["ja"], (0.0, 1.0, 0.0, 0.0))


@pytest.fixture
def live(family):
    unet = UNet2DConditionModel.from_pretrained(family["base"].path / "unet", dtype=torch.float32)
    return unet, LiveWeights("unet", unet)


def weave_unet(plan, path, **options):
    weave_file(plan, component_entries(plan, "unet"), path, **options)


@pytest.mark.parametrize("name", ["base", "ja", "flat", "real"])
def test_a_woven_source_equals_its_file(family, one_hot, tmp_path, name):
    weave_unet(Plan(one_hot[name], family), tmp_path / "unet.safetensors")
    woven, original = load_file(tmp_path / "unet.safetensors"), load_file(family[name].components["unet"].files[0].path)
    assert set(woven) == set(original)
    for key, tensor in original.items():
        assert woven[key].dtype == tensor.dtype
        assert torch.equal(woven[key], tensor), key


def test_memory_and_disk_agree_bit_for_bit(family, child, live, tmp_path):
    unet, weights = live
    plan = Plan(child, family)
    weave_unet(plan, tmp_path / "unet.safetensors")
    assert weights.weave(plan) == len(plan.tensor_plans("unet"))
    for name, parameter in unet.named_parameters():
        assert torch.equal(parameter, load_file(tmp_path / "unet.safetensors")[name].float()), name


def test_the_sum_is_float32_with_one_rounding(family, child):
    plan = Plan(child, family)
    tensor = next(tensor for tensor in plan.tensor_plans("unet") if tensor.name == "conv_out.weight")
    sources = [source.components["unet"].read("conv_out.weight").float() for source in family.values()]
    weights = [0.1, 0.2, 0.3, 0.4]
    expected = sources[0] * weights[0]
    for source, weight in zip(sources[1:], weights[1:], strict=True):
        expected = expected + source * weight
    assert torch.equal(plan.build_tensor(tensor), expected.to(torch.float16))


def test_only_what_changes_is_touched(family, one_hot, live):
    _, weights = live
    weights.weave(Plan(one_hot["ja"], family))
    assert weights.weave(Plan(one_hot["ja"], family)) == 0
    other = one_hot["ja"].chromosomes | {"attention": one_hot["flat"].chromosomes["attention"]}
    touched = weights.weave(Plan(one_hot["ja"].model_copy(update={"chromosomes": other}), family))
    assert touched == len(family["ja"].components["unet"].layouts["attention"].names)


def test_parameters_stay_where_they_are(family, one_hot, live):
    unet, weights = live
    before = [parameter.data_ptr() for parameter in unet.parameters()]
    weights.weave(Plan(one_hot["real"], family))
    assert [parameter.data_ptr() for parameter in unet.parameters()] == before


def test_the_same_bytes_every_time(family, child, tmp_path):
    for name in ("one", "two"):
        weave_unet(Plan(child, family), tmp_path / name, metadata={"title": "金継ぎ"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@settings(max_examples=5)
@given(cut=st.integers(1, 10**6))
def test_where_a_chromosome_is_cut_changes_nothing(family, one_hot, cut):
    """Two segments with the same weights are one."""
    whole = one_hot["ja"].chromosomes["backbone"]
    weights = (0.3, 0.3, 0.2, 0.2)
    once = whole.model_copy(update={"segments": (Segment(stop=whole.size, weights=weights),)})
    twice = whole.model_copy(
        update={"segments": (Segment(stop=cut, weights=weights), Segment(stop=whole.size, weights=weights))}
    )
    plans = [
        Plan(one_hot["ja"].model_copy(update={"chromosomes": one_hot["ja"].chromosomes | {"backbone": part}}), family)
        for part in (once, twice)
    ]
    index = family["ja"].components["unet"].layouts["backbone"].tensor_at(cut)
    name = family["ja"].components["unet"].layouts["backbone"].names[index]
    built = [
        plan.build_tensor(next(tensor for tensor in plan.tensor_plans("unet") if tensor.name == name)) for plan in plans
    ]
    assert torch.equal(*built)


def test_text_encoders_are_woven_too(family, tmp_path):
    chromosomes = ("attention", "backbone", "text_encoder", "text_encoder_2")
    rows = dict.fromkeys(chromosomes, [0.0, 0.0, 0.0, 1.0])
    plan = Plan(blend(list(family.values()), rows, host={"default": "ja"}), family)
    for part in ("text_encoder", "text_encoder_2"):
        weave_file(plan, component_entries(plan, part), tmp_path / part)
        original = load_file(family["real"].components[part].files[0].path)
        woven = load_file(tmp_path / part)
        assert set(woven) == set(family["real"].components[part].tensors)
        assert all(
            torch.equal(woven[name], original[ref.key]) for name, ref in family["real"].components[part].tensors.items()
        )


def test_refuses_an_overflow(family, one_hot):
    huge = {name: [1e6, 0, 0, 0] for name in one_hot["ja"].chromosomes}
    plan = Plan(blend(list(family.values()), huge, host={"default": "ja"}), family)
    tensor = next(tensor for tensor in plan.tensor_plans("unet") if tensor.name == "conv_in.weight")
    with pytest.raises(RecipeError, match=r"conv_in\.weight overflows torch\.float16"):
        plan.build_tensor(tensor)


def test_a_source_that_became_shorter_is_refused(family, tmp_path):
    folder = shutil.copytree(family["ja"].path, tmp_path / "ja")
    short = open_source(folder)
    recipe = blend([short], {name: [1.0] for name in ("attention", "backbone")}, host={"default": short.name})
    plan = Plan(recipe, {short.name: short})
    (file,) = {one.path for one in short.components["unet"].files}
    os.truncate(file, file.stat().st_size - 100)
    with pytest.raises(SourceError, match="now ends inside its tensor"):
        weave_unet(plan, tmp_path / "unet.safetensors")


@pytest.mark.parametrize("read", ["weave", "hash", "inner products"])
def test_a_file_cut_under_a_reader_is_an_error_and_no_signal(copied, read):
    cut = open_source(copied("ja"))
    part = cut.components["unet"]
    recipe = blend([cut], {name: [1.0] for name in ("attention", "backbone")}, host={"default": "ja"})
    memory = {name: torch.empty(ref.shape) for name, ref in part.tensors.items()}
    plan, live = Plan(recipe, {"ja": cut}), LiveWeights("unet", memory)
    live.weave(plan)  # a map would hold all pages by now
    (file,) = part.files
    os.truncate(file.path, 4096)
    work = {
        "weave": lambda: LiveWeights("unet", memory).weave(plan),
        "hash": lambda: part.compute_sha256(reread=True),
        "inner products": lambda: [part.read_flat(layout, 0, layout.size) for layout in part.layouts.values()],
    }
    with pytest.raises(SourceError, match="now ends inside its tensor"):
        work[read]()


def test_without_a_way_past_the_memory_map_the_bytes_are_the_same(family, child, tmp_path, monkeypatch):
    weave_unet(Plan(child, family), tmp_path / "read.safetensors")
    monkeypatch.setattr("pipelines.storage.tensor_file.CAN_READ_INTO", False)  # as on Windows
    weave_unet(Plan(child, family), tmp_path / "mapped.safetensors")
    assert (tmp_path / "read.safetensors").read_bytes() == (tmp_path / "mapped.safetensors").read_bytes()


def test_header_is_plain_safetensors(family, child, tmp_path):
    weave_unet(Plan(child, family), tmp_path / "unet.safetensors")
    content = (tmp_path / "unet.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert (8 + length) % 8 == 0
    assert header.pop("__metadata__") == {"format": "pt"}
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(content) - 8 - length
