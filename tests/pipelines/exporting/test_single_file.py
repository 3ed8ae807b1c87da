"""Single files: the true keys of SDXL, exact conversions, and what diffusers makes of them."""

import contextlib
import hashlib
import json
import logging
import shutil

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from pipelines.architectures.keys import WEIGHTED_COMPONENTS
from pipelines.architectures.sdxl_single_file import LOGIT_SCALE, POSITION_IDS
from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError
from pipelines.exporting.export import TENSOR_HASH_KEY, about_folder, export_file, export_folder
from pipelines.recipes.recipe import blend
from pipelines.storage.tensor_file import TensorFile
from pipelines.weaving.plan import Plan
from tests.full_keys import small_sdxl, small_single_file, tensors_of, to_file


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two SDXL checkpoints with the true keys and small shapes, as folders, and as files that lie in them."""
    folders = [small_sdxl(tmp_path_factory.mktemp("small") / name, seed) for seed, name in enumerate(("one", "two"))]
    return {
        folder.name: (folder, small_single_file(folder, folder / f"{folder.name}.safetensors")) for folder in folders
    }


@pytest.fixture(scope="module")
def half(small):
    """An even blend of the two files, in its plan."""
    sources = {name: open_source(file, name=name) for name, (_, file) in small.items()}
    weights = {"attention": [0.5, 0.5], "backbone": [0.25, 0.75], "text_encoder": [0.5, 0.5], "text_encoder_2": [0, 1]}
    return Plan(blend(list(sources.values()), weights, host={"default": "one"}), sources)


def test_a_single_file_holds_the_public_list_of_keys(small, half, tmp_path):
    stored = load_file(export_file(half, tmp_path / "half.safetensors"))
    one, two = (load_file(file) for _, file in small.values())
    assert len(stored) == 2515
    assert {key: tensor.shape for key, tensor in stored.items()} == {key: tensor.shape for key, tensor in one.items()}
    assert stored[POSITION_IDS].dtype == torch.int64
    assert stored[POSITION_IDS].tolist() == [list(range(77))]
    assert stored[LOGIT_SCALE].item() == pytest.approx(4.6052, abs=2e-3)
    assert {tensor.dtype for key, tensor in stored.items() if key != POSITION_IDS} == {torch.float16}
    attention = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.weight"
    expected = one[attention].float() * 0.5 + two[attention].float() * 0.5
    assert torch.equal(stored[attention], expected.half())
    packed = "conditioner.embedders.1.model.transformer.resblocks.31.attn.in_proj_weight"  # all of it from the second
    projection, lent = "conditioner.embedders.1.model.text_projection", "first_stage_model.decoder.mid.attn_1.q.weight"
    assert torch.equal(stored[packed], two[packed])
    assert torch.equal(stored[projection], two[projection])
    assert torch.equal(stored[lent], one[lent])


def alone(source):
    """A source as the only one of a merge, with the text encoders in it."""
    parts = ("attention", "backbone", "text_encoder", "text_encoder_2")
    return Plan(blend([source], {part: [1.0] for part in parts}, host={"default": source.name}), {source.name: source})


def test_file_to_folder_to_file_is_exact(half, tmp_path):
    first = export_file(half, tmp_path / "first.safetensors", documents={})
    shutil.copytree(about_folder(first) / "config", tmp_path / "beside")
    lying = shutil.copyfile(first, tmp_path / "beside" / "first.safetensors")  # beside its model_index.json
    folder = export_folder(alone(open_source(lying)), tmp_path / "folder")
    again = export_file(alone(open_source(folder)), tmp_path / "again.safetensors")
    assert again.read_bytes() == first.read_bytes()
    converted = {}
    for part, tensors in tensors_of(folder).items():
        converted |= to_file(part, tensors)
    stored = load_file(first)
    assert stored.keys() - converted.keys() == {POSITION_IDS, LOGIT_SCALE}
    assert all(torch.equal(stored[key], tensor) for key, tensor in converted.items())


def test_buffers_survive_a_folder_and_are_mended(small, tmp_path):
    folder, file = small["one"]
    stored = load_file(file) | {
        LOGIT_SCALE: torch.tensor(4.0).half(),
        POSITION_IDS: torch.arange(77)[None].half() + 0.5,
    }
    careless = folder / "careless.safetensors"
    save_file(stored, careless)
    written = export_folder(alone(open_source(careless)), tmp_path / "folder")
    again = load_file(export_file(alone(open_source(written)), tmp_path / "again.safetensors"))
    assert again.pop(POSITION_IDS).tolist() == [list(range(77))]
    assert all(torch.equal(again[key], stored[key]) for key in again)


@contextlib.contextmanager
def complaints():
    """What diffusers and transformers warn of; not that they would keep no module in float32."""
    said, loggers = [], [logging.getLogger(name) for name in ("diffusers", "transformers")]
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: said.append(record.getMessage())
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield said
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        said[:] = [message for message in said if "kept in float32: []" not in message]


def test_diffusers_draws_the_same_from_the_file_and_from_the_folder(half, tmp_path):
    file = export_file(half, tmp_path / "half.safetensors", documents={})
    folder = export_folder(half, tmp_path / "half")
    config = str(about_folder(file) / "config")
    with complaints() as said:
        from_file = StableDiffusionXLPipeline.from_single_file(file, config=config, dtype=torch.float32)
        from_folder = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32)
    assert said == []  # neither missing nor unexpected keys
    for part in WEIGHTED_COMPONENTS:
        ours, theirs = (getattr(pipeline, part).state_dict() for pipeline in (from_file, from_folder))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items()), part
    assert from_file.scheduler.config.items() >= {"prediction_type": "epsilon", "timestep_spacing": "leading"}.items()
    drawn = []
    for pipeline in (from_file, from_folder):
        pipeline.set_progress_bar_config(disable=True)
        noise = torch.Generator("cpu").manual_seed(0)
        drawn.append(pipeline("dolphin", num_inference_steps=2, output_type="np", generator=noise).images[0])
    assert np.isfinite(drawn[0]).all()
    assert np.array_equal(*drawn)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_precisions_of_a_file(half, tmp_path, dtype):
    wide = Plan(half.recipe, half.sources, dtype=torch.float32)
    exact = load_file(export_file(wide, tmp_path / "wide.safetensors"))
    stored = load_file(export_file(Plan(half.recipe, half.sources, dtype=dtype), tmp_path / "out.safetensors"))
    assert stored.keys() == exact.keys()
    assert stored[POSITION_IDS].dtype == torch.int64
    for key in exact.keys() - {POSITION_IDS}:
        assert torch.equal(stored[key], exact[key].to(dtype)), key


def test_the_hash_is_that_of_the_tensor_bytes_and_the_bytes_are_the_same_twice(half, tmp_path):
    placeholder = f'"{TENSOR_HASH_KEY}":"0x{64 * "0"}"'  # in a text of somebody else, it is left alone
    metadata = {"modelspec.description": placeholder, TENSOR_HASH_KEY: "", "modelspec.title": "さくら"}
    one, two = (export_file(half, tmp_path / f"{name}.safetensors", metadata=metadata) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    content = one.read_bytes()
    data = content[8 + int.from_bytes(content[:8], "little") :]
    assert TensorFile(one).metadata == {
        "format": "pt",
        "modelspec.description": placeholder,
        "modelspec.title": "さくら",
        TENSOR_HASH_KEY: f"0x{hashlib.sha256(data).hexdigest()}",
    }


def test_a_file_says_what_its_unet_predicts(family, one_hot, half, tmp_path, copied):
    marks = {"v_pred", "ztsnr"}
    assert not marks & set(TensorFile(export_file(half, tmp_path / "epsilon.safetensors")).tensors)
    v = export_file(Plan(one_hot["ja"], family), tmp_path / "v.safetensors")
    assert marks & set(TensorFile(v).tensors) == {"v_pred"}
    folder = copied("ja")
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps(json.loads(scheduler.read_text()) | {"rescale_betas_zero_snr": True}))
    source = open_source(folder)
    plan = Plan(blend([source], {"attention": [1], "backbone": [1]}, host={"default": "ja"}), {"ja": source})
    z = export_file(plan, tmp_path / "z.safetensors")
    assert TensorFile(z).tensors["v_pred"] == ((0,), "F32")
    assert marks <= set(TensorFile(z).tensors)
    assert open_source(z).architecture == source.architecture


def test_a_foreign_tokenizer_is_refused(copied, tmp_path):
    folder = copied("ja")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"tokenizer": ["transformers", "T5Tokenizer"]}))
    source = open_source(folder)
    plan = Plan(blend([source], {"attention": [1], "backbone": [1]}, host={"default": "ja"}), {"ja": source})
    with pytest.raises(ExportError, match="ja has a tokenizer of its own .T5Tokenizer.*Export a diffusers folder"):
        export_file(plan, tmp_path / "out.safetensors")
