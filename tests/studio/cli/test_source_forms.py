"""Layouts that people reported, from the command line: what is said, what is refused before a byte is written."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from pipelines.checkpoints.sources import open_source
from pipelines.recipes.recipe import load_recipe
from tests.file_forms import CLIP_G, VAE, forms_place, part_of, put, whole
from tests.full_keys import small_sdxl


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    parent = tmp_path_factory.mktemp("small")
    return small_sdxl(parent / "one", 1), small_sdxl(parent / "two", 2)


@pytest.fixture(scope="module")
def place(folders, tmp_path_factory):
    """Single files beside the configurations of the first checkpoint."""
    place = forms_place(tmp_path_factory.mktemp("place"), folders[0])
    one, two = map(whole, folders)
    put(place / "a.safetensors", one)
    put(place / "b.safetensors", two)
    put(place / "torn.safetensors", {k: t for k, t in one.items() if not k.startswith(f"{VAE}decoder.")})
    put(place / "clipped.safetensors", {k: t for k, t in two.items() if f"{CLIP_G}transformer.resblocks.31." not in k})
    strange = {"some.new.weight": torch.zeros(3), "ip_adapter.1.to_k_ip.weight": torch.zeros(2, 2)}
    put(place / "strange.safetensors", two | strange)
    put(place / "fix.safetensors", part_of(folders[1], "vae"))
    return place


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("torn", "The host torn has a VAE (vae) that is not whole: 138 of 248 tensors are missing, of decoder (138)."),
        ("clipped", "The host clipped has a CLIP-G (text_encoder_2) that is not whole: 16 of 517 tensors are missing"),
    ],
)
def test_a_blend_of_what_is_not_whole_is_refused_with_who_could_lend(m2n2, place, tmp_path, host, words):
    sources = [place / f"{name}.safetensors" for name in (host, "b")]
    done = m2n2("recipe", "blend", *sources, "--out", tmp_path / "x.json")
    assert done.returncode == 1
    assert words in done.stderr
    part = "vae" if host == "torn" else "text_encoder_2"
    assert f"--host {part}=b" in done.stderr
    assert not (tmp_path / "x.json").exists()
    done = m2n2("recipe", "blend", *sources, "--host", f"{part}=b", "--out", tmp_path / "x.json")
    assert done.returncode == 0, done.stderr
    assert load_recipe(tmp_path / "x.json").host == {"default": host, part: "b"}
    recipe = json.loads((tmp_path / "x.json").read_text())
    (tmp_path / "y.json").write_text(json.dumps({**recipe, "host": {"default": host}}))
    done = m2n2("merge", tmp_path / "y.json", "--out", tmp_path / "y.safetensors")
    assert done.returncode == 1
    assert "is not whole" in done.stderr
    assert not list(tmp_path.glob("*y.safetensors*"))


def test_inspect_says_what_is_missing_once_it_has_said_what_there_is(m2n2, place):
    done = m2n2("sources", "inspect", place / "torn.safetensors")
    assert done.returncode == 1
    assert "A checkpoint that is not whole, as a single file: UNet, CLIP-L, CLIP-G, VAE." in done.stdout
    assert "138 of 248 tensors are missing, of decoder (138)" in done.stderr
    done, about = m2n2("sources", "inspect", place / "torn.safetensors", "--json", json_output=True)
    assert done.returncode == 1
    assert set(about["problems"]) == {"vae"}
    done, about = m2n2("sources", "inspect", place / "a.safetensors", "--json", json_output=True)
    assert (done.returncode, about["problems"], about["strange_keys"]) == (0, {}, [])


def test_a_part_alone_says_what_it_is_for(m2n2, place):
    done = m2n2("sources", "inspect", place / "fix.safetensors")
    assert done.returncode == 0, done.stderr
    assert "A part alone, as a single file: VAE." in done.stdout
    done = m2n2("recipe", "blend", place / "a.safetensors", place / "fix.safetensors", "--out", place / "no.json")
    assert done.returncode == 1
    assert "fix has no unet. Expected a checkpoint with a UNet; it may lend what it has: --host vae=fix" in done.stderr


def test_strange_keys_are_counted_and_named(m2n2, place, tmp_path):
    words = "strange: 2 keys belong to nothing that is known and are left out ("
    done = m2n2("sources", "inspect", place / "strange.safetensors")
    assert words in done.stderr
    assert "some.new.weight" in done.stderr
    done = m2n2("recipe", "blend", place / "a.safetensors", place / "strange.safetensors", "--out", tmp_path / "x.json")
    assert words in done.stderr
    done, written = m2n2("merge", tmp_path / "x.json", "--out", tmp_path / "x.safetensors", "--json", json_output=True)
    assert [warning for warning in written["warnings"] if words in warning]


def test_hosts_for_parts_are_files_of_their_own(m2n2, place, folders, tmp_path):
    """A VAE alone, the second text encoder of a folder, and two sources of one file name beside a third."""
    (tmp_path / "other").mkdir()
    shutil.copytree(place, tmp_path / "other", dirs_exist_ok=True)
    fix, two = place / "fix.safetensors", folders[1]
    sources = [place / "a.safetensors", f"a2 = {tmp_path / 'other' / 'a.safetensors'}", place / "b.safetensors"]
    hosts = ["--host", "a2", "--host", f"vae={fix}", "--host", f"text_encoder_2={two}"]
    done = m2n2("recipe", "blend", *sources, *hosts, "--weights", "0.5,0.25,0.25", "--out", tmp_path / "x.json")
    assert done.returncode == 0, done.stderr
    recipe = load_recipe(tmp_path / "x.json")
    assert [source.name for source in recipe.sources] == ["a", "a2", "b", "fix", "two"]
    assert recipe.host == {"default": "a2", "vae": "fix", "text_encoder_2": "two"}
    assert recipe.shares["backbone"] == {"a": 0.5, "a2": 0.25, "b": 0.25, "fix": 0.0, "two": 0.0}
    done = m2n2("merge", tmp_path / "x.json", "--out", tmp_path / "out.safetensors")
    assert done.returncode == 0, done.stderr
    written, first, second = load_file(tmp_path / "out.safetensors"), *map(whole, folders)
    for key, tensor in written.items():
        if key.startswith((VAE, CLIP_G)) and "logit_scale" not in key:
            assert torch.equal(tensor, second[key]), key
        elif key.startswith("conditioner.embedders.0") and "position_ids" not in key:
            assert torch.equal(tensor, first[key]), key
    for wrong in (["--host", "vae=nobody"], ["--host", "vae=a", "--host", "vae=b"]):
        done = m2n2("recipe", "blend", *sources, *wrong, "--out", tmp_path / "y.json")
        assert done.returncode == 2, done.stderr


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["as it is saved", "with the mark of an editor"])
def test_a_folder_of_sources_and_recipe_can_be_moved(m2n2, place, tmp_path, mark):
    here = shutil.copytree(place, tmp_path / "here")
    sources = [here / "a.safetensors", f"{here / 'b.safetensors'}"]
    done = m2n2("recipe", "blend", *sources, "--host", f"vae={here / 'fix.safetensors'}", "--out", here / "x.json")
    assert done.returncode == 0, done.stderr
    assert [one.uri for one in load_recipe(here / "x.json").sources] == [
        "a.safetensors",
        "b.safetensors",
        "fix.safetensors",
    ]
    (here / "x.json").write_bytes(mark + (here / "x.json").read_bytes())
    there = here.rename(tmp_path / "there")
    done = m2n2("merge", there / "x.json", "--out", tmp_path / "out.safetensors")
    assert done.returncode == 0, done.stderr
    done = m2n2("recipe", "pin", there / "x.json", "--out", tmp_path / "pinned.json")
    assert done.returncode == 0, done.stderr
    assert load_recipe(tmp_path / "pinned.json").sources[0].uri == "there/a.safetensors"
    carried = open_source(tmp_path / "out.safetensors").contents.metadata["m2n2_recipe"]
    assert [one["uri"] for one in json.loads(carried)["sources"]] == [
        "a.safetensors",
        "b.safetensors",
        "fix.safetensors",
    ]
