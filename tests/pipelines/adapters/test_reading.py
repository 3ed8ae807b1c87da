"""Names in LoRA files: every naming gives the same weights; what cannot be baked is refused by name."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.adapters.reading import read_adapter
from pipelines.architectures.sdxl_single_file import to_single_file
from pipelines.checkpoints.adapted import applied_adapters
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.errors import SourceError
from pipelines.storage.tensor_file import TensorFile
from tests.full_keys import full_unet, shapes
from tests.loras import ALPHA, BASE, SCALE, UNET, diffusers_lora, factors, kohya_lora, values


def spelt(module, role, tensor, spelling):
    """One factor in another spelling of diffusers' naming, with the module's alpha."""
    old = spelling == "{}_lora.{}.weight"
    if old:  # of attention processors, whose projections had no modules of their own
        module = re.sub(r"(attn[12])\.", r"\1.processor.", module).replace("to_out.0", "to_out")
        module = module.replace("self_attn.q_proj", "self_attn.to_q").replace("self_attn.out_proj", "self_attn.to_out")
    alpha = spelling.partition("{}")[0] + f"{module}.alpha"
    return {spelling.format(module, role): tensor, alpha: torch.tensor(ALPHA)}


def test_namings_give_the_same_weights(tmp_path):
    """By kohya with SGM's modules and with diffusers', by peft around a model, and in older spellings of diffusers."""
    baked = open_source_uri(f"{BASE} + {SCALE} * {diffusers_lora(tmp_path / 'saved.safetensors')}")
    by_diffusers = {name: f"lora_unet_{module.replace('.', '_')}" for module, name in UNET.items()}
    written = [
        kohya_lora(factors(), tmp_path / "sgm.safetensors"),
        kohya_lora(factors(), tmp_path / "diffusers.safetensors", **by_diffusers),
    ]
    spellings = {
        "base_model.model.{}.lora_{}.weight": "AB",
        "{}.lora.{}.weight": ("down", "up"),
        "{}.lora_linear_layer.{}.weight": ("down", "up"),
        "{}_lora.{}.weight": ("down", "up"),
    }
    for number, (spelling, roles) in enumerate(spellings.items()):
        tensors = {}
        for part, named in factors().items():
            for module, pair in named.items():
                for role, tensor in zip(roles, pair, strict=True):
                    tensors |= spelt(f"{part}.{module}", role, tensor, spelling)
        written.append(tmp_path / f"{number}.safetensors")
        save_file(tensors, written[-1])
    for path in written:
        other = open_source_uri(f"{BASE} + {SCALE} * {path}")
        for part in factors():
            one, two = baked.components[part], other.components[part]
            assert one.sha256 == two.sha256, path
            for tensor in one.tensors:
                assert torch.equal(values(one, tensor), values(two, tensor)), (path, tensor)


def dotted(part, module):
    """A module in its SGM spelling with the dots left in, without kohya's prefix; encoders have the same in both."""
    if part != "unet":
        return module
    name = f"{module}.weight"
    base = {one: ref.shape for one, ref in open_source_uri(BASE).components["unet"].tensors.items()}
    (key,) = (tensor.key for tensor in to_single_file("unet", base) if tensor.parts == (name,))
    return key.removeprefix("model.diffusion_model.").removesuffix(".weight")


ENCODERS = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}
SPELLINGS = {
    "ComfyUI, SGM's blocks": lambda part, module: (
        f"diffusion_model.{dotted(part, module)}"
        if part == "unet"
        else f"text_encoders.{ENCODERS[part]}.transformer.{module}"
    ),
    "ComfyUI, diffusers' blocks": lambda part, module: (
        f"diffusion_model.{module}" if part == "unet" else f"text_encoders.{ENCODERS[part]}.transformer.{module}"
    ),
    "OneTrainer": lambda part, module: f"{'unet' if part == 'unet' else ENCODERS[part]}.{module}",
    "kohya, dots left in": lambda part, module: (
        f"lora_unet_{dotted(part, module)}" if part == "unet" else f"lora_te{1 + (part[-1] == '2')}_{module}"
    ),
    "kohya, a dot after the prefix": lambda part, module: (
        f"lora_unet.{module}" if part == "unet" else f"lora_te{1 + (part[-1] == '2')}.{module}"
    ),
    "SimpleTuner": lambda part, module: f"lycoris_{module.replace('.', '_')}" if part == "unet" else None,
    "a UNet's own": lambda part, module: dotted(part, module) if part == "unet" else None,
}


@pytest.mark.parametrize(
    "roles", [("lora_down", "lora_up"), ("lora_A", "lora_B"), ("lora_A.default", "lora_B.default")]
)
@pytest.mark.parametrize("tool", SPELLINGS)
def test_spellings_of_other_tools_give_the_same_weights(tool, roles, tmp_path):
    kohya = open_source_uri(f"{BASE} + {SCALE} * {kohya_lora(factors(), tmp_path / 'kohya.safetensors')}")
    tensors, parts = {}, set()
    for part, named in factors().items():
        for module, pair in named.items():
            if spelling := SPELLINGS[tool](part, module):
                parts.add(part)
                tensors[f"{spelling}.alpha"] = torch.tensor(ALPHA)
                tensors |= {f"{spelling}.{role}.weight": tensor for role, tensor in zip(roles, pair, strict=True)}
    save_file(tensors, tmp_path / "other.safetensors")
    other = open_source_uri(f"{BASE} + {SCALE} * {tmp_path / 'other.safetensors'}")
    assert {part for part in factors() if other.components[part].sha256 == kohya.components[part].sha256} == parts


