"""Building from any source: plain classes, exact weights, nothing that comes with a checkpoint is run."""

import json
import shutil
import sys
import threading

import numpy as np
import pytest
import sentencepiece
import torch
from diffusers import EulerDiscreteScheduler, LCMScheduler, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from pipelines.checkpoints.sources import open_source
from pipelines.errors import GenerationError, RecipeError, SourceError
from pipelines.generation.build import attach_lora, build_pipeline, empty_module, load_tokenizer, make_scheduler
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from tests.full_keys import small_sdxl, small_single_file

MODULES = ("unet", "text_encoder", "text_encoder_2", "vae")


def taken_from(source, host=None):
    """A plan that takes all from one source."""
    named = host or {"default": source.name}
    return Plan(blend([source], {"attention": [1], "backbone": [1]}, host=named), {source.name: source})


def reindexed(folder, **entries):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | entries))
    return folder


def states(pipeline):
    return {f"{part}.{key}": value for part in MODULES for key, value in getattr(pipeline, part).state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="module")
def plain(family):
    return StableDiffusionXLPipeline.from_pretrained(family["ja"].path, dtype=torch.float32, local_files_only=True)


@pytest.fixture
def japanese(copied):
    """The embedded `ja` in the form of Japanese SDXL: one text encoder, with a projection, and classes of its own."""
    folder = copied("ja")
    for part in ("text_encoder_2", "tokenizer_2"):
        shutil.rmtree(folder / part)
    weights = load_file(folder / "text_encoder" / "model.safetensors")
    weights["text_projection.weight"] = torch.ones(96, 64, dtype=torch.float16)
    save_file(weights, folder / "text_encoder" / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "text_encoder" / "config.json").read_text())
    config |= {"architectures": ["CLIPTextModelWithProjection"], "projection_dim": 96}
    (folder / "text_encoder" / "config.json").write_text(json.dumps(config))
    return reindexed(
        folder,
        _class_name=["pipeline_japanese_stable_diffusion_xl", "JapaneseStableDiffusionXLPipeline"],
        text_encoder=["transformers", "CLIPTextModelWithProjection"],
        text_encoder_2=[None, None],
        tokenizer_2=[None, None],
    )


def test_weights_are_those_that_diffusers_loads(family, plain):
    pipeline, live = build_pipeline(taken_from(family["ja"]), torch.float32)
    assert same(states(pipeline), states(plain))
    assert set(live) == set(MODULES)
    assert not any(getattr(pipeline, part).training for part in MODULES)
    positions = pipeline.text_encoder.embeddings.position_ids  # a buffer that no file holds
    assert positions.tolist() == [list(range(24))]


def test_half_precision_rounds_as_diffusers_does(family):
    built, _ = build_pipeline(taken_from(family["ja"]), torch.bfloat16)
    loaded = StableDiffusionXLPipeline.from_pretrained(family["ja"].path, dtype=torch.bfloat16, local_files_only=True)
    assert same(states(built), states(loaded))


def test_a_single_file_builds_what_its_folder_builds(tmp_path):
    folder = small_sdxl(tmp_path / "one", seed=0)
    file = small_single_file(folder, folder / "one.safetensors")
    from_folder, _ = build_pipeline(taken_from(open_source(folder)), torch.float32)
    from_file, _ = build_pipeline(taken_from(open_source(file)), torch.float32)
    assert same(states(from_file), states(from_folder))
    assert from_file.tokenizer("a shrimp").input_ids == from_folder.tokenizer("a shrimp").input_ids


def test_each_component_comes_from_its_lender(family):
    sources = list(family.values())
    host = {"default": "ja", "vae": "flat", "text_encoder_2": "base"}
    recipe = blend(sources, {"attention": [0, 1, 0, 0], "backbone": [0, 1, 0, 0]}, host=host)
    pipeline, _ = build_pipeline(Plan(recipe, family), torch.float32)
    for part, lender in (("vae", "flat"), ("text_encoder_2", "base"), ("text_encoder", "ja")):
        kind = type(getattr(pipeline, part))
        alone = kind.from_pretrained(family[lender].path, subfolder=part, dtype=torch.float32, local_files_only=True)
        assert same(getattr(pipeline, part).state_dict(), alone.state_dict())


def test_a_missing_second_encoder_says_nothing(japanese):
    pipeline, _ = build_pipeline(taken_from(open_source(japanese)), torch.float32)
    tokens = pipeline.tokenizer_2(["柴犬", "傘"], padding="max_length", max_length=24, return_tensors="pt").input_ids
    said = pipeline.text_encoder_2(tokens, output_hidden_states=True)
    assert said.hidden_states[-2].shape == (2, 24, 96)
    assert not said.hidden_states[-2].any()
    assert said.text_embeds.shape == (2, 96)
    assert not said.text_embeds.any()


def test_japanese_sdxl_draws_as_its_own_pipeline_does(japanese):
    """Its code fills the second encoder's channels and the pooled vector with zeros; this one has no such code."""
    pipeline, _ = build_pipeline(taken_from(open_source(japanese)), torch.float32)
    assert type(pipeline.text_encoder).__name__ == "CLIPTextModel"  # a projection would lend its pooled vector
    pipeline.set_progress_bar_config(disable=True)
    tokens = pipeline.tokenizer("柴犬", padding="max_length", max_length=24, return_tensors="pt").input_ids
    hidden = pipeline.text_encoder(tokens, output_hidden_states=True).hidden_states[-2]
    embedding = torch.cat([hidden, torch.zeros(1, 24, 96)], dim=-1)

    def draw(**text):
        noise = torch.Generator("cpu").manual_seed(5)
        return pipeline(**text, generator=noise, num_inference_steps=3, guidance_scale=3.0, output_type="np").images

    explicit = draw(
        prompt_embeds=embedding,
        negative_prompt_embeds=torch.zeros_like(embedding),
        pooled_prompt_embeds=torch.zeros(1, 96),
        negative_pooled_prompt_embeds=torch.zeros(1, 96),
    )
    assert (draw(prompt="柴犬") == explicit).all()
    assert np.ptp(explicit) > 0.1


