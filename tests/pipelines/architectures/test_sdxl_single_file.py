"""Single files: against diffusers' own conversions, open_clip's own text tower, and themselves there and back."""

import open_clip
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.loaders import single_file_utils as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import CLIPTextModelWithProjection

import assets
from pipelines.architectures.keys import canonical_name
from pipelines.architectures.sdxl_single_file import (
    LOGIT_SCALE,
    POSITION_IDS,
    PREFIXES,
    FileSlice,
    from_single_file,
    to_single_file,
    unknown_keys,
)
from pipelines.errors import SourceError
from tests import full_keys
from tests.full_keys import COUNTS, shapes, tensors_of, to_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return full_keys.small_sdxl(tmp_path_factory.mktemp("small") / "sdxl", seed=0)


@pytest.fixture(scope="module")
def path(folder):
    return full_keys.small_single_file(folder, folder.parent / "sdxl.safetensors")


@pytest.fixture(scope="module")
def stored(path):
    return load_file(path)


@pytest.fixture(scope="module")
def canonical(folder):
    return tensors_of(folder)


def take(stored, piece):
    """A canonical tensor out of a single file, as a `FileSlice` describes it."""
    tensor = stored[piece.key]
    if piece.rows:
        tensor = tensor[slice(*piece.rows)]
    if piece.transposed:
        tensor = tensor.t()
    return tensor.reshape(piece.shape)


def take_all(stored):
    found = from_single_file(shapes(stored))
    return {part: {name: take(stored, piece) for name, piece in pieces.items()} for part, pieces in found.items()}


def strangers_in(tensors):
    return unknown_keys(tensors, from_single_file(tensors))


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


def without_buffers(tensors):
    return {k: v for k, v in tensors.items() if k not in ("logit_scale", "text_model.embeddings.position_ids")}


def test_small_models_have_the_true_keys(stored):
    assert len(stored) == 2515
    assert {part: sum(key.startswith(prefix) for key in stored) for part, prefix in PREFIXES.items()} == COUNTS
    assert stored[POSITION_IDS].dtype == torch.int64


def test_diffusers_pipeline_from_the_file(path, folder, canonical):
    pipeline = StableDiffusionXLPipeline.from_single_file(path, config=str(folder), dtype=torch.float16)
    for part, tensors in canonical.items():
        loaded = {canonical_name(part, key): tensor for key, tensor in getattr(pipeline, part).state_dict().items()}
        assert_same(loaded, tensors)


def test_diffusers_conversions_find_all_and_nothing_else(stored, canonical):
    assert_same(
        theirs.convert_ldm_unet_checkpoint(dict(stored), full_keys.UNET | {"layers_per_block": 2}), canonical["unet"]
    )
    assert_same(theirs.convert_ldm_vae_checkpoint(dict(stored), full_keys.VAE), canonical["vae"])
    assert_same(
        theirs.convert_ldm_clip_checkpoint(without_buffers({k: v for k, v in stored.items() if k != POSITION_IDS})),
        canonical["text_encoder"],
    )
    found = theirs.convert_open_clip_checkpoint(None, dict(stored), prefix=PREFIXES["text_encoder_2"])
    assert_same(found, canonical["text_encoder_2"])


def test_round_trips_are_exact(stored, canonical):
    found = take_all(stored)
    for part, tensors in canonical.items():
        assert_same(without_buffers(found[part]), tensors)
    again = {}
    for part, tensors in found.items():
        again |= to_file(part, tensors)
    assert_same(again, stored)


@pytest.mark.parametrize("name", assets.NAMES)
def test_the_embedded_family(name):
    expected = tensors_of(assets.FAMILY / name)
    stored = {}
    for part, tensors in expected.items():
        stored |= to_file(part, tensors)
    found = take_all(stored)
    assert set(found) == set(expected)
    for part, tensors in expected.items():
        assert_same(found[part], tensors)


