"""Whether a component is whole: what is missing is named, and what is used is what must be whole."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.checkpoints.completeness import describe_places
from pipelines.checkpoints.sources import open_source
from pipelines.errors import RecipeError, SourceError
from pipelines.recipes.mergeable import check_mergeable, text_encoder_conflict
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from tests.file_forms import CLIP_G, CLIP_L, PROJECTION, UNET, VAE, forms_place, put, whole
from tests.full_keys import FILES, small_sdxl

HALVES = {"attention": [0.5, 0.5], "backbone": [0.5, 0.5]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_sdxl(tmp_path_factory.mktemp("small") / "folder", seed=1)


@pytest.fixture(scope="module")
def stored(folder):
    return whole(folder)


@pytest.fixture(scope="module")
def place(folder, tmp_path_factory):
    return forms_place(tmp_path_factory.mktemp("place"), folder)


@pytest.mark.parametrize(
    ("part", "lost", "count", "words"),
    [
        (
            "text_encoder",
            f"{CLIP_L}text_model.encoder.layers.11.",
            16,
            r"CLIP-L .* 16 of 196 tensors .* layer 11 \(16\)",
        ),
        ("text_encoder_2", f"{CLIP_G}transformer.resblocks.31.", 16, r"CLIP-G .* 16 of 517 tensors .* layer 31 \(16\)"),
        ("text_encoder_2", f"{CLIP_G}transformer.resblocks.5.", 16, r"of layer 5 \(16\)"),
        ("text_encoder_2", PROJECTION, 1, r"1 of 517 tensors are missing, of projection \(1\)"),
        ("vae", f"{VAE}decoder.", 138, r"VAE .* 138 of 248 tensors are missing, of decoder \(138\)"),
        ("vae", f"{VAE}decoder.up.3.", 26, r"of decoder \(26\)"),
        ("vae", f"{VAE}post_quant_conv.", 2, r"of post_quant_conv \(2\)"),
        ("unet", f"{UNET}out.2.", 2, r"UNet .* 2 of 1680 tensors are missing, of last convolution \(2\)"),
        ("unet", f"{UNET}input_blocks.4.0.", 12, r"of down block 1 \(12\)"),
        ("unet", f"{UNET}middle_block.1.transformer_blocks.9.", 20, r"of middle block \(20\)"),
    ],
)
def test_what_is_missing_is_named(stored, place, part, lost, count, words):
    torn = {key: tensor for key, tensor in stored.items() if not key.startswith(lost)}
    source = open_source(put(place / "torn.safetensors", torn))
    assert set(source.shortfalls) == {part}
    assert len(source.shortfalls[part].missing) == count
    with pytest.raises(SourceError, match=words):
        source.require(part)
    assert not source.lends(part)


def test_what_is_missing_is_named_without_a_configuration(stored, tmp_path):
    """SDXL's is taken then, with the widths of the weights: what is there is whole, and what is not is missing."""
    assert open_source(put(tmp_path / "whole.safetensors", stored)).shortfalls == {}
    gone = (f"{CLIP_G}transformer.resblocks.31.", f"{VAE}decoder.", f"{UNET}middle_block.1.transformer_blocks.9.")
    torn = {key: tensor for key, tensor in stored.items() if not key.startswith(gone)}
    found = open_source(put(tmp_path / "torn.safetensors", torn)).shortfalls
    assert {part: len(short.missing) for part, short in found.items()} == {"unet": 20, "text_encoder_2": 16, "vae": 138}
    assert not any(short.misshapen for short in found.values())


def test_places_are_counted_and_the_rest_is_summed_up():
    names = [f"text_model.encoder.layers.{layer}.{kind}" for layer in range(6) for kind in ("weight", "bias")]
    assert describe_places(names) == "layer 0 (2), layer 1 (2), layer 2 (2), layer 3 (2), 2 other places (4)"


