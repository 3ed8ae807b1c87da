"""Device plans for SDXL's real sizes, by class of card."""

import json

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from pipelines.architectures import sdxl
from pipelines.generation.cost import PipelineSizes, unet_operations, vae_operations
from pipelines.generation.devices import (
    GIB,
    Machine,
    best_device,
    compute_dtype,
    decode_as_planned,
    plan_device,
    this_machine,
)
from pipelines.generation.settings import GenerationSettings, presets

CARD, CPU = torch.device("cuda"), torch.device("cpu")
STANDARD = presets(1024)["standard"]
UNET, CLIP_L, CLIP_G, VAE = 2_567_463_684, 123_060_480, 694_659_840, 83_653_863
SCORER = 1_460_000_000  # xlm-roberta-base-ViT-B-32 in float32


@pytest.fixture(scope="module")
def full_size():
    """SDXL 1.0, four sources in half precision."""
    with torch.device("meta"):
        unet, vae = UNet2DConditionModel.from_config(sdxl.UNET), AutoencoderKL.from_config(sdxl.VAE)
    shapes = [{name: tuple(tensor.shape) for name, tensor in one.state_dict().items()} for one in (unet, vae)]
    numbers = [sum(torch.Size(shape).numel() for shape in one.values()) for one in shapes]
    assert numbers == [UNET, VAE]
    parameters = {"unet": UNET, "text_encoder": CLIP_L, "text_encoder_2": CLIP_G, "vae": VAE}
    work = unet_operations(shapes[0], 77), vae_operations(shapes[1])
    return PipelineSizes(parameters, 4 * 2 * UNET, 1024, 8, 320, 128, True, *work, 2 * (77 * 2048 + 1280))


def card(gib, bf16=True):
    """A card as the driver reports it: a little less than its name."""
    return Machine(CARD, int(gib * GIB * 0.985), 64 * GIB, bf16)


@pytest.mark.parametrize(
    ("gib", "offload", "batch", "resident", "scorer"),
    [
        (6, "group", 6, False, "parked"),
        (8, "model", 3, False, "parked"),
        (12, "none", 4, False, "parked"),
        (16, "none", 7, False, "beside"),
        (24, "none", 16, False, "beside"),
        (80, "none", 16, True, "beside"),
    ],
)
def test_each_class_of_card(full_size, gib, offload, batch, resident, scorer):
    plan = plan_device(card(gib), full_size, STANDARD, scorer=SCORER)
    assert (plan.offload, plan.batch, plan.resident, plan.scorer) == (offload, batch, resident, scorer)
    assert (plan.dtype, plan.decoding, plan.vae) == (torch.bfloat16, torch.bfloat16, "slices")
    assert plan.fits


@pytest.mark.parametrize(
    ("gib", "offload", "vae"),
    [(6, "group", "tiles"), (8, "model", "slices"), (12, "model", "slices"), (16, "none", "slices")],
)
def test_cards_without_bfloat16_decode_in_float32(full_size, gib, offload, vae):
    """SDXL's VAE overflows in float16; float32 takes twice the room, so offloading begins earlier."""
    plan = plan_device(card(gib, bf16=False), full_size, STANDARD)
    assert (plan.dtype, plan.decoding) == (torch.float16, torch.float32)
    assert (plan.offload, plan.vae) == (offload, vae)


def test_a_vae_that_was_mended_for_float16_decodes_in_it(full_size):
    mended = PipelineSizes(**{**vars(full_size), "upcast": False})
    assert plan_device(card(12, bf16=False), mended, STANDARD).decoding == torch.float16
    assert plan_device(card(12, bf16=False), mended, STANDARD).offload == "none"


def test_a_cpu_computes_whole_pictures_in_float32(full_size):
    plan = plan_device(Machine(CPU, None, 64 * GIB), full_size, STANDARD, scorer=SCORER)
    assert (plan.dtype, plan.offload, plan.resident, plan.scorer) == (torch.float32, "none", False, "beside")
    weights = 4 * (UNET + CLIP_L + CLIP_G + VAE)
    assert plan.needs == plan.host > weights + SCORER
    for gib, fits in ((12, False), (16, True)):
        small = plan_device(Machine(CPU, None, gib * GIB), full_size, STANDARD)
        assert (small.fits, small.vae, small.batch) == (fits, "tiles", 1)


def test_weights_are_counted_exactly(full_size):
    """An 80 GB card holds 6.9 GB of pipeline and 20.5 GB of sources; the rest is working memory and reserve."""
    plan = plan_device(card(80), full_size, GenerationSettings(batch=1), scorer=SCORER)
    held = 2 * (UNET + CLIP_L + CLIP_G + VAE) + 4 * 2 * UNET + SCORER
    working = max(2 * 16 * 320 * 128**2 * 2 * 2, 2 * 6 * 128 * 1024**2 * 2)
    assert plan.needs == GIB + held + working
    assert plan.batch == 1
    assert plan.vae == "whole"


def test_two_sources_may_stay_where_four_may_not(full_size):
    two = PipelineSizes(**{**vars(full_size), "merged": 2 * 2 * UNET})
    assert plan_device(card(24), two, STANDARD).resident
    assert not plan_device(card(24), full_size, STANDARD).resident


def test_a_scorer_too_large_to_visit_brings_offloading(full_size):
    huge = 6 * GIB
    assert plan_device(card(12), full_size, STANDARD).offload == "none"
    plan = plan_device(card(12), full_size, STANDARD, scorer=huge)
    assert (plan.offload, plan.scorer) == ("model", "parked")


def test_what_fits_nowhere_says_so(full_size):
    plan = plan_device(card(2), full_size, STANDARD)
    assert (plan.offload, plan.vae, plan.batch, plan.fits) == ("group", "tiles", 1, False)


def test_unguided_pictures_leave_room_for_more(full_size):
    draft = presets(1024)["draft"]
    assert plan_device(card(8), full_size, draft).batch == 4
    assert plan_device(card(8), full_size, STANDARD).batch == 3


def test_plans_are_plain_values(full_size):
    said = json.loads(json.dumps(plan_device(card(8), full_size, STANDARD).to_json()))
    assert said["dtype"] == "bfloat16"
    assert said["offload"] == "model"


def test_this_machine_is_what_torch_sees():
    machine = this_machine()
    assert machine.device == best_device()
    assert machine.ram > GIB
    assert (machine.memory is None) == (machine.device.type == "cpu")
    assert compute_dtype(this_machine(CPU)) == torch.float32


def test_a_vae_decodes_as_planned(family, full_size):
    vae = AutoencoderKL.from_pretrained(family["ja"].path, subfolder="vae", local_files_only=True)
    small = plan_device(card(2), full_size, STANDARD)
    roomy = plan_device(card(80), full_size, STANDARD.model_copy(update={"batch": 1}))
    decode_as_planned(vae, small)
    assert (vae.use_slicing, vae.use_tiling, vae.tile_latent_min_size) == (True, True, 64)
    decode_as_planned(vae, roomy)
    assert (vae.use_slicing, vae.use_tiling) == (False, False)
    latents = torch.randn(1, 8, 16, 80, generator=torch.Generator().manual_seed(0))  # 640 pixels wide: two tiles
    with torch.no_grad():
        whole = vae.decode(latents).sample
        decode_as_planned(vae, small)
        tiled = vae.decode(latents).sample
    assert tiled.shape == whole.shape == (1, 3, 128, 640)
    assert 0 < (tiled - whole).abs().mean() < 0.2
