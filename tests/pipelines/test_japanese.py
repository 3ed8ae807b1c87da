"""Japanese SDXL's composition: own tokenizer and first encoder, no second one, a pipeline class of its own."""

import json
import shutil

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError
from pipelines.exporting.export import export_file, export_folder
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from tests.full_keys import WIDTH_L, small_sdxl

SETTINGS = GenerationSettings(steps=2, guidance=3.0, size=64, batch=1)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """An SDXL, and one that is to it what Japanese SDXL is to SDXL."""
    folder = tmp_path_factory.mktemp("models")
    sdxl = small_sdxl(folder / "sdxl", seed=1)
    japanese = small_sdxl(folder / "jsdxl", seed=2)
    for part in ("text_encoder", "text_encoder_2", "tokenizer_2"):
        shutil.rmtree(japanese / part)
    config = CLIPTextConfig.from_pretrained(sdxl / "text_encoder")
    config.projection_dim = WIDTH_L // 2  # the pooled vector of this encoder would not even fit
    torch.manual_seed(3)
    CLIPTextModelWithProjection(config).half().save_pretrained(japanese / "text_encoder")
    index = json.loads((japanese / "model_index.json").read_text())
    index |= {
        "_class_name": ["pipeline_japanese_stable_diffusion_xl", "JapaneseStableDiffusionXLPipeline"],
        "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
        "text_encoder_2": [None, None],
        "tokenizer_2": [None, None],
    }
    (japanese / "model_index.json").write_text(json.dumps(index))
    (japanese / "pipeline_japanese_stable_diffusion_xl.py").write_text("raise SystemExit('code of a checkpoint ran')")
    return {"jsdxl": open_source(japanese), "sdxl": open_source(sdxl)}


def recipe(sources, **host):
    rows = {"attention": [0.22, 0.78], "backbone": [0.09, 0.91]}
    return blend(list(sources.values()), rows, host={"default": "jsdxl", **host})


def drawn(folder, prompt, seed):
    """What plain diffusers draws."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(
        prompt,
        num_inference_steps=SETTINGS.steps,
        guidance_scale=SETTINGS.guidance,
        height=SETTINGS.size,
        width=SETTINGS.size,
        generator=torch.Generator("cpu").manual_seed(seed),
    ).images[0]


@pytest.fixture
def two_threads():
    """On one thread, the kernels' last bit depends on where in memory weights lie, and files are mapped as they are."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("host", [{"text_encoder_2": "sdxl", "tokenizer_2": "sdxl", "vae": "sdxl"}, {}])
def test_the_exported_folder_draws_what_the_studio_draws(sources, host, tmp_path):
    """With SDXL's second encoder, as the published merges have it, and with none, as Japanese SDXL itself."""
    merge = recipe(sources, **host)
    (picture,) = LivePipeline(merge, sources).generate([PictureRequest("柴犬の写真", 5)], SETTINGS)
    folder = export_folder(Plan(merge, sources), tmp_path / "out")
    assert picture.tobytes() == drawn(folder, "柴犬の写真", 5).tobytes()


def test_the_pooled_vector_is_the_second_encoders(sources, tmp_path):
    folder = export_folder(Plan(recipe(sources, text_encoder_2="sdxl", tokenizer_2="sdxl"), sources), tmp_path / "out")
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32)
    _, _, pooled, _ = pipeline.encode_prompt("柴犬")
    ids = pipeline.tokenizer_2("柴犬", padding="max_length", max_length=77, return_tensors="pt").input_ids
    assert torch.equal(pooled, pipeline.text_encoder_2(ids).text_embeds)


def test_without_a_second_encoder_its_channels_and_the_pooled_vector_are_zero(sources, tmp_path):
    folder = export_folder(Plan(recipe(sources), sources), tmp_path / "out")
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32)
    embedding, negative, pooled, negative_pooled = pipeline.encode_prompt("柴犬")
    assert embedding[..., :WIDTH_L].abs().min() > 0
    for zero in (embedding[..., WIDTH_L:], negative, pooled, negative_pooled):
        assert not zero.any()


def test_no_single_file_holds_a_tokenizer_of_its_own(sources, tmp_path):
    folder = shutil.copytree(sources["jsdxl"].path, tmp_path / "own")
    index = json.loads((folder / "model_index.json").read_text())
    index["tokenizer"] = ["transformers", "LlamaTokenizer"]
    (folder / "model_index.json").write_text(json.dumps(index))
    mixed = {"jsdxl": open_source(folder, name="jsdxl"), "sdxl": sources["sdxl"]}
    with pytest.raises(ExportError, match=r"tokenizer of its own \(LlamaTokenizer\), which a single file cannot hold"):
        export_file(Plan(recipe(mixed, text_encoder_2="sdxl", tokenizer_2="sdxl"), mixed), tmp_path / "x.safetensors")
