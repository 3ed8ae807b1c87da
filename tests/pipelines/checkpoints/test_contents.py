"""One checkpoint in many forms: folder, single file, UNet alone; the same weights and the same hashes."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.checkpoints.sources import open_source
from pipelines.errors import RecipeError, SourceError
from pipelines.recipes.mergeable import check_mergeable, text_encoder_conflict
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from tests.full_keys import FILES, small_sdxl, small_single_file

WEIGHTED = ("unet", "vae", "text_encoder", "text_encoder_2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_sdxl(tmp_path_factory.mktemp("small") / "folder", seed=1)


@pytest.fixture(scope="module")
def file(folder):
    """Beside `model_index.json`, as in the repositories of real checkpoints: its configurations are that folder's."""
    return small_single_file(folder, folder / "single.safetensors")


def hashes(source):
    return {part: component.sha256 for part, component in source.components.items()}


def test_a_single_file_has_the_folders_tensors_and_hashes(folder, file):
    one, other = open_source(folder), open_source(file)
    assert hashes(one) == hashes(other)
    for part in WEIGHTED:
        for name in one.components[part].tensors:
            assert torch.equal(one.components[part].read(name), other.components[part].read(name)), name
        assert one.config(part) == other.config(part)
    check_mergeable([one, open_source(file, name="file")])
    assert text_encoder_conflict([one, other]) is None


def test_any_stretch_of_a_packed_tensor(folder, file):
    """q, k and v lie in one tensor of the file; a block may begin and end inside one of them."""
    layout = open_source(folder).components["text_encoder_2"].layouts["text_encoder_2"]
    one, other = (open_source(path).components["text_encoder_2"] for path in (folder, file))
    for start in range(0, layout.size - 5000, 9973):
        assert torch.equal(one.read_flat(layout, start, start + 5000), other.read_flat(layout, start, start + 5000))


def test_shards_and_fp16_variants(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    unet = load_file(copy / "unet" / FILES["unet"])
    (copy / "unet" / FILES["unet"]).unlink()
    half = len(unet) // 2
    shards = {"a.safetensors": list(unet)[:half], "b.safetensors": list(unet)[half:]}
    for name, keys in shards.items():
        save_file({key: unet[key] for key in keys}, copy / "unet" / name)
    index = {"weight_map": {key: name for name, keys in shards.items() for key in keys}}
    (copy / "unet" / "diffusion_pytorch_model.safetensors.index.fp16.json").write_text(json.dumps(index))
    (copy / "vae" / FILES["vae"]).rename(copy / "vae" / "diffusion_pytorch_model.fp16.safetensors")
    assert hashes(open_source(copy)) == hashes(open_source(folder))


def test_a_unet_alone_is_a_source_but_lends_nothing_else(folder, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(folder / "unet", alone / "unet")
    for path in (alone, alone / "unet"):
        source = open_source(path, name="alone")
        assert set(source.components) == {"unet"}
        sources = {"whole": open_source(folder, name="whole"), "alone": source}
        rows = {"attention": [0.5, 0.5], "backbone": [0.5, 0.5]}
        Plan(blend(list(sources.values()), rows, host={"default": "whole"}), sources).tensor_plans("vae")
        with pytest.raises(RecipeError, match=r'The host alone has no vae\..*such as \{"vae": "whole"\}'):
            Plan(blend(list(sources.values()), rows, host={"default": "alone"}), sources).tensor_plans("vae")


def test_a_unet_alone_in_a_file(folder, file, tmp_path):
    tensors = {key: tensor for key, tensor in load_file(file).items() if key.startswith("model.diffusion_model.")}
    save_file(tensors, tmp_path / "unet.safetensors")
    source = open_source(tmp_path / "unet.safetensors")
    assert set(source.components) == {"unet"}
    assert source.components["unet"].sha256 == open_source(folder).components["unet"].sha256
    assert not source.lends("tokenizer")


@pytest.mark.parametrize("mark", ["v_pred", "metadata"])
def test_v_prediction_is_told_apart_and_carried_into_the_scheduler(folder, mark, tmp_path):
    path = small_single_file(folder, tmp_path / "v.safetensors")
    metadata = {"modelspec.prediction_type": "v"} if mark == "metadata" else None
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)} if mark == "v_pred" else {}
    save_file(load_file(path) | marks, path, metadata=metadata)
    source = open_source(path)
    assert source.config("scheduler")["prediction_type"] == "v_prediction"
    assert source.config("scheduler").get("rescale_betas_zero_snr", False) == (mark == "v_pred")
    with pytest.raises(SourceError, match="v-prediction"):
        check_mergeable([open_source(folder), source])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            ["lora_unet_x.lora_up.weight", "lora_unet_x.lora_down.weight"],
            r"is an adapter.* 'BASE \+ 0\.8 \* x\.safetensors'",
        ),
        (["unet.down_blocks.0.attentions.0.proj_in.lora_A.weight"], "is an adapter"),
        (["diffusion_model.input_blocks.4.1.proj_in.lora_down.weight"], "is an adapter"),
        (["clip_l", "clip_g"], r"looks like a textual inversion \(embedding\), with keys such as 'clip_[lg]'"),
        (["image_proj.proj.weight", "ip_adapter.1.to_k_ip.weight"], "looks like an IP-Adapter"),
        (["control_model.input_blocks.0.0.weight"], "looks like a ControlNet"),
        (
            ["controlnet_cond_embedding.conv_in.weight", "down_blocks.0.resnets.0.norm1.weight"],
            "looks like a ControlNet",
        ),
        (
            ["model.diffusion_model.double_blocks.0.img_attn.qkv.weight"],
            "looks like a checkpoint or an adapter of FLUX",
        ),
        (["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"], "only SDXL is merged"),
        (["encoder.layers.0.weight"], "holds no part of SDXL; its keys are such as 'encoder.layers.0.weight'"),
        ([], "holds no tensor at all"),
    ],
)
def test_refuses_a_file_of_something_else_for_what_it_is(tmp_path, keys, words):
    save_file({key: torch.zeros(2, 2) for key in keys}, tmp_path / "x.safetensors")
    with pytest.raises(SourceError, match=words):
        open_source(tmp_path / "x.safetensors")


def test_refuses_a_component_that_never_arrived(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(copy / "text_encoder_2")
    with pytest.raises(SourceError, match=r"lacks text_encoder_2, which its model_index\.json names"):
        open_source(copy)


def test_old_names_of_the_vaes_attention(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "vae" / FILES["vae"]
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(path)
    for new, before in old.items():
        tensors = {key.replace(f".attentions.0.{new}.", f".attentions.0.{before}."): t for key, t in tensors.items()}
    save_file(tensors, path)
    assert open_source(copy).components["vae"].sha256 == open_source(folder).components["vae"].sha256
