"""OFT, BOFT, IA3, DoRA and plain differences against their definitions, written here in plain float64."""

import pytest
import torch

from pipelines.errors import SourceError
from tests.adapters import CONV, LINEAR, NORM, POINT, baked, base_weight, draw

CLOSE = {"rtol": 1e-6, "atol": 1e-7}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "adapter.safetensors"


def rotations(blocks, limit=None):
    """R = (I + Q)(I - Q)^-1 by the library's inverse, Q limited in its norm."""
    skew = blocks.double() - blocks.double().transpose(-1, -2)
    if limit is not None and skew.norm() > limit:
        skew = skew * limit / skew.norm()
    identity = torch.eye(skew.shape[-1]).double()
    return (identity + skew) @ torch.linalg.inv(identity - skew)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("module", [LINEAR, CONV, POINT])
def test_oft_turns_blocks_of_rows(module, limited, path):
    base = base_weight(module)
    out = base.shape[0]
    blocks, alpha = draw(4, out // 4, out // 4, size=0.3), 0.02 if limited else 0.0
    turned = torch.einsum(
        "knm,kn...->km...", rotations(blocks, alpha * out or None), base.reshape(4, out // 4, *base.shape[1:])
    )
    found = baked(path, module, {"oft_blocks": blocks, "alpha": torch.tensor(alpha)}, 0.5)
    torch.testing.assert_close(found, base + 0.5 * (turned.reshape(base.shape) - base), **CLOSE)
    if not limited:  # a rotation keeps lengths
        whole = baked(path, module, {"oft_blocks": blocks})
        torch.testing.assert_close(whole.norm(), base.norm(), rtol=1e-6, atol=0)


def test_oft_of_kohya_with_its_own_prefix_and_rescaled_rows(path):
    base = base_weight(LINEAR)
    blocks, rescale = draw(4, 32, 32), 1 + draw(128, 1, seed=1)
    turned = torch.einsum("knm,knp->kmp", rotations(blocks), base.reshape(4, 32, -1)).reshape(base.shape)
    tensors = {"oft_blocks": blocks, "rescale": rescale}
    found = baked(path, LINEAR, tensors, name="oft_unet_input_blocks_3_1_proj_in")
    torch.testing.assert_close(found, turned * rescale.double(), **CLOSE)


@pytest.mark.parametrize("module", [LINEAR, CONV])
def test_boft_turns_rows_in_stages(module, path):
    """Stage i turns, in groups of 2^(i+1) half blocks, rows that lie 2^i half blocks apart."""
    base = base_weight(module)
    out = base.shape[0]
    size, stages = 4, 3
    blocks = draw(stages, out // size, size, size, size=0.3)
    turned = base.flatten(1)
    for stage, turns in enumerate(rotations(blocks)):
        reach = 2**stage * size // 2
        order = [
            group + start + side * reach
            for group in range(0, out, 2 * reach)
            for start in range(reach)
            for side in (0, 1)
        ]
        there = torch.eye(out).double()[order]
        turned = there.t() @ torch.block_diag(*turns) @ there @ turned
    found = baked(path, module, {"oft_blocks": blocks}, 0.5)
    torch.testing.assert_close(found, base + 0.5 * (turned.reshape(base.shape) - base), **CLOSE)


@pytest.mark.parametrize("module", [LINEAR, CONV, POINT])
@pytest.mark.parametrize("side", ["row", "flat row", "channel"])
def test_dora_gives_rows_or_channels_the_norms_it_was_trained_to(module, side, path):
    base = base_weight(module)
    out, into, *kernel = base.shape
    ones = [1 for _ in kernel]
    up, down = draw(out, 4, *ones), draw(4, into, *kernel, seed=1)
    changed = base + 3 / 4 * (up.double().flatten(1) @ down.double().flatten(1)).reshape(base.shape)
    dims = [0, *range(2, base.dim())] if side == "channel" else list(range(1, base.dim()))
    shape = {"row": (out, 1, *ones), "flat row": (out,), "channel": (1, into, *ones)}[side]
    scale = 1 + draw(*shape, seed=2).abs()
    whole = scale.double().reshape((out, 1, *ones) if side != "channel" else shape)
    expected = whole * changed / changed.square().sum(dims, keepdim=True).sqrt()
    tensors = {"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(3.0), "dora_scale": scale}
    torch.testing.assert_close(baked(path, module, tensors), expected, **CLOSE)
    half = baked(path, module, tensors, 0.5)  # any other scale: that share of the way from the base
    torch.testing.assert_close(half, (base + expected) / 2, **CLOSE)


def test_dora_over_lokr(path):
    base = base_weight(LINEAR)
    one, two, scale = draw(4, 4), draw(32, 32, seed=1), 1 + draw(1, base.shape[1], seed=2).abs()
    changed = base + torch.kron(one.double(), two.double())
    expected = scale.double() * changed / changed.norm(dim=0, keepdim=True)
    found = baked(path, LINEAR, {"lokr_w1": one, "lokr_w2": two, "dora_scale": scale})
    torch.testing.assert_close(found, expected, **CLOSE)


@pytest.mark.parametrize("module", [LINEAR, CONV])
@pytest.mark.parametrize("on_input", [0, 1])
def test_ia3_of_lycoris(module, on_input, path):
    base = base_weight(module)
    count = base.shape[on_input]
    ones = [1] * (base.dim() - 2)
    numbers = draw(count) if not ones else draw(1, count, *ones)
    shape = (1, count, *ones) if on_input else (count, 1, *ones)
    tensors = {"weight": numbers, "on_input": torch.tensor(on_input)}
    expected = base * (1 + 0.5 * numbers.double().reshape(shape))
    torch.testing.assert_close(baked(path, module, tensors, 0.5), expected, **CLOSE)


def test_differences_of_weights_biases_and_norms(path):
    for module, part, role in (
        (CONV, "weight", "diff"),
        (CONV, "bias", "diff_b"),
        (NORM, "weight", "w_norm"),
        (NORM, "bias", "b_norm"),
    ):
        base = base_weight(module, part)
        change = draw(*base.shape)
        found = baked(path, module, {role: change}, -0.5, part)
        torch.testing.assert_close(found, base - 0.5 * change.double(), **CLOSE)


def test_a_bias_beside_factors(path):
    """The `lora_bias` of peft trains the bias of the second factor; its scale is that of the product."""
    base, bias = base_weight(CONV), base_weight(CONV, "bias")
    out, into, *kernel = base.shape
    tensors = {"lora_B.weight": draw(out, 4, 1, 1), "lora_A.weight": draw(4, into, *kernel), "lora_B.bias": draw(out),
               "alpha": torch.tensor(2.0)}  # fmt: skip
    found = baked(path, CONV, tensors, 0.5, "bias", name=f"unet.{CONV}")
    torch.testing.assert_close(found, bias + 0.5 * 2 / 4 * tensors["lora_B.bias"].double(), **CLOSE)


@pytest.mark.parametrize(
    ("module", "tensors", "message"),
    [
        (LINEAR, {"oft_blocks": draw(3, 16, 16)}, r"OFT of .* does not fit: it is blocks over 48 rows"),
        (LINEAR, {"oft_blocks": draw(9, 16, 4, 4)}, r"BOFT of"),
        (LINEAR, {"weight": draw(3), "on_input": torch.tensor(1)}, r"IA3 of .* 3 numbers for the input"),
        (LINEAR, {"diff_b": draw(3)}, r"does not fit: it is \[3\]"),
        (LINEAR, {"diff": draw(3, 3)}, r"a difference of weights of .* does not fit: it is \[3, 3\]"),
        (LINEAR, {"w_norm": draw(3)}, r"a norm's weight of"),
        (
            LINEAR,
            {"lora_up.weight": draw(128, 2), "lora_down.weight": draw(2, 128), "dora_scale": draw(7, 1)},
            "7 magnitudes",
        ),
        (LINEAR, {"dora_scale": draw(7, 1)}, "of no kind together"),
        (LINEAR, {"alpha": torch.tensor(1.0)}, "of no kind together"),
    ],
)
def test_refuses_what_does_not_fit(module, tensors, message, path):
    with pytest.raises(SourceError, match=message):
        baked(path, module, tensors)
