"""LoRA: baked equals diffusers' fused weights and pictures, bit for bit the same in blocks of any size."""

import hashlib
import math
from fractions import Fraction

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from pipelines.adapters.arithmetic import exact_product
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.errors import SourceError
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import component_entries, weave_file
from tests.loras import (
    ALPHA,
    BASE,
    ENCODER,
    RANK,
    SCALE,
    TRANSFORMER,
    UNET,
    diffusers_lora,
    factors,
    kohya_lora,
    values,
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return diffusers_lora(tmp_path_factory.mktemp("lora") / "diffusers.safetensors")


@pytest.fixture(scope="module")
def baked(saved):
    return open_source_uri(f"{BASE} + {SCALE} * {saved}")


def pipeline():
    made = StableDiffusionXLPipeline.from_pretrained(BASE, dtype=torch.float32)
    made.set_progress_bar_config(disable=True)
    return made


def test_baked_weights_equal_fused_ones(baked, family, saved):
    fused = pipeline()
    fused.load_lora_weights(saved)
    fused.fuse_lora(components=["unet", "text_encoder", "text_encoder_2"], lora_scale=SCALE)
    fused.unload_lora_weights()
    changed = 0
    for part in ("unet", "text_encoder", "text_encoder_2"):
        state = getattr(fused, part).state_dict()
        base = baked.components[part]
        for name in base.tensors:
            expected = state[name] if name in state else state[name.removeprefix("text_model.")]
            found = values(base, name)
            torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7, msg=name)
            changed += not torch.equal(found, values(family["base"].components[part], name))
    assert changed == len(UNET) + 2 * len(ENCODER)


def test_the_unet_and_the_text_encoders_may_have_strengths_of_their_own(saved, tmp_path):
    """Each part equals that of the LoRA at one strength, value by value and by hash."""
    both = open_source_uri(f"{BASE} + 0.8 unet * {saved} + 0.5 clip * {saved}")
    assert both.uri == f"{BASE} + 0.8 unet * {saved} + 0.5 clip * {saved}"
    for part, scale in (("unet", 0.8), ("text_encoder", 0.5), ("text_encoder_2", 0.5), ("vae", 0.8)):
        alone = open_source_uri(f"{BASE} + {scale} * {saved}").components[part]
        assert both.components[part].sha256 == alone.sha256, part
        name = next(
            name for name in alone.tensors if name.endswith("q_proj.weight") or "to_q.weight" in name or part == "vae"
        )
        assert torch.equal(values(both.components[part], name), values(alone, name))
    factor_free = {key: t for key, t in load_file(saved).items() if key.startswith("unet.")}
    save_file(factor_free, tmp_path / "unet.safetensors")
    with pytest.raises(SourceError, match=r"changes unet of its base, and none of text_encoder, text_encoder_2"):
        open_source_uri(f"{BASE} + 0.5 clip * {tmp_path / 'unet.safetensors'}")


def test_a_baked_picture_equals_one_with_the_lora_at_run_time(baked, saved, tmp_path):
    recipe = blend([baked], {"attention": [1.0], "backbone": [1.0]}, host={"default": baked.name})
    plan = Plan(recipe, {baked.name: baked}, dtype=torch.float32)
    plain, live = pipeline(), pipeline()
    live.load_lora_weights(saved, adapter_name="it")
    live.set_adapters(["it"], [SCALE])
    asked = {"prompt": "a red apple", "num_inference_steps": 2, "guidance_scale": 3.0, "output_type": "pt"}

    def picture(pipe):
        return pipe(**asked, height=64, width=64, generator=torch.Generator().manual_seed(0)).images

    without = picture(plain)
    for part in ("unet", "text_encoder", "text_encoder_2"):
        weave_file(plan, component_entries(plan, part), tmp_path / part)
        module, woven = getattr(plain, part), load_file(tmp_path / part)
        flat = {key.removeprefix("text_model."): tensor for key, tensor in woven.items()}
        module.load_state_dict(flat if part == "text_encoder" else woven)
    expected = picture(live)
    assert (without - expected).abs().max() > 0.01  # the LoRA does something
    torch.testing.assert_close(picture(plain), expected, rtol=0, atol=1e-4)


def test_alpha_is_the_rank_where_nothing_says_otherwise(family, tmp_path):
    down, up = factors()["unet"]["conv_out"]
    path = tmp_path / "plain.safetensors"
    save_file({"unet.conv_out.lora_A.weight": down, "unet.conv_out.lora_B.weight": up}, path)
    found = values(open_source_uri(f"{BASE} + 2 * {path}").components["unet"], "conv_out.weight")
    base = family["base"].components["unet"].read("conv_out.weight").float()
    delta = 2 * (up.flatten(1).double() @ down.flatten(1).double()).reshape(base.shape)
    torch.testing.assert_close(found, base + delta.float(), rtol=1e-6, atol=1e-8)


def test_two_loras_add_up_and_the_order_shows_in_the_hash(family, saved, tmp_path):
    other = kohya_lora({"unet": {"conv_out": factors()["unet"]["conv_out"]}}, tmp_path / "other.safetensors")
    one = open_source_uri(f"{BASE} + 0.5 * {saved} + -0.25 * {other}")
    two = open_source_uri(f"{BASE} + -0.25 * {other} + 0.5 * {saved}")
    name = "conv_out.weight"
    base = values(family["base"].components["unet"], name)
    alone = values(open_source_uri(f"{BASE} + 0.25 * {saved}").components["unet"], name)
    torch.testing.assert_close(values(one.components["unet"], name), alone, rtol=1e-5, atol=1e-8)
    assert not torch.equal(alone, base)
    assert one.components["unet"].sha256 != two.components["unet"].sha256
    assert one.name == "other"
    assert two.name == "diffusers"