def test_embeddings_that_lie_beside_the_weights_are_ignored_and_said(tmp_path):
    path = kohya_lora(factors(), tmp_path / "onetrainer.safetensors")
    plain = open_source_uri(f"{BASE} + 1 * {path}").components["unet"].sha256
    beside = {f"bundle_emb.mei.{encoder}": torch.zeros(2, 8) for encoder in ENCODERS.values()}
    save_file(load_file(path) | beside, path)
    source = open_source_uri(f"{BASE} + 1 * {path}")
    assert source.components["unet"].sha256 == plain
    (applied,) = applied_adapters(source.components.values())
    assert applied.adapter.ignored == ("bundle_emb.mei.clip_g", "bundle_emb.mei.clip_l")
    assert applied.adapter.kinds == {"LoRA": 22}


def test_a_unet_alone_takes_the_half_that_is_for_it(tmp_path):
    path = kohya_lora(factors(), tmp_path / "lora.safetensors")
    alone, whole = (open_source_uri(f"{place} + 1 * {path}") for place in (BASE / "unet", BASE))
    assert alone.components["unet"].sha256 == whole.components["unet"].sha256
    for source, absent in ((alone, ("text_encoder", "text_encoder_2")), (whole, ())):
        (applied,) = applied_adapters(source.components.values())
        assert set(applied.adapter.absent) == set(absent)
    text = kohya_lora({part: factors()[part] for part in ENCODERS}, tmp_path / "text.safetensors")
    with pytest.raises(SourceError, match="changes text_encoder, text_encoder_2 alone, and the base holds unet"):
        open_source_uri(f"{BASE / 'unet'} + 1 * {text}")


def test_names_of_the_real_sdxl(tmp_path):
    """What kohya's files call modules of the full UNet, by its true shapes."""
    unet = shapes(full_unet("SDXL"))
    expected = {
        "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q": (
            "down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q.weight"
        ),
        "lora_unet_input_blocks_8_1_transformer_blocks_9_ff_net_0_proj": (
            "down_blocks.2.attentions.1.transformer_blocks.9.ff.net.0.proj.weight"
        ),
        "lora_unet_middle_block_1_proj_in": "mid_block.attentions.0.proj_in.weight",
        "lora_unet_output_blocks_2_2_conv": "up_blocks.0.upsamplers.0.conv.weight",
        "lora_unet_output_blocks_5_1_transformer_blocks_1_attn2_to_out_0": (
            "up_blocks.1.attentions.2.transformer_blocks.1.attn2.to_out.0.weight"
        ),
        "lora_unet_output_blocks_8_0_out_layers_3": "up_blocks.2.resnets.2.conv2.weight",
    }
    tensors = {}
    for module, name in expected.items():
        out, *rest = unet[name]
        tensors[f"{module}.lora_down.weight"] = torch.zeros(1, *rest)
        tensors[f"{module}.lora_up.weight"] = torch.zeros(out, 1, *(1 for _ in rest[1:]))
    save_file(tensors, tmp_path / "kohya.safetensors")
    changes = read_adapter(TensorFile(tmp_path / "kohya.safetensors"), {"unet": unet}).changes["unet"]
    found = {change.keys["down"].removesuffix(".lora_down.weight"): name for name, change in changes.items()}
    assert found == expected