def test_an_incomplete_part_is_refused_where_it_is_used_and_only_there(stored, place, folder):
    torn = {key: tensor for key, tensor in stored.items() if not key.startswith(f"{VAE}decoder.")}
    sources = [open_source(folder, name="whole"), open_source(put(place / "torn.safetensors", torn), name="torn")]
    check_mergeable(sources)
    assert text_encoder_conflict(sources) is None
    by_name = {source.name: source for source in sources}
    Plan(blend(sources, HALVES, host={"default": "whole"}), by_name).size()
    recipe = blend(sources, HALVES, host={"default": "torn"})
    with pytest.raises(
        RecipeError, match=r'The host torn has a VAE .*decoder \(138\).*such as \{"vae": "whole"\}.*--host vae=whole'
    ):
        Plan(recipe, by_name).size()
    Plan(recipe.model_copy(update={"host": {"default": "torn", "vae": "whole"}}), by_name).size()


def test_an_incomplete_unet_or_text_encoder_is_not_merged(stored, place, folder):
    for name, lost in (("unet", f"{UNET}out.2."), ("clip", f"{CLIP_G}transformer.resblocks.31.")):
        torn = {key: tensor for key, tensor in stored.items() if not key.startswith(lost)}
        put(place / f"{name}.safetensors", torn)
    whole_one, unet, clip = (
        open_source(folder),
        *(open_source(place / f"{one}.safetensors") for one in ("unet", "clip")),
    )
    with pytest.raises(
        SourceError, match=r"unet has a UNet .* last convolution \(2\)\. Expected a whole UNet to merge"
    ):
        check_mergeable([whole_one, unet])
    assert "clip has a CLIP-G (text_encoder_2) that is not whole" in text_encoder_conflict([whole_one, clip])
    recipe = blend([whole_one, clip], {**HALVES, "text_encoder": [0.5, 0.5]}, host={"default": "folder"})
    Plan(recipe, {"folder": whole_one, "clip": clip}).size()
    both = {**HALVES, "text_encoder_2": [0.5, 0.5]}
    recipe = blend([whole_one, clip], both, host={"default": "folder"})
    with pytest.raises(SourceError, match="clip has a CLIP-G"):
        Plan(recipe, {"folder": whole_one, "clip": clip})


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("unet", "block_out_channels", [16, 24, 48]),
        ("unet", "transformer_layers_per_block", [1, 2, 12]),
        ("vae", "layers_per_block", 3),
        ("text_encoder_2", "num_hidden_layers", 33),
    ],
)
def test_a_configuration_of_a_larger_network_is_found_out(folder, tmp_path, part, key, value):
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / part / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    source = open_source(copy)
    assert set(source.shortfalls) == {part}
    assert "not whole" in source.problem(part) or "not what its configuration says" in source.problem(part)
    with pytest.raises((SourceError, RecipeError), match="copy has a "):
        Plan(blend([source], {"attention": [1], "backbone": [1]}, host={"default": "copy"}), {"copy": source}).size()


def test_another_shape_is_named_with_both(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "vae" / FILES["vae"]
    tensors = load_file(path)
    save_file(tensors | {"decoder.conv_out.bias": torch.zeros(4)}, path)
    assert open_source(copy).problem("vae") == (
        "has a VAE (vae) that is not what its configuration says: tensor decoder.conv_out.bias has shape [4], its "
        "configuration asks for [3]"
    )


def test_strange_keys_of_a_folder_are_named_too(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "unet" / FILES["unet"]
    save_file(load_file(path) | {"motion_modules.0.weight": torch.zeros(2)}, path)
    assert open_source(copy).strange_keys == ("motion_modules.0.weight",)


def test_a_stray_number_moves_no_layer(stored, place, folder):
    """A key far beyond the others is somebody else's: those that are numbered from the end stay where they are."""
    stray = {
        f"{VAE}decoder.up.9.block.0.conv1.weight": torch.zeros(2),
        f"{CLIP_G}transformer.resblocks.99.ln_1.bias": torch.zeros(2),
    }
    source = open_source(put(place / "stray.safetensors", stored | stray))
    assert set(source.strange_keys) == set(stray)
    expected = open_source(folder).components
    assert {part: one.sha256 for part, one in source.components.items()} == {
        p: one.sha256 for p, one in expected.items()
    }