def test_only_touched_components_change(family, tmp_path):
    path = kohya_lora({"unet": factors()["unet"]}, tmp_path / "unet only.safetensors")
    source = open_source_uri(f"{BASE} + 1 * {path}")
    for part in ("text_encoder", "text_encoder_2", "vae"):
        assert source.components[part].sha256 == family["base"].components[part].sha256
    assert source.components["unet"].sha256 != family["base"].components["unet"].sha256
    assert [file.path.name for file in source.components["unet"].files][-1] == "unet only.safetensors"
    assert source.name == "unet only"
    assert source.licence == family["base"].licence


def test_the_hash_is_as_documented(family, tmp_path):
    down, up = factors()["unet"]["conv_out"]
    path = kohya_lora({"unet": {"conv_out": (down, up)}}, tmp_path / "one.safetensors")
    bytes_ = hashlib.sha256(down.numpy().tobytes() + up.numpy().tobytes()).hexdigest()
    lora = hashlib.sha256(f"conv_out.weight {ALPHA / RANK!r}\n{bytes_}".encode()).hexdigest()
    expected = hashlib.sha256(f"{family['base'].components['unet'].sha256}+0.8*{lora}".encode()).hexdigest()
    assert open_source_uri(f"{BASE} + 0.80 * {path}").components["unet"].sha256 == expected


def test_blocks_of_any_size_hold_the_same_bits(baked):
    part = baked.components["unet"]
    for name in ("conv_in.weight", f"up_blocks.1.attentions.0.{TRANSFORMER}.ff.net.2.weight"):
        whole = values(part, name).reshape(-1)
        for block in (7, 1000, 4096):
            pieces = [torch.empty(min(block, whole.numel() - start)) for start in range(0, whole.numel(), block)]
            for number, piece in enumerate(pieces):
                part.fill(name, number * block, piece)
            assert torch.equal(torch.cat(pieces), whole)


def test_lent_tensors_are_rounded_once_and_leave_the_base_alone(baked, family):
    name = "text_model.encoder.layers.1.mlp.fc1.weight"
    part, base = baked.components["text_encoder"], family["base"].components["text_encoder"]
    before = base.read(name).clone()
    found = part.read(name)
    assert found.dtype == before.dtype
    assert torch.equal(found, values(part, name).to(before.dtype))
    assert torch.equal(base.read(name), before)
    assert torch.equal(part.read("text_model.final_layer_norm.weight"), base.read("text_model.final_layer_norm.weight"))


def test_woven_with_several_workers_is_the_same_every_time(baked, family, tmp_path):
    sources = [family["ja"], baked]
    recipe = blend(sources, {"attention": [0.5, 0.5], "backbone": [0.25, 0.75]}, host={"default": "ja"})
    plan = Plan(recipe, {source.name: source for source in sources})
    for name in ("one", "two"):
        weave_file(plan, component_entries(plan, "unet"), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_products_are_exact_on_the_grid():
    """Sums in any order, in pieces or whole, give the same bits, and those of exact arithmetic."""
    generator = torch.Generator().manual_seed(1)
    up = torch.randn(13, 100, generator=generator, dtype=torch.float64) * torch.logspace(-6, 3, 13)[:, None]
    down = torch.randn(100, 17, generator=generator).double()
    product = exact_product(up, down)
    order = torch.randperm(100, generator=generator)
    assert torch.equal(exact_product(up[:, order], down[order]), product)
    assert torch.equal(torch.cat([exact_product(row[None], down) for row in up]), product)

    def grid(line):
        step = Fraction(2) ** (math.frexp(max(map(abs, line)))[1] - 23)  # two of 23 bits and 2^7 terms make 53
        return [round(Fraction(value) / step) * step for value in line]

    row, column = grid(up[5].tolist()), grid(down[:, 3].tolist())
    assert product[5, 3].item() == float(sum(a * b for a, b in zip(row, column, strict=True)))
    bound = 100 * 2.0**-22 * up.abs().amax(1, keepdim=True) * down.abs().amax(0, keepdim=True)
    assert bool(((product - up @ down).abs() < bound).all())


def test_half_precision_factors_lose_next_to_nothing():
    generator = torch.Generator().manual_seed(2)
    up, down = (torch.randn(*size, generator=generator).half().double() for size in ((64, 16), (16, 64)))
    assert (
        exact_product(up, down) - up @ down
    ).abs().max() < 2e-6  # of sums near 4; half precision's step there is 4e-3


@pytest.mark.parametrize("zeros", ["up", "down"])
def test_a_factor_of_zeros_changes_nothing(zeros):
    up, down = torch.ones(3, 2).double(), torch.ones(2, 4).double()
    product = exact_product(up * (zeros != "up"), down * (zeros != "down"))
    assert torch.equal(product, torch.zeros(3, 4).double())


def test_refuses_nan_and_overflow(tmp_path):
    down, up = factors()["unet"]["conv_out"]
    path = kohya_lora({"unet": {"conv_out": (down * float("nan"), up)}}, tmp_path / "lora.safetensors")
    with pytest.raises(SourceError, match="holds NaN or infinity"):
        _ = open_source_uri(f"{BASE} + 1 * {path}").components["unet"].sha256
    kohya_lora({"unet": {"conv_out": (down, up)}}, path)
    with pytest.raises(SourceError, match=r"conv_out\.weight overflows torch\.float16"):
        open_source_uri(f"{BASE} + 1e9 * {path}").components["unet"].read("conv_out.weight")
