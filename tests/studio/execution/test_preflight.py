"""What a run will need: counted on the embedded family, and on full-size checkpoints that are headers alone."""

import json
import os
import shutil
import struct

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from pipelines.architectures import sdxl
from pipelines.architectures.keys import canonical_name
from pipelines.errors import SourceError
from pipelines.generation.devices import GIB, Machine
from pipelines.generation.settings import presets
from studio.breeding.initial_population import source_recipes
from studio.errors import ConfigError
from studio.execution.creation import create_run
from studio.execution.preflight import measured_rate, multiplication_speed, preflight
from studio.runs.config import embedded
from studio.runs.individual import Individual
from studio.runs.inputs import open_run_sources
from studio.runs.store import now

PLENTY = {"memory": 60 * GIB, "disk": 1000 * GIB, "accelerator": 24 * GIB}
CPU, CARD = torch.device("cpu"), torch.device("cuda")


def headers_only(path, component, shapes):
    """A float16 safetensors file whose values are a hole on the disk."""
    header, offset = {}, 0
    for key, shape in shapes.items():
        size = 2 * torch.Size(shape).numel()
        header[canonical_name(component, key)] = {
            "dtype": "F16",
            "shape": list(shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with open(path, "r+b") as file:
        file.truncate(8 + len(text) + offset)


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """Two SDXL checkpoints in full size, without weights."""
    one = tmp_path_factory.mktemp("sources") / "one"
    sdxl.write_folder(one)
    with torch.device("meta"):
        models = {
            "unet": UNet2DConditionModel.from_config(sdxl.UNET),
            "vae": AutoencoderKL.from_config(sdxl.VAE),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**sdxl.TEXT_ENCODER)),
            "text_encoder_2": CLIPTextModelWithProjection(CLIPTextConfig(**sdxl.TEXT_ENCODER_2)),
        }
    for part, model in models.items():
        stem = "model" if part.startswith("text") else "diffusion_pytorch_model"
        shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
        headers_only(one / part / f"{stem}.safetensors", part, shapes)
    two = one.with_name("two")
    shutil.copytree(one, two, copy_function=os.link)
    return [str(one), str(two)]


@pytest.fixture
def large(full_size, few_prompts):
    return embedded(
        sources=tuple(full_size),
        host={"default": "one"},
        prompts=str(few_prompts),
        held_out=str(few_prompts),
        pictures=presets(1024)["standard"].model_dump(),
    )


def test_the_embedded_family_fits(small_config, tmp_path):
    sources = open_run_sources(small_config)
    found = preflight(small_config, sources, folder=tmp_path / "runs" / "new", rate=0.01)
    assert found.check() is found
    assert (
        set(found.needs)
        == set(found.available)
        == {"memory", "disk"} | ({"accelerator"} if torch.accelerator.is_available() else set())
    )
    # 5 captions: 4 offspring, then 3.4 of them and the 4 sources in English, the sources in Japanese, 9 report rows
    assert found.pictures == 20 + 37 + 20 + 2 * 9 * 2
    assert found.seconds == pytest.approx(0.01 * found.pictures)
    # kept: both languages of 3.4 offspring and 4 sources, and of the 9 rows, which have fewer captions than are kept
    assert found.needs["disk"] == int((74 + 2 * 9 * 2) * 3 * 64**2 * 0.7)
    assert found.cache == sum(source.components["unet"].size for source in sources.values())
    assert found.reading == found.cache + sum(source.size for source in sources.values())
    assert json.loads(json.dumps(found.to_json()))["plan"]["offload"] == "none"


def test_without_an_earlier_run_operations_are_counted(small_config, tmp_path):
    found = preflight(small_config, open_run_sources(small_config), folder=tmp_path)
    assert found.basis == "count"
    speed = multiplication_speed(CPU, torch.float32)
    assert 1e9 < speed < 1e14
    if found.plan.dtype == torch.float32:
        # a step with guidance: 207 million operations a pass, and 568 million to decode
        assert found.seconds > found.pictures * (2 * 206e6 + 568e6) / speed


def test_full_size_on_each_machine(large, tmp_path):
    sources = open_run_sources(large)

    def on(machine, **free):
        return preflight(large, sources, folder=tmp_path, machine=machine, available={**PLENTY, **free}, rate=0.1)

    assert sum(source.size for source in sources.values()) == 2 * 2 * 3_468_837_867
    card = on(Machine(CARD, 24 * GIB, 64 * GIB))
    assert not card.refusals
    assert 12e9 < card.needs["accelerator"] < 24e9
    assert card.needs["memory"] > 2 * 3_468_837_867
    assert card.needs["memory"] - card.plan.host == 2 * 2 * 5 * 2 * (77 * 2048 + 1280) * 2  # 0.6 MB a caption
    many = preflight(large.model_copy(update={"noises": 100}), sources, folder=tmp_path, available=PLENTY, rate=0.1)
    assert many.needs["memory"] - many.plan.host == GIB
    assert card.holds["weights"] == 2 * 3_468_837_867
    assert card.holds["sources"] == 2 * 2 * 2_567_463_684
    assert card.plan.resident
    assert card.cache == 0
    small = on(Machine(CARD, 8 * GIB, 64 * GIB), accelerator=8 * GIB)
    assert not small.refusals
    assert any("comes and goes by model" in said for said in small.warnings)
    assert any("3 at a time, not 16" in said for said in small.warnings)
    assert small.holds["sources"] == 0
    assert small.cache == 2 * 2 * 2_567_463_684