def test_diffusers_opens_the_embedded_family_as_a_file(tmp_path):
    folder = assets.FAMILY / "base"
    path = full_keys.small_single_file(folder, tmp_path / "base.safetensors", buffers=False)
    pipeline = StableDiffusionXLPipeline.from_single_file(path, config=str(folder), dtype=torch.float16)
    for part, tensors in tensors_of(folder).items():
        loaded = {canonical_name(part, key): tensor for key, tensor in getattr(pipeline, part).state_dict().items()}
        assert_same(loaded, tensors)


def test_open_clip_computes_the_same_from_the_file(stored, folder):
    """What decides: OpenCLIP, for which the layout was made, embeds a text as transformers does from the folder."""
    with torch.random.fork_rng(devices=[]):
        tower = open_clip.CLIP(
            embed_dim=full_keys.WIDTH_G,
            vision_cfg={"image_size": 16, "patch_size": 16, "width": 16, "layers": 1, "head_width": 16},
            text_cfg={"context_length": 77, "vocab_size": 1902, "width": full_keys.WIDTH_G, "heads": 3, "layers": 32},
        ).eval()
    prefix = PREFIXES["text_encoder_2"]
    tensors = {key.removeprefix(prefix): tensor.float() for key, tensor in stored.items() if key.startswith(prefix)}
    missing, unexpected = tower.load_state_dict(tensors, strict=False)
    assert not unexpected
    assert all(key.startswith("visual.") for key in missing)
    model = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2", dtype=torch.float32).eval()
    tokens = torch.tensor([[1900, *range(5, 80)[:74], 1901, 1901]])
    with torch.no_grad():
        torch.testing.assert_close(tower.encode_text(tokens), model(tokens).text_embeds, rtol=1e-4, atol=1e-5)


def test_packing_by_hand():
    """Width 2, projection to 3 channels: q, k and v lie one below the other, the projection lies on its side."""
    attention = "text_model.encoder.layers.0.self_attn"
    tensors = {
        f"{attention}.{part}_proj.weight": torch.full((2, 2), value)
        for part, value in zip("kqv", (2, 1, 3), strict=True)
    }
    tensors |= {
        f"{attention}.{part}_proj.bias": torch.full((2,), value) for part, value in zip("vkq", (6, 5, 4), strict=True)
    }
    tensors["text_projection.weight"] = torch.tensor([[1, 2], [3, 4], [5, 6]])
    file = to_file("text_encoder_2", tensors)
    block = "conditioner.embedders.1.model.transformer.resblocks.0.attn"
    assert set(file) == {
        f"{block}.in_proj_weight",
        f"{block}.in_proj_bias",
        "conditioner.embedders.1.model.text_projection",
    }
    assert file[f"{block}.in_proj_weight"].tolist() == [[1, 1], [1, 1], [2, 2], [2, 2], [3, 3], [3, 3]]
    assert file[f"{block}.in_proj_bias"].tolist() == [4, 4, 5, 5, 6, 6]
    assert file["conditioner.embedders.1.model.text_projection"].tolist() == [[1, 3, 5], [2, 4, 6]]
    assert_same(take_all(file)["text_encoder_2"], tensors)
    piece = from_single_file(shapes(file))["text_encoder_2"][f"{attention}.k_proj.weight"]
    assert piece == FileSlice(f"{block}.in_proj_weight", (2, 2), rows=(2, 4))


@pytest.mark.parametrize(
    "rename",
    [
        lambda key: key.replace("embedders.0.transformer.text_model.", "embedders.0.transformer."),
        lambda key: key.replace("conditioner.embedders.1.model.", "conditioner.embedders.0.model."),
    ],
    ids=["CLIP-L without text_model", "the refiner's CLIP-G"],
)
def test_other_places_of_text_encoders(stored, rename):
    renamed = {rename(key): tensor for key, tensor in stored.items()}
    assert renamed.keys() != stored.keys()
    assert strangers_in(shapes(renamed)) == []
    found, expected = take_all(renamed), take_all(stored)
    for part in expected:
        assert_same(found[part], expected[part])


