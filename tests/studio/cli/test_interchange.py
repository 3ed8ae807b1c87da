"""`m2n2 recipe import` and `export --mergekit`: in and out again, and what is woven once is a source like any other."""

import json

import pytest
import yaml
from safetensors import safe_open

from pipelines.checkpoints.sources import open_source
from pipelines.recipes.recipe import load_recipe
from tests.full_keys import small_sdxl, small_single_file


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for seed, name in enumerate(("base", "anime", "photo")):
        small_single_file(small_sdxl(folder / name, seed), folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def written(files, tmp_path):
    def write(text):
        path = tmp_path / "merge.yaml"
        path.write_text(text.replace("@", f"{files}/"))
        return path

    return write


def test_in_and_out_again(m2n2, written, tmp_path):
    merge = written(
        "merge_method: linear\nmodels:\n- model: '@anime.safetensors'\n"
        "  parameters: {weight: [{filter: attn1, value: 0.2}, {value: 0.5}]}\n"
        "- model: '@photo.safetensors'\n  parameters: {weight: [{filter: attn1, value: 0.8}, {value: 0.5}]}\n"
        "tokenizer_source: base\n"
    )
    done = m2n2("recipe", "import", merge, "--out", tmp_path / "recipe.json")
    assert done.returncode == 0, done.stderr
    assert "tokenizer_source change nothing here" in done.stderr
    assert "vae is not merged" in done.stderr
    done = m2n2("recipe", "export", tmp_path / "recipe.json", "--mergekit", "--out", tmp_path / "out.yaml")
    assert done.returncode == 0, done.stderr
    done = m2n2("recipe", "import", tmp_path / "out.yaml", "--out", tmp_path / "again.json")
    assert done.returncode == 0, done.stderr
    one, two = (load_recipe(tmp_path / name) for name in ("recipe.json", "again.json"))
    assert one.sources == two.sources
    for part, chromosome in one.chromosomes.items():
        assert [segment.stop for segment in chromosome.segments] == [
            segment.stop for segment in two.chromosomes[part].segments
        ]


def test_what_is_no_weighted_sum_is_woven_once(m2n2, written, tmp_path):
    """Two documents: TIES becomes a file of its own, and what is made of that is a recipe over it."""
    merge = written(
        "name: tied\nmerge_method: ties\nbase_model: '@base.safetensors'\n"
        "models: [{model: '@anime.safetensors'}, {model: '@photo.safetensors'}]\n"
        "parameters: {weight: 1, density: 0.5}\n"
        "---\nmerge_method: linear\nmodels: [{model: tied}, {model: '@base.safetensors'}]\nparameters: {weight: 0.5}\n"
    )
    out = tmp_path / "recipe.json"
    done = m2n2("recipe", "import", merge, "--out", out, "--seed", "3")
    assert done.returncode == 0, done.stderr
    made = tmp_path / "recipe-tied.safetensors"
    assert f"ties was woven to {made}" in done.stderr
    recipe = load_recipe(out)
    assert {one.name: one.sha256["unet"] for one in recipe.sources}["recipe-tied"] == open_source(made).components[
        "unet"
    ].sha256
    with safe_open(made, "pt") as file:
        metadata = file.metadata()
    kept = metadata["m2n2_mergekit"]
    assert str(tmp_path) not in kept
    assert "seed 3" in kept
    assert yaml.safe_load(kept)["models"] == [{"model": "anime.safetensors"}, {"model": "photo.safetensors"}]
    assert (made.with_suffix(".about") / "merge.yaml").read_text() == kept
    assert json.loads(metadata["sd_merge_recipe"])["interp_method"] == "ties"
    assert "m2n2_recipe" not in metadata
    done = m2n2("merge", out, "--out", tmp_path / "merged")
    assert done.returncode == 0, done.stderr
    assert "woven" not in done.stderr
    again = m2n2("recipe", "import", merge, "--out", out)
    assert "exists already" in again.stderr


def test_another_program_than_mergekit_is_not_known(m2n2, tmp_path):
    done = m2n2("recipe", "export", tmp_path / "recipe.json", "--out", tmp_path / "out.yaml")
    assert done.returncode == 2
    assert "expected --mergekit" in " ".join(done.stderr.replace("│", " ").split())


def test_a_fault_in_the_yaml_is_one_line(m2n2, written, tmp_path):
    done = m2n2(
        "recipe", "import", written("merge_method: nearswap\nmodels: [{model: a}]\n"), "--out", tmp_path / "x.json"
    )
    assert done.returncode == 1
    assert "at merge_method: found 'nearswap'. Expected one of linear, slerp" in done.stderr