@pytest.mark.parametrize(
    ("machine", "free", "problem"),
    [
        (Machine(CARD, 24 * GIB, 64 * GIB), {"accelerator": 6 * GIB}, r"cuda: the run needs 2\d\.\d GB, 6\.4 GB are"),
        (Machine(CARD, 24 * GIB, 64 * GIB), {"memory": 4 * GIB}, r"Main memory: the run needs 8\.\d GB, 4\.3 GB are"),
        (Machine(CPU, None, 12 * GIB), {"memory": 12 * GIB}, r"Main memory: .* A GPU needs half as much"),
        (Machine(CARD, 24 * GIB, 64 * GIB), {"disk": GIB // 2}, r"The disk of .*: the run needs .* fewer evaluations"),
    ],
)
def test_what_cannot_fit_is_refused(large, tmp_path, machine, free, problem):
    available = {**PLENTY, **free}
    found = preflight(
        large, open_run_sources(large), folder=tmp_path / "new", machine=machine, available=available, rate=0.1
    )
    assert len(found.refusals) == 1
    with pytest.raises(ConfigError, match=problem):
        found.check()


def test_sources_that_the_file_cache_cannot_keep_are_named(large, tmp_path):
    found = preflight(
        large,
        open_run_sources(large),
        folder=tmp_path,
        machine=Machine(CARD, 16 * GIB, 16 * GIB),
        available={**PLENTY, "memory": 10 * GIB},
        rate=0.1,
    )
    assert not found.refusals
    assert any("Weaving reads 10.3 GB of sources for every individual" in said for said in found.warnings)


def test_a_scorer_nobody_has_seen_is_left_out_and_named(small_config, tmp_path):
    config = small_config.model_copy(update={"reporter": "hf-hub:someone/unheard-of"})
    found = preflight(config, open_run_sources(config), folder=tmp_path, rate=0.01)
    assert any("someone/unheard-of is not known" in said for said in found.warnings)


def test_a_host_that_lends_nothing_is_told_before_the_run(small_config, tmp_path, copied):
    folder = copied("flat")
    shutil.rmtree(folder / "vae")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"vae": [None, None]}))
    sources = (*small_config.sources[:2], str(folder))
    config = small_config.model_copy(update={"sources": sources, "host": {"default": "flat"}})
    with pytest.raises(SourceError, match="host flat has no vae"):
        preflight(config, open_run_sources(config), folder=tmp_path)


def test_time_is_that_of_an_earlier_run(small_config, tmp_path):
    runs = tmp_path / "runs"
    assert measured_rate(runs, small_config) is None
    store = create_run(runs / "one", small_config)
    sources = source_recipes(small_config, open_run_sources(small_config))
    scores = {"ja": np.ones((5, 1)), "en": np.ones((5, 1)), "consistency": np.ones((5, 1))}
    child = sources["ja"].model_copy(update={"name": "0001"})
    for name, recipe, mother, seconds in (("ja", sources["ja"], None, 90.0), ("0001", child, "ja", 8.0)):
        store.record([Individual(name, mother, mother, recipe, scores, True, True, seconds, now())], {}, [name])
    store.close()
    longer = small_config.model_copy(update={"evaluations": 50})
    assert measured_rate(runs, longer) == 8.0 / 10  # ten pictures of one step; sources draw more than they score
    larger = small_config.model_copy(update={"pictures": small_config.pictures.model_copy(update={"size": 128})})
    assert measured_rate(runs, larger) is None
    (runs / "one" / "run.yaml").write_text("damaged: [")
    assert measured_rate(runs, longer) is None


def test_the_mended_plan_needs_less(large, tmp_path):
    """What the remedies ask for helps: smaller batches and pictures."""
    sources, machine = open_run_sources(large), Machine(CARD, 24 * GIB, 64 * GIB)
    modest = large.model_copy(update={"pictures": large.pictures.model_copy(update={"batch": 1, "size": 512})})
    one, other = (
        preflight(config, sources, folder=tmp_path, machine=machine, available=PLENTY, rate=0.1)
        for config in (large, modest)
    )
    assert other.needs["accelerator"] < one.needs["accelerator"]
    assert other.needs["disk"] * 3 < one.needs["disk"]
