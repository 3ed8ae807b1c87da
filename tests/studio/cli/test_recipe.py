"""Recipes from the command line: blended, pinned, merged to a single file, opened again."""

import json

import pytest

import assets
from pipelines.checkpoints.sources import open_source
from pipelines.recipes.pinning import pin
from pipelines.recipes.recipe import load_recipe, parse_recipe

JA, REAL = (assets.FAMILY / name for name in ("ja", "real"))


@pytest.fixture
def blended(m2n2, tmp_path):
    path = tmp_path / "half.json"
    done = m2n2("recipe", "blend", JA, REAL, "--weights", "0.7,0.3", "--attention", "0.4,0.6", "--out", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(path)
    return path


def test_blend_writes_the_weights_it_was_given(blended):
    recipe = load_recipe(blended)
    assert recipe.shares["attention"] == pytest.approx({"ja": 0.4, "real": 0.6})
    assert recipe.shares["backbone"] == pytest.approx({"ja": 0.7, "real": 0.3})
    assert recipe.host == {"default": "ja"}


def test_a_blend_becomes_a_single_file_that_says_what_it_is(m2n2, blended, tmp_path):
    done = m2n2("merge", blended, "--out", tmp_path / "half.safetensors")
    assert done.returncode == 0, done.stderr
    done, about = m2n2("sources", "inspect", tmp_path / "half.safetensors", "--json", json_output=True)
    carried = parse_recipe(json.dumps(about["recipe"]))
    assert carried.digest == load_recipe(blended).digest
    assert about["architecture"] == str(open_source(JA).architecture)
    done = m2n2("sources", "inspect", tmp_path / "half.safetensors")
    assert "carries the recipe it was made by, of ja, real" in done.stdout


def test_pin_fills_in_what_a_hand_written_recipe_leaves_out(m2n2, blended, tmp_path, family):
    content = json.loads(blended.read_text("utf-8"))
    for source in content["sources"]:
        del source["sha256"]
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps(content))
    assert "lacks the sha256 of unet" in m2n2("merge", bare, "--out", tmp_path / "no").stderr
    done = m2n2("recipe", "pin", bare, "--out", tmp_path / "pinned.json")
    assert done.returncode == 0, done.stderr
    assert load_recipe(tmp_path / "pinned.json").digest == load_recipe(blended).digest
    assert pin(load_recipe(bare, unpinned=True), family).digest == load_recipe(blended).digest


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--weights", "0.7"], "expected 2 numbers with commas"),
        (["--weights", "a,b"], "expected 2 numbers with commas"),
        (["--host", "nobody"], "expected one of the sources, ja, real"),
    ],
)
def test_refuses_weights_that_do_not_fit(m2n2, tmp_path, options, expected):
    done = m2n2("recipe", "blend", JA, REAL, *options, "--out", tmp_path / "x.json")
    assert done.returncode == 2
    assert expected in " ".join(done.stderr.replace("│", " ").split())


def test_a_run_says_what_it_needs_before_it_starts(m2n2, tmp_path):
    out = tmp_path / "run"
    done, found = m2n2("evolve", "--preset", "embedded", "--preflight", "--out", out, "--json", json_output=True)
    assert not out.exists()
    assert found["refusals"] == []
    assert 0 < found["needs"]["memory"] < found["available"]["memory"]
    assert found["pictures"] > 200 * 65
    done = m2n2("evolve", "--preset", "embedded", "--preflight", "--pictures", "final", "--out", out)
    assert "memory: " in done.stdout
    assert "counted from operations" in done.stdout
