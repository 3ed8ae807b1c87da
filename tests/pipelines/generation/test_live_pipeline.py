"""Pictures: what the studio draws is what plain diffusers draws from the exported folder."""

import weakref

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler, LCMScheduler, StableDiffusionXLPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from torch._dynamo.utils import counters

from pipelines.checkpoints.sources import open_source
from pipelines.errors import DeviceError, GenerationError
from pipelines.exporting.export import export_folder
from pipelines.generation import cost
from pipelines.generation.devices import GIB, HOST_RESERVE, Machine
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.settings import GenerationSettings
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from tests.conftest import python

SETTINGS = GenerationSettings(steps=4, batch=3)
REQUESTS = [PictureRequest("柴犬", 1), PictureRequest("shrimp", 2), PictureRequest("傘", 3), PictureRequest("電車", 4)]

PLAIN = """
import sys, torch
from diffusers import StableDiffusionXLPipeline
folder, out = sys.argv[1:]
pipeline = StableDiffusionXLPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
def draw(prompts, seeds):
    noise = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    return pipeline(prompts, generator=noise, num_inference_steps=4, guidance_scale=3.0).images
for name, pictures in (("batch", draw(["柴犬", "shrimp", "傘"], [1, 2, 3])), ("alone", draw(["電車"], [4]))):
    for index, picture in enumerate(pictures):
        picture.save(f"{out}/{name}-{index}.png")
assert not {"pipelines", "studio", "eval", "assets"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def mixed(family):
    rows = {"attention": [0.1, 0.6, 0.2, 0.1], "backbone": [0.4, 0.3, 0.2, 0.1]}
    return blend(list(family.values()), rows, host={"default": "ja"})


@pytest.fixture(scope="module")
def pipeline(family, mixed):
    return LivePipeline(mixed, family)


def pixels(pictures):
    return np.stack([np.asarray(picture) for picture in pictures])


@pytest.mark.slow
def test_pixels_equal_those_of_plain_diffusers(family, mixed, pipeline, tmp_path):
    drawn = pipeline.generate(REQUESTS, SETTINGS)  # a batch of three, then one alone
    folder = export_folder(Plan(mixed, family), tmp_path / "exported")
    done = python("-c", PLAIN, folder, tmp_path)
    assert done.returncode == 0, done.stderr
    files = ["batch-0.png", "batch-1.png", "batch-2.png", "alone-0.png"]
    assert (pixels(drawn) == pixels([Image.open(tmp_path / name) for name in files])).all()


def test_pictures_depend_on_prompt_seed_and_recipe_alone(one_hot, pipeline, mixed):
    first = pixels(pipeline.generate(REQUESTS[:2], SETTINGS))
    pipeline.weave(one_hot["flat"])
    other = pixels(pipeline.generate(REQUESTS[:2], SETTINGS))
    pipeline.weave(mixed)
    assert (pixels(pipeline.generate(REQUESTS[:2], SETTINGS)) == first).all()
    assert (other != first).any()
    assert (first[0] != first[1]).any()
    assert first.shape == (2, 64, 64, 3)


def test_captions_beyond_what_is_kept_are_encoded_again(pipeline, monkeypatch):
    one = SETTINGS.model_copy(update={"batch": 1, "steps": 1})
    all_kept = pixels(pipeline.generate(REQUESTS, one))
    encoded, encode = [], pipeline._pipeline.encode_prompt

    def told(prompt=None, **how):
        if prompt is not None:  # else diffusers has the embeddings already
            encoded.append(prompt)
        return encode(prompt, **how)

    monkeypatch.setattr(pipeline._pipeline, "encode_prompt", told)
    assert (pixels(pipeline.generate(REQUESTS, one)) == all_kept).all()
    assert encoded == []
    pipeline._forget_embeddings()
    monkeypatch.setattr(cost, "EMBEDDINGS_LIMIT", 0)
    for _ in range(2):
        assert (pixels(pipeline.generate(REQUESTS[:2], one)) == all_kept[:2]).all()
    assert encoded == [["柴犬"], ["shrimp"]] * 2


def test_progress_counts_pictures(pipeline):
    told = []
    pipeline.generate(REQUESTS, SETTINGS.model_copy(update={"steps": 1}), progress=told.append)
    assert told == [3, 4]


def test_another_host_needs_another_pipeline(pipeline, mixed):
    with pytest.raises(GenerationError, match="Build another pipeline"):
        pipeline.weave(mixed.model_copy(update={"host": {"default": "base"}}))


def test_a_released_pipeline_gives_its_memory_back(family, one_hot):
    first = LivePipeline(one_hot["ja"], family)
    weights = weakref.ref(first._pipeline.unet)
    own = one_hot["ja"].model_copy(update={"host": {"default": "base"}})
    assert first.can_weave(one_hot["flat"])
    assert not first.can_weave(own)
    first.release()
    assert weights() is None


def test_a_full_device_is_an_error_with_a_remedy(family, one_hot):
    live = LivePipeline(one_hot["ja"], family)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    live._pipeline.unet.register_forward_pre_hook(full)
    with pytest.raises(DeviceError, match="ran out of memory while 2 pictures.*lower the batch or the size"):
        live.generate(REQUESTS[:2], SETTINGS)


def test_text_encoders_follow_their_recipe(family, pipeline):
    """With text encoders merged, each recipe is embedded by its own."""
    rows = dict.fromkeys(("attention", "backbone", "text_encoder", "text_encoder_2"), [1.0, 0, 0, 0])
    base = blend(list(family.values()), rows, host={"default": "ja"})
    ja = blend(list(family.values()), dict.fromkeys(rows, [0, 1.0, 0, 0]), host={"default": "ja"})
    merged = LivePipeline(base, family)
    by_base = pixels(merged.generate(REQUESTS[:1], SETTINGS))
    merged.weave(ja)
    by_ja = pixels(merged.generate(REQUESTS[:1], SETTINGS))
    pipeline.weave(
        blend(list(family.values()), {"attention": [0, 1, 0, 0], "backbone": [0, 1, 0, 0]}, host={"default": "ja"})
    )
    assert (by_ja == pixels(pipeline.generate(REQUESTS[:1], SETTINGS))).all()
    assert (by_base != by_ja).any()


def test_captions_cut_short_are_named(pipeline):
    long = "とても" * 40
    assert pipeline.truncated_captions(["shrimp", long]) == [long]


@pytest.fixture(scope="module")
def lora(family, tmp_path_factory):
    """A few-step LoRA in diffusers' format: every attention projection of the UNet, rank 2, float16."""
    numbers = torch.Generator().manual_seed(0)
    tensors = {}
    for name, ref in family["ja"].components["unet"].tensors.items():
        if ".attn" in name and name.endswith(".weight"):
            key = f"unet.{name.removesuffix('.weight')}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(2, ref.shape[1], generator=numbers).half()
            tensors[f"{key}.lora_B.weight"] = 0.03 * torch.randn(ref.shape[0], 2, generator=numbers).half()
    path = tmp_path_factory.mktemp("lora") / "quick.safetensors"
    save_file(tensors, path)
    return str(path)


