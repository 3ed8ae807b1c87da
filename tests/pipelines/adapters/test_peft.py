"""Adapters of peft: what is baked equals what peft itself merges, with peft's own files and configuration."""

import json

import peft
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.errors import SourceError
from tests.adapters import CONV, LINEAR, POINT, draw, read_back
from tests.loras import BASE

MODULES = [LINEAR, CONV, POINT]
ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"  # has no bias
SUBSET = {"target_modules": [*MODULES, ATTENTION]}
CONFIGS = {
    "LoRA": lambda: peft.LoraConfig(r=4, lora_alpha=3, **SUBSET),
    "rank-stabilised LoRA": lambda: peft.LoraConfig(r=4, lora_alpha=3, use_rslora=True, **SUBSET),
    "LoRA with biases": lambda: peft.LoraConfig(r=4, lora_alpha=3, lora_bias=True, target_modules=MODULES),
    "DoRA": lambda: peft.LoraConfig(r=4, lora_alpha=3, use_dora=True, **SUBSET),
    "LoRA by patterns": lambda: peft.LoraConfig(
        r=4,
        lora_alpha=3,
        rank_pattern={r"attentions\.\d+\.proj_in": 2},
        alpha_pattern={r"down_blocks\.0\..*conv1": 16, "proj_in": 5},
        **SUBSET,
    ),
    "LoHa": lambda: peft.LoHaConfig(r=4, alpha=3, **SUBSET),
    "LoHa with middle factors": lambda: peft.LoHaConfig(r=4, alpha=3, use_effective_conv2d=True, **SUBSET),
    "LoKr": lambda: peft.LoKrConfig(r=4, alpha=3, rank_pattern={"to_q": 2}, **SUBSET),
    "LoKr, factorised": lambda: peft.LoKrConfig(
        r=2, alpha=3, decompose_both=True, decompose_factor=8, use_effective_conv2d=True, **SUBSET
    ),
    "LoKr, whole": lambda: peft.LoKrConfig(r=64, alpha=16, **SUBSET),
    "OFT": lambda: peft.OFTConfig(oft_block_size=16, r=0, use_cayley_neumann=False, **SUBSET),
    "OFT by a series": lambda: peft.OFTConfig(oft_block_size=16, r=0, **SUBSET),
    "OFT by a short series": lambda: peft.OFTConfig(oft_block_size=16, r=0, num_cayley_neumann_terms=3, **SUBSET),
    "OFT, shared": lambda: peft.OFTConfig(oft_block_size=16, r=0, block_share=True, **SUBSET),
    "BOFT": lambda: peft.BOFTConfig(boft_block_size=8, boft_block_num=0, boft_n_butterfly_factor=3, **SUBSET),
    "BOFT in one stage": lambda: peft.BOFTConfig(boft_block_size=8, boft_block_num=0, **SUBSET),
    "IA3": lambda: peft.IA3Config(feedforward_modules=[CONV, LINEAR], **SUBSET),
}


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.filterwarnings("ignore")  # peft's own, about settings that are asked for here
def test_baked_equals_merged(kind, tmp_path):
    unet = UNet2DConditionModel.from_pretrained(BASE / "unet", torch_dtype=torch.float32)
    model = peft.get_peft_model(unet, CONFIGS[kind]())
    with torch.no_grad():
        for number, (name, parameter) in enumerate(model.named_parameters()):
            if parameter.requires_grad:
                near_one = any(part in name for part in ("magnitude", "ia3", "boft_s"))
                parameter.copy_(draw(*parameter.shape, seed=number, size=0.2) + near_one)
    model.save_pretrained(tmp_path)
    merged = model.merge_and_unload().state_dict()
    source = open_source_uri(f"{BASE} + 1 * {tmp_path / 'adapter_model.safetensors'}")
    base = open_source_uri(BASE).components["unet"]
    changed = [name for name in base.tensors if not torch.equal(merged[name], base.read(name).float())]
    for name in {*changed, f"{LINEAR}.weight", f"{LINEAR}.bias", f"{CONV}.bias"}:
        found = read_back(source, name).float()
        torch.testing.assert_close(found, merged[name].reshape(found.shape), rtol=2e-5, atol=2e-6)
    assert set(source.components["unet"].applied.adapter.changes["unet"]) == set(changed)


def test_the_name_of_an_adapter_in_its_keys_says_nothing(tmp_path):
    """What peft has in memory, saved as it is: `lora_A.default.weight`."""
    down, up = draw(4, 128), draw(128, 4, seed=1)
    plain = {f"unet.{LINEAR}.lora_A.weight": down, f"unet.{LINEAR}.lora_B.weight": up}
    wrapped = f"base_model.model.{LINEAR}"
    raw = {f"{wrapped}.lora_A.default.weight": down, f"{wrapped}.lora_B.default.weight": up}
    hashes = []
    for name, tensors in (("plain", plain), ("raw", raw)):
        save_file(tensors, tmp_path / f"{name}.safetensors")
        hashes.append(open_source_uri(f"{BASE} + 1 * {tmp_path / name}.safetensors").components["unet"].sha256)
    assert hashes[0] == hashes[1]
    both = raw | {key.replace("default", "other"): tensor.clone() for key, tensor in raw.items()}
    save_file(both, tmp_path / "both.safetensors")
    with pytest.raises(SourceError, match=r"are the same factor of .* it holds several"):
        open_source_uri(f"{BASE} + 1 * {tmp_path / 'both'}.safetensors")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"alpha_pattern": {"(": 3}}, "Expected regular expressions"),
        ({"lora_alpha": "much"}, r"says 'much' for .*\. Expected a finite number"),
        ({"lora_alpha": True}, "Expected a finite number"),
    ],
)
def test_refuses_a_configuration_that_makes_no_sense(config, message, tmp_path):
    wrapped = f"base_model.model.{LINEAR}"
    tensors = {f"{wrapped}.lora_A.weight": draw(4, 128), f"{wrapped}.lora_B.weight": draw(128, 4)}
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(SourceError, match=message):
        open_source_uri(f"{BASE} + 1 * {tmp_path / 'adapter_model.safetensors'}")


def test_refuses_constrained_oft(tmp_path):
    save_file({f"base_model.model.{LINEAR}.oft_R.weight": draw(8, 120)}, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"coft": True}))
    with pytest.raises(SourceError, match="constrained OFT"):
        open_source_uri(f"{BASE} + 1 * {tmp_path / 'adapter_model.safetensors'}")
