"""Export: whole or not at all."""

import shutil
from collections import namedtuple

import pytest
import torch
from safetensors.torch import load_file

from pipelines.errors import ExportError, RecipeError
from pipelines.export import export_folder
from pipelines.recipe import blend, load_recipe
from tests.conftest import python

COMPONENTS = {"unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"}


def test_the_folder_is_complete_and_holds_its_recipe(family, one_hot, tmp_path):
    told = []
    folder = export_folder(
        one_hot["flat"],
        family,
        tmp_path / "out",
        documents={"a/b.txt": b"text"},
        progress=lambda *now: told.append(now),
    )
    assert {path.name for path in folder.iterdir()} == COMPONENTS | {"model_index.json", "recipe.json", "a"}
    assert load_recipe(folder / "recipe.json") == one_hot["flat"]
    assert (folder / "a" / "b.txt").read_bytes() == b"text"
    done, total = told[-1]
    assert 0.99 * total < done < 1.05 * total  # headers come on top of tensors
    assert sorted(told) == told
    woven = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(
        torch.equal(woven[name], tensor)
        for name, tensor in load_file(family["flat"].components["unet"].files[0]).items()
    )


def test_lent_components_are_copied_byte_for_byte(family, one_hot, tmp_path):
    recipe = one_hot["flat"].model_copy(update={"host": {"default": "ja", "scheduler": "real", "vae": "base"}})
    folder = export_folder(recipe, family, tmp_path / "out")
    for part, lender in (("text_encoder", "ja"), ("tokenizer_2", "ja"), ("scheduler", "real"), ("vae", "base")):
        for file in (family[lender].path / part).iterdir():
            assert (folder / part / file.name).read_bytes() == file.read_bytes()


def test_another_precision(family, one_hot, tmp_path):
    folder = export_folder(one_hot["ja"], family, tmp_path / "out", dtype=torch.float32)
    woven = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in woven.values()} == {torch.float32}


def test_refuses_a_folder_in_use(family, one_hot, tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(ExportError, match="exists already"):
        export_folder(one_hot["ja"], family, tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep me"


def test_refuses_a_disk_that_is_too_small(family, one_hot, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 5, 5))
    with pytest.raises(ExportError, match="has 0.00 GB free; the checkpoint needs"):
        export_folder(one_hot["ja"], family, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


FILLS_UP = """
import resource, sys
from pipelines.errors import ExportError
from pipelines.export import export_folder
from studio.models import open_model
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # the kernel refuses to write on, as a full disk does
recipe, sources = open_model(sys.argv[1])
try:
    export_folder(recipe, sources, sys.argv[2])
except ExportError as error:
    print(error)
"""


def test_a_disk_that_fills_up_leaves_nothing_behind(family, tmp_path):
    done = python("-c", FILLS_UP, family["ja"].path, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "could not be written: File too large. Nothing was left behind" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_cancel_leaves_nothing_behind(family, one_hot, tmp_path):
    def cancel(_done, _total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_folder(one_hot["ja"], family, tmp_path / "out", progress=cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_hash_is_refused_before_anything_is_written(family, one_hot, tmp_path):
    named = one_hot["ja"].sources[0].model_copy(update={"sha256": {"unet": "0" * 64}})
    wrong = one_hot["ja"].model_copy(update={"sources": (named, *one_hot["ja"].sources[1:])})
    with pytest.raises(RecipeError, match="not the weights it was made from"):
        export_folder(wrong, family, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_blend_of_one_source(family, tmp_path):
    alone = blend([family["real"]], {"attention": [1.0], "backbone": [1.0]}, host={"default": "real"})
    folder = export_folder(alone, {"real": family["real"]}, tmp_path / "out")
    assert (
        load_file(folder / "unet" / "diffusion_pytorch_model.safetensors").keys()
        == family["real"].components["unet"].tensors.keys()
    )
