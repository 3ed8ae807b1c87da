"""How far a merge is from its host, and what eight bits cost, beside the whole tensors in float64."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.architectures.keys import fits_eight_bits
from pipelines.checkpoints.sources import open_source
from pipelines.exporting.export import export_file
from pipelines.exporting.verify import compare_export, plan_in_precision_of
from pipelines.recipes.recipe import blend
from pipelines.weaving.difference import STRETCH, host_differences, rounding_errors, sampled_stretches
from pipelines.weaving.plan import Plan, TensorPlan


def plan_of(family, weights, dtype=None, host="ja"):
    sources = [family["ja"], family["real"]]
    recipe = blend(sources, {"attention": weights, "backbone": weights}, host={"default": host})
    return Plan(recipe, {source.name: source for source in sources}, dtype=dtype)


def test_the_host_alone_is_the_host(family):
    (unet,) = host_differences(plan_of(family, [1.0, 0.0]))
    assert (unet.component, unet.changed, unet.relative) == ("unet", 0, 0.0)
    assert unet.tensors == len(family["ja"].components["unet"].tensors)


def test_the_difference_is_that_of_the_tensors(family):
    (unet,) = host_differences(plan_of(family, [0.75, 0.25], torch.float32))
    one, two = (
        np.concatenate([part.read(name).double().numpy().ravel() for name in part.tensors])
        for part in (family[name].components["unet"] for name in ("ja", "real"))
    )
    exact = np.linalg.norm(0.25 * (two - one)) / np.linalg.norm(one)
    assert unet.changed == unet.tensors
    assert unet.relative == pytest.approx(exact, rel=0.05)  # both ends of each tensor, not all of it


def test_a_tensor_is_sampled_at_both_ends():
    tensor = TensorPlan("unet", "any", (3 * STRETCH,), torch.float32, None)
    assert sampled_stretches(tensor) == [(0, STRETCH), (2 * STRETCH, 3 * STRETCH)]
    small = TensorPlan("unet", "any", (5,), torch.float32, None)
    assert sampled_stretches(small) == [(0, 5)]


def test_eight_bits_are_measured_written_and_verified(family, tmp_path):
    plan = plan_of(family, [0.5, 0.5], torch.float8_e4m3fn)
    assert rounding_errors(plan_of(family, [0.5, 0.5], torch.float16)) == []
    unet = rounding_errors(plan)[0]
    assert unet.component == "unet"
    assert 0 < unet.rounded < unet.tensors
    path = export_file(plan, tmp_path / "eight.safetensors")
    stored, lost, norm = load_file(path), 0.0, 0.0
    written = open_source(path).components["unet"]
    for tensor in plan.tensor_plans("unet"):
        exact = sum(0.5 * family[name].components["unet"].read(tensor.name).double() for name in ("ja", "real"))
        norm += float(exact.square().sum())
        lost += float((written.read(tensor.name).double() - exact).square().sum())
    assert unet.relative == pytest.approx((lost / norm) ** 0.5, rel=0.05)
    kinds = {values.dtype for values in stored.values()}
    assert kinds == {torch.float8_e4m3fn, torch.float16, torch.int64} | (
        {torch.float32} if "v_pred" in stored else set()
    )
    assert all(values.dtype != torch.float8_e4m3fn for key, values in stored.items() if key.startswith("first_stage"))
    assert path.stat().st_size < 0.75 * 2 * sum(values.numel() for values in stored.values())
    opened = open_source(path)
    again = plan_in_precision_of(opened, plan.recipe, plan.sources)
    assert again.dtype == torch.float8_e4m3fn
    assert all(one.expected == one.found and not one.differing for one in compare_export(again, opened))


@pytest.mark.parametrize(
    ("component", "name", "shape", "fits"),
    [
        ("unet", "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight", (640, 640), True),
        ("unet", "down_blocks.0.resnets.0.conv1.weight", (320, 320, 3, 3), True),
        ("unet", "down_blocks.0.resnets.0.norm1.weight", (320,), False),
        ("unet", "down_blocks.0.resnets.0.conv1.bias", (320,), False),
        ("unet", "conv_in.weight", (320, 4, 3, 3), False),
        ("unet", "add_embedding.linear_1.weight", (1280, 2816), False),
        ("text_encoder", "text_model.embeddings.token_embedding.weight", (49408, 768), False),
        ("text_encoder_2", "text_projection.weight", (1280, 1280), False),
        ("text_encoder_2", "text_model.encoder.layers.0.mlp.fc1.weight", (5120, 1280), True),
        ("vae", "decoder.conv_in.weight", (512, 4, 3, 3), False),
    ],
)
def test_what_stays_in_float16(component, name, shape, fits):
    assert fits_eight_bits(component, name, shape) is fits