def test_code_of_a_checkpoint_is_never_run(copied):
    folder = reindexed(copied("ja"), unet=["modeling_own", "OwnUNet"])
    (folder / "unet" / "modeling_own.py").write_text("raise SystemExit('run')")
    with pytest.raises(SourceError, match="'OwnUNet' from 'modeling_own'"):
        build_pipeline(taken_from(open_source(folder)), torch.float32)


def test_weights_and_configuration_must_fit(copied):
    folder = copied("ja")
    config = json.loads((folder / "vae" / "config.json").read_text())
    (folder / "vae" / "config.json").write_text(json.dumps(config | {"block_out_channels": [16, 32, 64, 64]}))
    with pytest.raises(RecipeError, match="a VAE .* that is not what its configuration says"):
        build_pipeline(taken_from(open_source(folder)), torch.float32)


def test_other_threads_build_as_ever(family):
    """Modules are built without random numbers here alone: a scorer that is opened beside them gets its own."""
    begun, done = threading.Event(), threading.Event()
    drawn = []

    def beside():
        begun.wait(60)
        drawn.append(torch.nn.Linear(200, 200).weight.std().item())
        done.set()

    thread = threading.Thread(target=beside)
    thread.start()
    empty = torch.empty

    class Waits(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func is empty:
                begun.set()
                done.wait(60)
            return func(*args, **(kwargs or {}))

    with Waits():
        empty_module("vae", family["ja"], torch.float32)
    thread.join()
    assert 0.02 < drawn[0] < 0.06  # uniform within 1/sqrt(200), so 0.041


@pytest.fixture
def sentences(tmp_path, copied):
    """The embedded `ja` with a SentencePiece tokenizer, trained here."""
    folder = copied("ja")
    (tmp_path / "text").write_text("\n".join(["柴犬 の 絵", "傘 と 電車", "a red umbrella", "青い 空"] * 20), "utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"),
        model_prefix=str(tmp_path / "spiece"),
        vocab_size=60,
        hard_vocab_limit=False,
        pad_id=3,
        minloglevel=2,
    )
    shutil.rmtree(folder / "tokenizer")
    (folder / "tokenizer").mkdir()
    shutil.copy(tmp_path / "spiece.model", folder / "tokenizer" / "spiece.model")
    settings = {"tokenizer_class": "T5Tokenizer", "model_max_length": 16, "pad_token": "<pad>"}
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.mark.parametrize("named", [["transformers", "T5Tokenizer"], ["own", "OwnTokenizer"], [None, None]])
def test_a_sentencepiece_tokenizer_is_read(sentences, named):
    source = open_source(reindexed(sentences, tokenizer=named))
    read = load_tokenizer("tokenizer", source)
    assert read.model_max_length == 16
    assert read.decode(read("柴犬 の 絵").input_ids, skip_special_tokens=True) == "柴犬 の 絵"


def test_without_sentencepiece_its_name_is_told(sentences, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(SourceError, match="pip install sentencepiece"):
        load_tokenizer("tokenizer", open_source(sentences))


def test_a_tokenizer_that_cannot_be_read_is_named(copied):
    folder = copied("ja")
    for file in (folder / "tokenizer").iterdir():
        file.unlink()
    with pytest.raises(SourceError, match="the tokenizer CLIPTokenizer cannot be read"):
        load_tokenizer("tokenizer", open_source(folder))


@pytest.mark.parametrize("levels", [10**9, 0, -1, 2.5, "1000", None])
def test_a_scheduler_has_no_more_noise_levels_than_a_model_can_have(copied, levels):
    folder = copied("base")
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_train_timesteps": levels}))
    with pytest.raises(SourceError, match=r"Expected `num_train_timesteps` to be a whole number from 1 to 100,000"):
        make_scheduler(open_source(folder))


def test_the_scheduler_is_the_sources_own(family):
    own = make_scheduler(family["ja"])
    assert type(own) is EulerDiscreteScheduler
    assert own.config.prediction_type == "v_prediction"
    quick = make_scheduler(family["ja"], GenerationSettings(steps=4, guidance=1.0, speed="lcm"))
    assert type(quick) is LCMScheduler
    assert (quick.config.prediction_type, quick.config.clip_sample) == ("v_prediction", False)


def test_a_lora_for_another_model_is_refused(family, plain, tmp_path):
    save_file({"unet.nowhere.to_q.lora_A.weight": torch.ones(2, 4)}, tmp_path / "other.safetensors")
    with pytest.raises(GenerationError, match="cannot be put beside this model"):
        attach_lora(plain, str(tmp_path / "other.safetensors"))
    assert not hasattr(plain.unet, "peft_config") or not plain.unet.peft_config
    with pytest.raises(SourceError, match="nothing there"):
        attach_lora(plain, str(tmp_path / "nowhere.safetensors"))
