"""Eight bits in: each value is what its bits say, times its scale, as a table of all 256 has it."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.checkpoints.sources import open_network, open_source
from pipelines.errors import SourceError
from tests.full_keys import small_sdxl, small_single_file

KEY = "model.diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q"
NAME = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"


def value_of(byte, exponent_bits, mantissa_bits):
    """A finite float of eight bits, by the definition: sign, exponent, mantissa."""
    sign = -1.0 if byte >> 7 else 1.0
    exponent = (byte >> mantissa_bits) & ((1 << exponent_bits) - 1)
    mantissa = (byte & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    bias = (1 << (exponent_bits - 1)) - 1
    return sign * (mantissa * 2.0 ** (1 - bias) if exponent == 0 else (1 + mantissa) * 2.0 ** (exponent - bias))


FORMATS = {
    "e4m3": (torch.float8_e4m3fn, 4, 3, [byte for byte in range(256) if byte & 0x7F != 0x7F]),
    "e5m2": (torch.float8_e5m2, 5, 2, [byte for byte in range(256) if byte & 0x7C != 0x7C]),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eight")
    return small_single_file(small_sdxl(folder / "small", seed=4), folder / "whole.safetensors")


def stored(whole, path, more, **changes):
    """The whole file with other tensors in it."""
    save_file(load_file(whole) | changes | more, path)
    return path


@pytest.mark.parametrize("form", FORMATS)
def test_every_value_widens_exactly(form, tmp_path):
    dtype, exponent_bits, mantissa_bits, finite = FORMATS[form]
    packed = torch.tensor(finite, dtype=torch.uint8).view(dtype)
    save_file({"layer.weight": packed}, tmp_path / "any.safetensors")
    component = open_network(tmp_path / "any.safetensors").components["model"]
    expected = np.array([value_of(byte, exponent_bits, mantissa_bits) for byte in finite])
    read = component.read("layer.weight")
    assert read.dtype == torch.float16
    np.testing.assert_array_equal(read.double().numpy(), expected)
    filled = torch.empty(len(finite) - 3)
    component.fill("layer.weight", 3, filled)
    np.testing.assert_array_equal(filled.double().numpy(), expected[3:])


@pytest.mark.parametrize("ending", ["scale_weight", "weight_scale"])
def test_a_scaled_tensor_is_multiplied_by_its_scale(ending, whole, tmp_path):
    before = load_file(whole)[f"{KEY}.weight"].float()
    scale = before.abs().max() / 448
    packed = (before / scale).to(torch.float8_e4m3fn)
    beside = {
        f"{KEY}.{ending}": scale.reshape(()),
        f"{KEY}.scale_input": torch.tensor(1.0),
        "model.diffusion_model.scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn),
    }
    path = stored(whole, tmp_path / "scaled.safetensors", beside, **{f"{KEY}.weight": packed})
    source = open_source(path)
    unet = source.components["unet"]
    assert set(unet.tensors) == set(open_source(whole).components["unet"].tensors)
    filled = torch.empty(before.numel())
    unet.fill(NAME, 0, filled)
    expected = packed.double() * scale.double()
    torch.testing.assert_close(filled.double(), expected.reshape(-1), rtol=1e-7, atol=0)
    assert float((filled - before.reshape(-1)).norm() / before.norm()) < 0.04
    assert unet.tensors[NAME].stored == "F8_E4M3"
    torch.testing.assert_close(unet.read(NAME).double(), expected, rtol=1e-3, atol=1e-7)


def test_plain_eight_bits_and_what_they_widen_to_are_the_same_weights(whole, tmp_path):
    packed = load_file(whole)[f"{KEY}.weight"].to(torch.float8_e5m2)
    plain = stored(whole, tmp_path / "plain.safetensors", {}, **{f"{KEY}.weight": packed})
    wide = stored(whole, tmp_path / "wide.safetensors", {}, **{f"{KEY}.weight": packed.half()})
    assert open_source(plain).components["unet"].sha256 == open_source(wide).components["unet"].sha256


def test_a_scale_for_each_row_is_refused(whole, tmp_path):
    packed = load_file(whole)[f"{KEY}.weight"].to(torch.float8_e4m3fn)
    path = stored(
        whole, tmp_path / "rows.safetensors", {f"{KEY}.weight_scale": torch.ones(32, 1)}, **{f"{KEY}.weight": packed}
    )
    with pytest.raises(SourceError, match=r"weight_scale has shape \[32, 1\]. Expected one scale"):
        open_source(path)


def test_a_file_without_eight_bits_keeps_all_its_keys(tmp_path):
    save_file({"norm.weight_scale": torch.ones(2), "norm.weight": torch.ones(2)}, tmp_path / "any.safetensors")
    assert set(open_network(tmp_path / "any.safetensors").components["model"].tensors) == {
        "norm.weight_scale",
        "norm.weight",
    }
