"""Who lends what: by the name of a source, or by the place of a checkpoint that only lends."""

import os

import pytest

from pipelines.checkpoints.sources import open_source
from pipelines.recipes.lenders import first_unlent, named_host, part_by_part, placed_host, without_lenders


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with two sources, a file and a folder that lend; relative places start there."""
    for name in ("one", "two.v2", "whole"):
        (tmp_path / name).mkdir()
    (tmp_path / "fix.safetensors").touch()
    monkeypatch.chdir(os.sep)
    return tmp_path


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("one", "one"),
        ("two.v2", "two.v2"),
        ("./one", "one"),
        ("{here}/two.v2", "two.v2"),
        ("fix.safetensors", "{here}/fix.safetensors"),
        ("whole", "{here}/whole"),
        ("gone/fix.ckpt", "{here}/gone/fix.ckpt"),
        ("gone.safetensors", "{here}/gone.safetensors"),
        ("mend = fix.safetensors", "mend = {here}/fix.safetensors"),
        ("owner/name", "owner/name"),
        ("nobody", "nobody"),
    ],
)
def test_a_source_is_called_by_its_name_and_a_lender_by_its_whole_place(place, written, expected):
    sources = ["one", str(place / "two.v2")]
    placed = placed_host({"vae": written.format(here=place)}, sources, place)
    assert placed == {"vae": expected.format(here=place)}
    assert placed_host(placed, [str(place / "one"), sources[1]], place / "elsewhere") == placed


def test_a_recipe_has_names_and_what_is_merged_never_comes_from_a_lender(place):
    fix, whole = f"{place}/fix.safetensors", f"{place}/whole"
    assert named_host({"default": "one", "vae": fix}, first="one", merged=["unet"]) == {"default": "one", "vae": "fix"}
    lent = named_host({"default": whole, "vae": f"mend = {fix}"}, first=f"{place}/one", merged=["unet"])
    assert lent == {"default": "whole", "unet": "one", "vae": "mend"}
    encoders = ["unet", "text_encoder", "text_encoder_2"]
    lent = named_host({"default": whole, "text_encoder": "two.v2"}, first="one", merged=encoders)
    assert lent == {
        "default": "whole",
        **dict.fromkeys(["unet", "text_encoder_2", "tokenizer", "tokenizer_2"], "one"),
        "text_encoder": "two.v2",
    }


def test_a_group_is_its_parts_and_a_part_by_itself_goes_before_it():
    four = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
    assert part_by_part({"default": "one", "text_encoders": "two"}) == {"default": "one", **dict.fromkeys(four, "two")}
    host = {"text_encoder_2": "three", "default": "one", "text_encoders": "two"}
    assert part_by_part(host) == {"default": "one", **dict.fromkeys(four, "two"), "text_encoder_2": "three"}
    assert list(part_by_part({"vae": "two", "default": "one"})) == ["vae", "default"]


def test_what_only_lends_is_left_out_by_name(place):
    sources = {"one": 1, "whole": 2, "mend": 3}
    host = {"default": "one", "vae": f"mend = {place}/fix.safetensors", "scheduler": f"{place}/whole"}
    assert without_lenders(sources, host) == {"one": 1}
    assert without_lenders(sources, {"default": "one"}) == sources


def test_the_first_part_that_cannot_be_lent_is_named(family):
    assert first_unlent({"default": "ja"}, family) is None
    sources = {**family, "alone": open_source(family["ja"].path / "unet", name="alone")}
    assert first_unlent({"default": "ja", "vae": "alone"}, sources) == ("vae", "The host alone has no vae.")