def quick(lora, **changes):
    return GenerationSettings(
        **{"steps": 4, "guidance": 0.0, "batch": 2, "speed": "lightning", "speed_lora": lora, **changes}
    )


def test_a_few_step_lora_goes_with_every_recipe(family, one_hot, mixed, lora):
    """Woven below the LoRA again and again, each picture is that of a new pipeline with the LoRA."""
    kept = LivePipeline(mixed, family)
    without = pixels(kept.generate(REQUESTS[:2], SETTINGS))
    first = pixels(kept.generate(REQUESTS[:2], quick(lora)))
    assert kept.weave(one_hot["flat"]) == len(family["flat"].components["unet"].tensors)
    second = pixels(kept.generate(REQUESTS[:2], quick(lora)))
    assert (second == pixels(LivePipeline(one_hot["flat"], family).generate(REQUESTS[:2], quick(lora)))).all()
    assert (first != second).any()
    kept.weave(mixed)
    assert (pixels(kept.generate(REQUESTS[:2], quick(lora))) == first).all()
    assert (pixels(kept.generate(REQUESTS[:2], SETTINGS)) == without).all()  # it was never baked


def test_a_few_step_lora_draws_as_plain_diffusers_does(family, one_hot, lora):
    plain = StableDiffusionXLPipeline.from_pretrained(family["ja"].path, dtype=torch.float32, local_files_only=True)
    plain.set_progress_bar_config(disable=True)
    plain.load_lora_weights(lora)
    for speed, scheduler in (
        ("lightning", EulerDiscreteScheduler.from_config(plain.scheduler.config, timestep_spacing="trailing")),
        ("lcm", LCMScheduler.from_config(plain.scheduler.config)),
        ("hyper-sd", DDIMScheduler.from_config(plain.scheduler.config, timestep_spacing="trailing")),
    ):
        plain.scheduler = scheduler
        noise = torch.Generator("cpu").manual_seed(1)
        expected = plain("柴犬", generator=noise, num_inference_steps=4, guidance_scale=0.0).images
        drawn = LivePipeline(one_hot["ja"], family).generate(REQUESTS[:1], quick(lora, speed=speed))
        assert (pixels(drawn) == pixels(expected)).all(), speed