@pytest.mark.parametrize("prefix", ["model.diffusion_model.", ""], ids=["prefixed", "bare"])
@pytest.mark.parametrize("named", [False, True], ids=["SGM names", "diffusers' names"])
def test_a_unet_alone(canonical, prefix, named):
    names = canonical["unet"] if named else to_file("unet", canonical["unet"])
    file = {prefix + key.removeprefix(PREFIXES["unet"]): tensor for key, tensor in names.items()}
    assert strangers_in(shapes(file)) == []
    found = take_all(file)
    assert set(found) == {"unet"}
    assert_same(found["unet"], canonical["unet"])


def test_only_what_the_file_holds(stored):
    without = {key: shape for key, shape in shapes(stored).items() if key not in (POSITION_IDS, LOGIT_SCALE)}
    found = from_single_file(without)
    assert {part: len(pieces) for part, pieces in found.items()} == {
        "unet": 1680,
        "vae": 248,
        "text_encoder": 196,
        "text_encoder_2": 517,
    }
    assert set(from_single_file({key: s for key, s in without.items() if key.startswith("first_stage")})) == {"vae"}
    assert from_single_file({"lora_unet_input_blocks_4_1_proj_in.lora_down.weight": (4, 64)}) == {}


def test_company_is_told_from_strangers():
    company = ["v_pred", "ztsnr", "edm_vpred.sigma_max", "edm_mean", "model_ema.decay", "model_ema.diffusion_modelconv"]
    company += ["denoiser.sigmas", "betas", "alphas_cumprod_prev", "sqrt_recipm1_alphas_cumprod", "posterior_variance"]
    company += ["first_stage_model.loss.logvar", "conditioner.embedders.1.model.attn_mask", LOGIT_SCALE, POSITION_IDS]
    strangers = ["cond_stage_model.logvar", "v_prediction", "model.diffusion_model.input_blocks.4.1.motion.weight"]
    strangers += ["first_stage_model.decoder.up.9.block.0.conv1.weight", "conditioner.embedders.1.model.ln_pre.weight"]
    assert strangers_in(dict.fromkeys([*company, *strangers], (1,))) == strangers


def test_packed_tensors_need_all_their_parts():
    q, k, v = (f"text_model.encoder.layers.0.self_attn.{part}_proj.weight" for part in "qkv")
    with pytest.raises(SourceError, match=f"{v}: missing"):
        to_single_file("text_encoder_2", {q: (2, 2), k: (2, 2)})
    with pytest.raises(SourceError, match=r"k_proj.weight: \[3, 2\]"):
        to_single_file("text_encoder_2", {q: (2, 2), k: (3, 2), v: (2, 2)})


@pytest.mark.parametrize(
    ("key", "shape", "message"),
    [
        ("conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight", (7, 2), "three equal parts"),
        ("conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_bias", (), "three equal parts"),
        ("first_stage_model.encoder.mid.attn_1.q.weight", (4, 4, 3, 3), "1x1 convolution"),
    ],
)
def test_shapes_that_cannot_be_taken_apart(key, shape, message):
    with pytest.raises(SourceError, match=message):
        from_single_file({key: shape})


def test_two_keys_for_one_tensor_are_refused():
    keys = ["conditioner.embedders.0.transformer.text_model.final_layer_norm.bias"]
    keys.append(keys[0].replace("text_model.", ""))
    with pytest.raises(SourceError, match="both the tensor text_model.final_layer_norm.bias"):
        from_single_file(dict.fromkeys(keys, (4,)))


@settings(max_examples=60)
@given(data=st.data())
def test_what_is_written_is_read_back(canonical, data):
    """With modules torn out at random, a component is either refused or written without losing a tensor."""
    part = data.draw(st.sampled_from(sorted(canonical)))
    tensors = shapes(canonical[part])
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(tensors)))
        torn = ".".join(name.split(".")[: data.draw(st.integers(2, 5))])
        tensors = {name: shape for name, shape in tensors.items() if not f"{name}.".startswith(f"{torn}.")} or tensors
    try:
        written = to_single_file(part, tensors)
    except SourceError:
        return
    found = from_single_file({item.key: item.shape for item in written})
    assert {name: piece.shape for name, piece in found[part].items()} == tensors