@pytest.mark.parametrize(
    ("config", "ratio"),
    [
        ({"lora_alpha": 8}, 2.0),
        ({"lora_alpha": 8, "use_rslora": True}, 4.0),
        ({"lora_alpha": 8, "alpha_pattern": {"conv_out": 2}}, 0.5),
        ({"lora_alpha": 8, "alpha_pattern": {"v_out": 2}}, 2.0),
        ({"lora_alpha": 8, "alpha_pattern": {"conv_(in|out)": 2}}, 0.5),
        ({"lora_alpha": 8, "alpha_pattern": {"conv": 16, ".*out": 2, "conv_out": 1}}, 0.5),
    ],
)
def test_alpha_of_the_peft_configuration(config, ratio, tmp_path):
    down, up = factors()["unet"]["conv_out"]
    tensors = {"conv_out.lora_A.weight": down, "conv_out.lora_B.weight": up}
    base = {"unet": {"conv_out.weight": (up.shape[0], *down.shape[1:])}}
    header = {"lora_adapter_metadata": json.dumps({f"unet.{key}": value for key, value in config.items()})}
    save_file({f"unet.{key}": tensor for key, tensor in tensors.items()}, tmp_path / "x.safetensors", metadata=header)
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    wrapped = {f"base_model.model.{key}": tensor for key, tensor in tensors.items()}
    save_file(wrapped, tmp_path / "adapter_model.safetensors")
    for name in ("x", "adapter_model"):
        adapter = read_adapter(TensorFile(tmp_path / f"{name}.safetensors"), base)
        assert adapter.changes["unet"]["conv_out.weight"].ratio == ratio


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "lora_unet_out_2.oft_diag",
            r"holds 'lora_unet_out_2\.oft_diag', as OFT of an older LyCORIS .* merge it into its base",
        ),
        ("base_model.model.conv_out.lora_E", "as AdaLoRA does"),
        ("base_model.model.conv_out.vera_lambda_d", "as VeRA"),
        ("lora_unet_out_2.q_layer.weight", "as T-LoRA does"),
        ("emb_params", "as a textual inversion .* does.* load it beside the merged model"),
        ("image_proj.norm.weight", "as an IP-Adapter does"),
        ("lllite_unet_input_blocks_4_1.down.0.weight", "as a ControlNet or ControlLoRA does"),
        ("model.diffusion_model.out.2.weight", "as a whole checkpoint .* name it as a source of its own"),
        ("something.else", "no adapter that is understood: it holds 1 such keys, the first is 'something.else'"),
        ("unet.conv_out.lora_A.bias", "no adapter that is understood: it holds 1 such keys"),
    ],
)
def test_what_is_not_baked_is_refused_for_what_it_is(key, message, tmp_path):
    path = kohya_lora({"unet": {"conv_out": factors()["unet"]["conv_out"]}}, tmp_path / "lora.safetensors")
    save_file(load_file(path) | {key: torch.zeros(4, 4)}, path)
    with pytest.raises(SourceError, match=message):
        open_source_uri(f"{BASE} + 1 * {path}")


def test_a_lora_of_another_architecture_is_refused_for_it(tmp_path):
    path = tmp_path / "flux.safetensors"
    name = "lora_unet_double_blocks_0_img_attn_proj"
    save_file({f"{name}.lora_down.weight": torch.zeros(1, 8), f"{name}.lora_up.weight": torch.zeros(8, 1)}, path)
    with pytest.raises(
        SourceError, match=r"1 modules; 1 of them .* looks like an adapter of FLUX, .* take an adapter for SDXL"
    ):
        open_source_uri(f"{BASE} + 1 * {path}")


def test_refuses_modules_that_the_base_does_not_have(tmp_path):
    named = {"lora_unet_out_2": "lora_unet_output_blocks_8_0_out_layers_3"}
    path = kohya_lora(factors(), tmp_path / "lora.safetensors", **named)
    with pytest.raises(
        SourceError, match=r"22 modules; 1 of them are not in the base, such as 'lora_unet_output_blocks_8"
    ):
        open_source_uri(f"{BASE} + 1 * {path}")


def test_refuses_what_does_not_fit(tmp_path):
    down, up = factors()["unet"]["conv_out"]
    path = tmp_path / "lora.safetensors"
    for wrong in ((down[:, :3].contiguous(), up), (down[..., :1].contiguous(), up), (down, up[:3]), (down[:2], up)):
        kohya_lora({"unet": {"conv_out": wrong}}, path)
        with pytest.raises(SourceError, match=r"LoRA of conv_out\.weight \[8, 64, 3, 3\] does not fit: it is up"):
            open_source_uri(f"{BASE} + 1 * {path}")


def test_refuses_half_a_pair_and_two_pairs_for_one_tensor(tmp_path):
    path = kohya_lora({"unet": {"conv_out": factors()["unet"]["conv_out"]}}, tmp_path / "lora.safetensors")
    tensors = load_file(path)
    down, up = tensors["lora_unet_out_2.lora_down.weight"], tensors.pop("lora_unet_out_2.lora_up.weight")
    save_file(tensors, path)
    with pytest.raises(SourceError, match="lacks the up factor of lora_unet_out_2"):
        open_source_uri(f"{BASE} + 1 * {path}")
    both = {"lora_unet_out_2.lora_down.weight": down, "lora_unet_out_2.lora_up.weight": up}
    both |= {key.replace("out_2", "conv_out"): tensor.clone() for key, tensor in both.items()}
    save_file(both, path)
    with pytest.raises(SourceError, match=r"both change conv_out\.weight"):
        open_source_uri(f"{BASE} + 1 * {path}")


def test_refuses_an_alpha_that_is_no_number(tmp_path):
    path = kohya_lora({"unet": {"conv_out": factors()["unet"]["conv_out"]}}, tmp_path / "lora.safetensors")
    save_file(load_file(path) | {"lora_unet_out_2.alpha": torch.tensor(float("inf"))}, path)
    with pytest.raises(SourceError, match="Expected one finite number"):
        open_source_uri(f"{BASE} + 1 * {path}")
    config = {"lora_adapter_metadata": "[1]"}
    save_file({"unet.conv_out.lora_A.weight": torch.zeros(1)}, path, metadata=config)
    with pytest.raises(SourceError, match="peft configuration cannot be read"):
        open_source_uri(f"{BASE} + 1 * {path}")
