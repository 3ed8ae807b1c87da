"""Names, order and chromosomes, on small lists and on the real SDXL UNet's key set."""

import accelerate
import pytest
from diffusers import UNet2DConditionModel

from pipelines.architectures.keys import (
    canonical_name,
    canonical_order,
    chromosome_layouts,
    chromosome_of,
    is_merged,
    natural_key,
)
from pipelines.architectures.sdxl import UNET


@pytest.fixture(scope="module")
def sdxl():
    with accelerate.init_empty_weights():
        unet = UNet2DConditionModel.from_config(UNET)
    return {name: (tuple(tensor.shape), "F16") for name, tensor in unet.state_dict().items()}


def test_numbers_compare_as_numbers():
    assert sorted(["a.10.b", "a.2.b", "a.2.a"], key=natural_key) == ["a.2.a", "a.2.b", "a.10.b"]


def test_unet_order_follows_the_data():
    expected = [
        "conv_in.weight",
        "time_embedding.linear_1.bias",
        "add_embedding.linear_1.bias",
        "down_blocks.0.resnets.0.conv1.weight",
        "down_blocks.0.attentions.0.transformer_blocks.2.attn1.to_q.weight",
        "down_blocks.0.attentions.0.transformer_blocks.10.attn1.to_q.weight",
        "down_blocks.0.resnets.1.conv1.weight",
        "down_blocks.0.downsamplers.0.conv.weight",
        "down_blocks.2.resnets.0.conv1.weight",
        "mid_block.resnets.0.conv1.weight",
        "mid_block.attentions.0.norm.weight",
        "mid_block.resnets.1.conv1.weight",
        "up_blocks.0.attentions.2.norm.weight",
        "up_blocks.0.upsamplers.0.conv.weight",
        "conv_norm_out.weight",
        "conv_out.weight",
    ]
    assert canonical_order("unet", reversed(expected)) == expected


def test_text_encoder_names_carry_their_prefix():
    short = "embeddings.position_embedding.weight"
    assert canonical_name("text_encoder", short) == f"text_model.{short}"
    assert canonical_name("text_encoder", f"text_model.{short}") == f"text_model.{short}"
    assert canonical_name("text_encoder_2", "text_projection.weight") == "text_projection.weight"
    assert canonical_name("unet", "conv_in.weight") == "conv_in.weight"


def test_what_is_never_interpolated():
    assert not is_merged("text_model.embeddings.position_ids", "I64")
    assert not is_merged("logit_scale", "F32")
    assert is_merged("conv_in.weight", "F16")


def test_chromosomes():
    assert chromosome_of("unet", "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0.bias") == "attention"
    assert chromosome_of("unet", "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj.weight") == "backbone"
    assert chromosome_of("text_encoder_2", "text_projection.weight") == "text_encoder_2"


def test_layout_by_hand():
    tensors = {"conv_out.bias": ((3,), "F16"), "conv_in.weight": ((2, 5), "F16"), "x.attn1.to_q.weight": ((4,), "F16")}
    layout = chromosome_layouts("unet", tensors)["backbone"]
    assert layout.names == ("conv_in.weight", "conv_out.bias")
    assert layout.stops.tolist() == [10, 13]
    assert layout.size == 13
    assert layout.spans == {"conv_in.weight": (0, 10), "conv_out.bias": (10, 13)}
    assert [layout.tensor_at(element) for element in (0, 9, 10, 12)] == [0, 0, 1, 1]
    assert layout.digest != chromosome_layouts("unet", {**tensors, "conv_out.bias": ((1, 3), "F16")})["backbone"].digest


def test_the_real_sdxl_unet(sdxl):
    found = chromosome_layouts("unet", sdxl)
    assert len(sdxl) == 1680
    assert len(found["attention"].names) == 700
    assert found["attention"].size == 955_353_600  # 10 blocks of width 640, 60 of 1280: 6 d^2 + 4096 d + 2 d each
    assert found["attention"].size + found["backbone"].size == 2_567_463_684
    assert found["backbone"].names[:2] == ("conv_in.bias", "conv_in.weight")
    assert found["backbone"].names[-1] == "conv_out.weight"
