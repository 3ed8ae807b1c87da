"""Origins: everything a person may write for a source opens, from anywhere, under the name one would expect."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import assets
from pipelines.checkpoints.source_expression import parse_source
from pipelines.checkpoints.source_uri import absolute_uri, is_at_hand, open_source_uri, operand_places
from pipelines.errors import SourceError
from pipelines.recipes.mergeable import check_mergeable
from tests.full_keys import small_sdxl, small_single_file, tensors_of


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a checkpoint in every form and two LoRAs."""
    folder = tmp_path_factory.mktemp("place")
    small_sdxl(folder / "whole", seed=0)
    single = small_single_file(folder / "whole", folder / "single.v2.safetensors", buffers=False)
    tensors = {}
    for part in tensors_of(folder / "whole").values():
        tensors |= part
    (folder / "linked").symlink_to(folder / "whole")
    rows, columns = tensors["mid_block.attentions.0.proj_in.weight"].shape
    for number, name in enumerate(("first", "second + third")):
        pair = {
            "lora_unet_middle_block_1_proj_in.lora_down.weight": torch.full((1, columns), 0.5 + number),
            "lora_unet_middle_block_1_proj_in.lora_up.weight": torch.ones(rows, 1),
        }
        save_file(pair, folder / f"{name}.safetensors")
        torch.save(pair, folder / f"{name}.pt")

    torch.save({"state_dict": load_file(single)}, folder / "old.ckpt")
    return folder


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("whole", "whole"),
        ("./whole/", "whole"),
        ("linked", "linked"),
        ("single.v2.safetensors", "single.v2"),
        ("old.ckpt", "old"),
    ],
)
def test_the_same_weights_in_every_form(text, name, place):
    source, expected = open_source_uri(text, relative_to=place), open_source_uri(place / "whole")
    assert source.name == name
    assert {part: one.sha256 for part, one in source.components.items()} == {
        part: one.sha256 for part, one in expected.components.items()
    }


def test_a_name_may_be_given(place):
    assert open_source_uri(place / "whole", name="mine").name == "mine"


@pytest.mark.parametrize("base", ["whole", "single.v2.safetensors", "old.ckpt"])
def test_loras_on_any_form(base, place):
    text = f"  {base}  +  0.50 * first.safetensors + -1e-1 * second + third.pt "
    source = open_source_uri(text, relative_to=place)
    assert source.name == "second + third"
    assert source.uri == f"{place / base} + 0.50 * {place}/first.safetensors + -1e-1 * {place}/second + third.pt"
    name = "mid_block.attentions.0.proj_in.weight"
    before = open_source_uri(place / base).components["unet"].read(name).float()
    after = torch.empty(before.numel())
    source.components["unet"].fill(name, 0, after)
    torch.testing.assert_close(after, (before + 0.5 * 0.5 - 0.1 * 1.5).reshape(-1), rtol=0, atol=1e-6)


def test_a_uri_opens_again_from_anywhere(place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    source = open_source_uri("whole + 0.5 * first.safetensors")
    monkeypatch.chdir(tmp_path)
    again = open_source_uri(source.uri)
    assert again.uri == source.uri
    assert again.components["unet"].sha256 == source.components["unet"].sha256


def test_paths_become_absolute_and_hub_ids_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "team" / "ja").mkdir(parents=True)
    for text, expected in {
        "ja": f"{tmp_path}/ja",
        "../up": f"{tmp_path.parent}/up",
        "~/models": f"{tmp_path}/home/models",
        "/there/x.safetensors": "/there/x.safetensors",
        "team/ja": f"{tmp_path}/team/ja",
        "team/other": "team/other",
        "team/other@v1/a.safetensors": "team/other@v1/a.safetensors",
        "team/a.safetensors": f"{tmp_path}/team/a.safetensors",
        "team/other + 1 * team/ja + .5 * x": f"team/other + 1 * {tmp_path}/team/ja + .5 * {tmp_path}/x",
    }.items():
        assert absolute_uri(text, tmp_path) == expected
        assert absolute_uri(expected) == expected
    assert absolute_uri("x") == os.path.join(os.getcwd(), "x")


