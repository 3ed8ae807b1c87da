"""A merge shipped as a LoRA: what goes along, what is said of its error, and what the commands refuse."""

import json

import pytest

import assets
from pipelines.checkpoints.adapted import applied_adapters
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.exporting.lora_export import LORA_KEY
from pipelines.recipes.recipe import parse_recipe
from pipelines.storage.tensor_file import TensorFile
from studio.exporting.registry import list_exports

JA, REAL = (assets.FAMILY / name for name in ("ja", "real"))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    from pipelines.checkpoints.sources import open_source
    from pipelines.recipes.recipe import blend

    path = tmp_path_factory.mktemp("recipe") / "half.json"
    sources = [open_source(JA), open_source(REAL)]
    blend(sources, {"attention": [0.5, 0.5], "backbone": [0.5, 0.5]}, host={"default": "ja"}).save(path)
    return path


def test_a_recipe_becomes_a_lora_of_its_base(m2n2, recipe, tmp_path):
    path = tmp_path / "half.safetensors"
    options = ("--as", "lora", "--base", JA, "--rank", "8", "--out", path)
    _, written = m2n2("merge", recipe, *options, "--json", json_output=True)
    error = written["errors"]["unet"]
    assert 0 < error["out_of_reach"] < error["relative_error"] < 1
    assert written["base"] == "ja"
    whole = (JA / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size
    assert written["bytes"] == path.stat().st_size < whole
    assert list_exports(tmp_path) == []  # it is not what its recipe rebuilds
    percent = f"{error['relative_error']:.1%}"
    assert any(f"the LoRA misses {percent} of the difference" in warning for warning in written["warnings"])
    metadata = TensorFile(path).metadata
    assert metadata["modelspec.architecture"].endswith("/lora")
    assert metadata["modelspec.license"] == written["licence"]
    assert json.loads(metadata[LORA_KEY])["relative_error"]["unet"] == error["relative_error"]
    about = path.with_suffix(".about")
    readme = (about / "README.md").read_text("utf-8")
    assert f"| unet | {error['layers']} | {percent} |" in readme
    assert "Put on `ja` at strength 1" in readme
    assert parse_recipe((about / "merge-recipe.json").read_text("utf-8")).shares["attention"] == {
        "ja": 0.5,
        "real": 0.5,
    }
    assert {"LICENSE.md", "licences"} <= {file.name for file in about.iterdir()}
    (applied,) = applied_adapters(open_source_uri(f"{JA} + 1 * {path}").components.values())
    assert applied.adapter.kinds == {"LoRA": error["layers"]}


def test_an_individual_becomes_a_lora_too(m2n2, bred, tmp_path):
    done = m2n2("export", bred.folder, "0001", "--as", "lora", "--base", JA, "--out", tmp_path / "one.safetensors")
    assert done.returncode == 0, done.stderr
    assert "note: unet: the LoRA misses" in done.stderr
    assert json.loads(TensorFile(tmp_path / "one.safetensors").metadata[LORA_KEY])["rank"] == 32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--as", "lora"), "expected --base SOURCE"),
        (("--rank", "8"), "--rank and --base are of a LoRA"),
        (("--as", "lora", "--base", "x", "--push", "a/b"), "--push uploads checkpoints"),
        (("--as", "lora", "--base", "nothing"), "There is nothing at"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message, m2n2, recipe, tmp_path):
    done = m2n2("merge", recipe, "--out", tmp_path / "x.safetensors", *options)
    assert done.returncode != 0
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert not list(tmp_path.iterdir())
