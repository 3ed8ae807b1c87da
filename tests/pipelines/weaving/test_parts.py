"""What is used is what must fit: lenders of a part alone, hosts without weight, broken parts that nobody takes."""

import json

import pytest
import torch
from safetensors.torch import load_file

from pipelines.checkpoints.sources import open_source
from pipelines.errors import RecipeError, SourceError
from pipelines.exporting.export import export_file, export_folder
from pipelines.recipes.recipe import blend, parse_recipe
from pipelines.weaving.plan import Plan
from tests.file_forms import CLIP_L, UNET, VAE, forms_place, part_of, put, whole
from tests.full_keys import small_sdxl

FIRST = f"{UNET}input_blocks.0.0.weight"
NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    parent = tmp_path_factory.mktemp("small")
    return {name: small_sdxl(parent / name, seed) for seed, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def stored(folders):
    return {name: whole(folder) for name, folder in folders.items()}


@pytest.fixture
def place(folders, tmp_path):
    return forms_place(tmp_path, folders["one"])


def rows(*weights):
    return {"attention": list(weights), "backbone": list(weights)}


def planned(sources, weights, host):
    return Plan(blend(sources, rows(*weights), host=host), {source.name: source for source in sources})


def test_a_vae_alone_lends_its_vae(folders, stored, place, tmp_path):
    alone = open_source(put(place / "fix.safetensors", part_of(folders["three"], "vae")))
    sources = [open_source(folders["one"]), open_source(folders["two"]), alone]
    plan = planned(sources, (0.5, 0.5, 0), {"default": "one", "vae": "fix"})
    assert set(plan.recipe.sources[2].sha256) == {"vae"}
    assert parse_recipe(plan.recipe.to_json()) == plan.recipe
    written = load_file(export_file(plan, tmp_path / "out.safetensors"))
    for key, tensor in written.items():
        if key.startswith(VAE):
            assert torch.equal(tensor, stored["three"][key]), key
        elif key.startswith(UNET):
            mean = 0.5 * stored["one"][key].float() + 0.5 * stored["two"][key].float()
            assert torch.equal(tensor, mean.half()), key
        elif key.startswith(CLIP_L):
            assert torch.equal(tensor, stored["one"][key]), key
    with pytest.raises(SourceError, match=r"fix has no unet\. Expected a checkpoint with a UNet; .* --host vae=fix"):
        planned(sources, (0.5, 0, 0.5), {"default": "one", "vae": "fix"})
    with pytest.raises(RecipeError, match=r"The host fix has no text_encoder\..*--host text_encoder=one"):
        planned(sources, (0.5, 0.5, 0), {"default": "one", "text_encoder": "fix"}).size()


@pytest.mark.parametrize("as_file", [True, False])
def test_a_host_without_weight_may_predict_something_else(stored, place, as_file, tmp_path):
    """Two v-predictors with an epsilon model's text encoders: the result predicts v, on the merged ones' schedule."""
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    sources = [open_source(put(place / f"{name}.safetensors", stored[name] | marks)) for name in ("one", "two")]
    sources.append(open_source(put(place / "three.safetensors", stored["three"])))
    plan = planned(sources, (0.25, 0.75, 0), {"default": "three"})
    assert str(plan.architecture).endswith("(v-prediction, zero terminal SNR)")
    out = tmp_path / ("out.safetensors" if as_file else "out")
    (export_file if as_file else export_folder)(plan, out)
    written = open_source(out)
    assert written.config("scheduler")["prediction_type"] == "v_prediction"
    assert written.config("scheduler")["rescale_betas_zero_snr"]
    with pytest.raises(SourceError, match="Expected one prediction type, found v-prediction and epsilon"):
        planned(sources, (0.25, 0.5, 0.25), {"default": "three"})


@pytest.mark.parametrize("broken", ["NaN", "a dtype that is not read"])
def test_a_broken_part_that_nobody_takes_is_no_hindrance(stored, place, folders, broken):
    key = f"{VAE}decoder.conv_out.bias"
    bad = torch.full((3,), float("nan"), dtype=torch.float16) if broken == "NaN" else torch.zeros(3, dtype=torch.uint8)
    sources = [open_source(put(place / "bad.safetensors", stored["one"] | {key: bad})), open_source(folders["two"])]
    plan = planned(sources, (0.5, 0.5), {"default": "bad", "vae": "two"})
    assert plan.size() > 0
    assert set(plan.recipe.sources[0].sha256) == {"unet", "text_encoder", "text_encoder_2"}
    with pytest.raises((SourceError, RecipeError), match="holds NaN" if broken == "NaN" else "stored as U8"):
        planned(sources, (0.5, 0.5), {"default": "bad"}).size()


@pytest.fixture
def inpainting(stored, place):
    """`one` as an inpainting model, whose first convolution reads five more channels."""
    torch.manual_seed(5)
    more = torch.randn(stored["one"][FIRST].shape[0], 5, 3, 3).half()
    return open_source(
        put(place / "inpaint.safetensors", stored["one"] | {FIRST: torch.cat([stored["one"][FIRST], more], dim=1)})
    )


@pytest.mark.parametrize("weights", [(1, 1, -1), (1, 0.3, -0.3), (0.5, 0.25, 0.25)])
def test_a_difference_is_added_to_an_inpainting_model(inpainting, folders, stored, weights, tmp_path):
    """Inpaint + mine - base: the first four channels get the difference, and the others stay the inpainting model's."""
    sources = [inpainting, open_source(folders["two"]), open_source(folders["three"])]
    assert str(inpainting.architecture).endswith(" inpaint")
    plan = planned(sources, weights, {"default": "inpaint"})
    written = load_file(export_file(plan, tmp_path / "out.safetensors"))
    wide = inpainting.components["unet"].read("conv_in.weight")
    a, b, c = (torch.tensor(weight, dtype=torch.float32) for weight in weights)
    for key in (key for key in written if key.startswith(UNET)):
        first = wide[:, :4] if key == FIRST else stored["one"][key]
        summed = a * first.float() + b * stored["two"][key].float() + c * stored["three"][key].float()
        assert torch.equal(written[key][:, :4] if key == FIRST else written[key], summed.half()), key
    assert torch.equal(written[FIRST][:, 4:], wide[:, 4:])
    index = export_folder(plan, tmp_path / "out")
    assert json.loads((index / "model_index.json").read_text())["_class_name"] == "StableDiffusionXLInpaintPipeline"
    assert json.loads((index / "unet" / "config.json").read_text())["in_channels"] == 9
    assert not open_source(index).shortfalls


def test_an_inpainting_model_must_be_the_host(inpainting, folders):
    sources = [open_source(folders["two"]), inpainting]
    with pytest.raises(
        SourceError,
        match=r"inpaint is SDXL.* inpaint.*Expected the one that edits pictures as the host.*--host inpaint",
    ):
        planned(sources, (0.5, 0.5), {"default": "two"})