def test_a_source_may_be_given_a_name_and_a_lora_two_strengths(place):
    half, whole = (
        open_source_uri(text, relative_to=place)
        for text in ("half = whole + 0.5 * first.safetensors", "whole + 1 * first.safetensors")
    )
    assert [half.name, whole.name] == ["half", "first"]
    assert half.uri == f"{place}/whole + 0.5 * {place}/first.safetensors"
    check_mergeable([half, whole])
    assert open_source_uri("half = whole", name="mine", relative_to=place).name == "mine"
    with pytest.raises(
        SourceError, match=r"Two sources are called 'first'.*write one as 'another name = first \.\.\.'"
    ):
        check_mergeable([whole, whole])


def test_a_file_that_exists_under_the_whole_text_wins(place):
    (place / "a = b + 0.5 * c").symlink_to(place / "whole")
    assert open_source_uri("a = b + 0.5 * c", relative_to=place).path == place / "a = b + 0.5 * c"
    assert open_source_uri("it = a = b + 0.5 * c", relative_to=place).name == "it"


@pytest.mark.parametrize("text", ["base + x.safetensors", "base+0.8*x", "0.8 * x", "nothing"])
def test_says_what_is_understood(text, tmp_path):
    with pytest.raises(
        SourceError, match=r"There is nothing at .*\. Expected a diffusers folder, .*BASE \+ 0\.8 \* LORA"
    ):
        open_source_uri(text, relative_to=tmp_path)


@pytest.mark.parametrize("text", ["base + 0.8 *  + 0.5 * x", "base + 1e999 * x"])
def test_refuses_half_a_term(text, tmp_path):
    with pytest.raises(SourceError, match=r"cannot be read at '.*'\. Expected a diffusers folder"):
        open_source_uri(text, relative_to=tmp_path)


def test_refuses_nothing():
    with pytest.raises(SourceError, match="named by nothing"):
        open_source_uri("  ")


def test_refuses_a_folder_as_lora(tmp_path):
    base = assets.FAMILY / "base"
    save_file({"x": torch.zeros(1)}, tmp_path / "my_lora.safetensors")
    with pytest.raises(
        SourceError, match=r"is a folder\. Expected a LoRA file after '\*', such as .*my_lora\.safetensors"
    ):
        open_source_uri(f"{base} + 1 * {tmp_path}")


def test_refuses_a_lora_as_base_and_a_base_as_lora(place):
    with pytest.raises(SourceError, match="a LoRA goes with its base"):
        open_source_uri(place / "first.safetensors")
    with pytest.raises(SourceError, match="as a whole checkpoint or a UNet does"):
        open_source_uri("whole + 1 * single.v2.safetensors", relative_to=place)


def test_an_id_without_a_network(place, monkeypatch):
    """The words for it are the hub's; here only that a path wins over an id, and an id over nothing."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (place / "team").mkdir()
    with pytest.raises(SourceError, match="team/ja is no folder here"):
        open_source_uri("team/ja", relative_to=place)
    (place / "team" / "ja").symlink_to(place / "whole")
    assert open_source_uri("team/ja", relative_to=place).path == Path(place / "team" / "ja")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (str(assets.FAMILY / "ja"), True),
        ("nobody/has-this", False),
        (f"{assets.FAMILY / 'ja'} + 0.8 * nobody/has-this/lora.safetensors", False),
        ("/models/old.ckpt", False),
        ("/models/new.safetensors", True),
    ],
)
def test_tells_what_opens_without_a_download_or_a_conversion(uri, expected):
    assert is_at_hand(uri) is expected


def test_what_a_source_is_made_of_may_lie_elsewhere(place):
    names = ("whole", "first.safetensors", "second + third.safetensors")
    base, first, second = (place / name for name in names)
    uri = f"{base} + 0.5 unet * {first} - 2 * {second} as epsilon"
    assert [one.name for one in operand_places(uri)] == list(names)
    moved = parse_source(uri).moved_to(["/a", "/b", "/c"])
    assert moved.uri == "/a + 0.5 unet * /b + -2 * /c as epsilon"
    assert operand_places(str(second)) == (second,)