def test_a_lora_that_fails_leaves_the_pipeline_as_it_was(family, mixed, lora, tmp_path):
    kept = LivePipeline(mixed, family)
    before = pixels(kept.generate(REQUESTS[:2], SETTINGS))
    kept.generate(REQUESTS[:1], quick(lora))
    save_file({"unet.nowhere.to_q.lora_A.weight": torch.ones(2, 4)}, tmp_path / "other.safetensors")
    with pytest.raises(GenerationError, match="cannot be put beside this model"):
        kept.generate(REQUESTS[:1], quick(str(tmp_path / "other.safetensors")))
    assert (pixels(kept.generate(REQUESTS[:2], SETTINGS)) == before).all()


@pytest.mark.soak
def test_a_compiled_unet_is_woven_without_compiling_again(family, one_hot, mixed):
    compiled = SETTINGS.model_copy(update={"compile": True, "batch": 2})
    kept = LivePipeline(mixed, family)
    eager = pixels(kept.generate(REQUESTS[:2], SETTINGS)).astype(int)
    first = pixels(kept.generate(REQUESTS[:2], compiled))
    assert np.abs(first - eager).max() <= 2
    graphs = counters["stats"]["unique_graphs"]
    assert graphs > 0
    kept.weave(one_hot["flat"])
    second = pixels(kept.generate(REQUESTS[:2], compiled))
    assert counters["stats"]["unique_graphs"] == graphs
    fresh = LivePipeline(one_hot["flat"], family)
    assert np.abs(second - pixels(fresh.generate(REQUESTS[:2], SETTINGS)).astype(int)).max() <= 2
    assert (second != first).any()


CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("memory", "offload"), [(4 * GIB, "none"), (GIB + 12_000_000, "model"), (GIB + 5_000_000, "group")]
)
def test_offloaded_weights_are_woven_too(family, one_hot, memory, offload):
    """The hooks of a small accelerator, on a CPU that plays its part."""
    settings = SETTINGS.model_copy(update={"steps": 2, "batch": 1})
    kept = LivePipeline(one_hot["ja"], family, machine=Machine(CPU, memory, 4 * GIB), settings=settings)
    assert (kept.plan.offload, kept.plan.dtype) == (offload, torch.bfloat16)
    kept.generate(REQUESTS[:1], settings)
    kept.weave(one_hot["real"])
    drawn = pixels(kept.generate(REQUESTS[:2], settings))
    whole = LivePipeline(one_hot["real"], family, machine=Machine(CPU, 8 * GIB, 4 * GIB), settings=settings)
    assert (drawn == pixels(whole.generate(REQUESTS[:2], settings))).all()


def test_a_small_machine_draws_smaller_batches(family, one_hot):
    settings = GenerationSettings(steps=1, batch=4)
    small = LivePipeline(
        one_hot["ja"], family, machine=Machine(CPU, None, HOST_RESERVE + 30_500_000), settings=settings
    )
    told = []
    drawn = pixels(small.generate(REQUESTS, settings, progress=told.append))
    assert told == [3, 4]
    assert small.plan.vae == "slices"
    roomy = pixels(LivePipeline(one_hot["ja"], family).generate(REQUESTS, settings)).astype(int)
    assert np.abs(drawn - roomy).max() <= 1


def damaged(folder, part, change):
    """A recipe that takes all from a copy of an embedded source with some weights changed, and the copy."""
    (file,) = (folder / part).glob("*.safetensors")
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file, {"format": "pt"})
    source = open_source(folder)
    named = {"default": source.name}
    return blend([source], {"attention": [1], "backbone": [1]}, host=named, name="0042"), {source.name: source}


def test_weights_far_from_any_source_are_an_error_with_a_name(copied):
    def explode(tensors):
        tensors["conv_in.weight"] = tensors["conv_in.weight"].float() * 1e38

    live = LivePipeline(*damaged(copied("ja"), "unet", explode))
    with pytest.raises(GenerationError, match=r"0042: the picture for 'shrimp' \(seed 2\) came out with NaN before"):
        live.generate(REQUESTS[1:2], SETTINGS)


@pytest.mark.parametrize(("bias", "found"), [(-9, "is black"), (9, "is of one colour"), (float("1e38"), "one colour")])
def test_an_empty_picture_is_an_error_with_a_name(copied, bias, found):
    def empty(tensors):
        tensors["decoder.conv_out.weight"].zero_()
        tensors["decoder.conv_out.bias"] = torch.full((3,), bias)

    live = LivePipeline(*damaged(copied("ja"), "vae", empty))
    with pytest.raises(GenerationError, match=rf"0042: .*{found}.*take the VAE from another source"):
        live.generate(REQUESTS[:1], SETTINGS)


def test_a_decoder_that_overflows_is_an_error_with_a_name(copied):
    def explode(tensors):
        tensors["decoder.conv_in.weight"] = tensors["decoder.conv_in.weight"].float() * 1e38

    live = LivePipeline(*damaged(copied("ja"), "vae", explode))
    with pytest.raises(GenerationError, match="0042: .*came out with NaN when it was decoded.*VAE"):
        live.generate(REQUESTS[:1], SETTINGS)
