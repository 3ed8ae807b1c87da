"""Pictures: what the studio draws is what plain diffusers draws from the exported folder."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.errors import GenerationError, SourceError
from pipelines.export import export_folder
from pipelines.generate import LivePipeline, Request, Settings, compute_dtype
from pipelines.recipe import blend
from pipelines.sources import open_source
from tests.conftest import python

SETTINGS = Settings(steps=4, batch=3)
REQUESTS = [Request("柴犬", 1), Request("shrimp", 2), Request("傘", 3), Request("電車", 4)]

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
    folder = export_folder(mixed, family, tmp_path / "exported")
    done = python("-c", PLAIN, folder, tmp_path)
    assert done.returncode == 0, done.stderr
    files = ["batch-0.png", "batch-1.png", "batch-2.png", "alone-0.png"]
    assert (pixels(drawn) == pixels([Image.open(tmp_path / name) for name in files])).all()


def test_pictures_depend_on_prompt_seed_and_recipe_alone(one_hot, pipeline, mixed):
    first = pixels(pipeline.generate(REQUESTS[:2], SETTINGS))
    pipeline.become(one_hot["flat"])
    other = pixels(pipeline.generate(REQUESTS[:2], SETTINGS))
    pipeline.become(mixed)
    assert (pixels(pipeline.generate(REQUESTS[:2], SETTINGS)) == first).all()
    assert (other != first).any()
    assert (first[0] != first[1]).any()
    assert first.shape == (2, 64, 64, 3)


def test_progress_counts_pictures(pipeline):
    told = []
    pipeline.generate(REQUESTS, SETTINGS.model_copy(update={"steps": 1}), progress=told.append)
    assert told == [3, 4]


def test_another_host_needs_another_pipeline(pipeline, mixed):
    with pytest.raises(GenerationError, match="Build another pipeline"):
        pipeline.become(mixed.model_copy(update={"host": {"default": "base"}}))


def test_text_encoders_follow_their_recipe(family, pipeline):
    """With text encoders merged, each recipe is embedded by its own."""
    rows = dict.fromkeys(("attention", "backbone", "text_encoder", "text_encoder_2"), [1.0, 0, 0, 0])
    base = blend(list(family.values()), rows, host={"default": "ja"})
    ja = blend(list(family.values()), dict.fromkeys(rows, [0, 1.0, 0, 0]), host={"default": "ja"})
    merged = LivePipeline(base, family)
    by_base = pixels(merged.generate(REQUESTS[:1], SETTINGS))
    merged.become(ja)
    by_ja = pixels(merged.generate(REQUESTS[:1], SETTINGS))
    pipeline.become(
        blend(list(family.values()), {"attention": [0, 1, 0, 0], "backbone": [0, 1, 0, 0]}, host={"default": "ja"})
    )
    assert (by_ja == pixels(pipeline.generate(REQUESTS[:1], SETTINGS))).all()
    assert (by_base != by_ja).any()


def test_captions_cut_short_are_named(pipeline):
    long = "とても" * 40
    assert pipeline.truncated(["shrimp", long]) == [long]


def test_code_of_a_checkpoint_is_never_run(copied, mixed):
    folder = copied("ja")
    index = json.loads((folder / "model_index.json").read_text())
    index["text_encoder"] = ["modeling_null", "NullModel"]
    (folder / "model_index.json").write_text(json.dumps(index))
    source = open_source(folder)
    recipe = blend([source], {"attention": [1], "backbone": [1]}, host={"default": "ja"})
    with pytest.raises(SourceError, match="'NullModel' from 'modeling_null'"):
        LivePipeline(recipe, {"ja": source})


def test_a_cpu_computes_in_float32():
    assert compute_dtype(torch.device("cpu")) == torch.float32
