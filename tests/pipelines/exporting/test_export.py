"""Export: a folder or a file that other programs open, whole or not at all."""

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipelines.architectures.keys import canonical_name
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.checkpoints.sources import open_source
from pipelines.errors import DiskError, ExportError, RecipeError
from pipelines.exporting.export import TENSOR_HASH_KEY, export_file, export_folder
from pipelines.exporting.places import noted_uris
from pipelines.exporting.provenance import portable_recipe
from pipelines.recipes.recipe import blend, load_recipe
from pipelines.weaving.plan import Plan
from tests.conftest import python

COMPONENTS = {"unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"}


def test_the_folder_is_complete_and_holds_its_recipe(family, one_hot, tmp_path):
    told = []
    folder = export_folder(
        Plan(one_hot["flat"], family),
        tmp_path / "out",
        documents={"a/b.txt": b"text"},
        progress=lambda *now: told.append(now),
    )
    assert {path.name for path in folder.iterdir()} == COMPONENTS | {
        "model_index.json",
        "recipe.json",
        "SHA256SUMS",
        "a",
    }
    assert load_recipe(folder / "recipe.json") == portable_recipe(Plan(one_hot["flat"], family))
    assert (folder / "a" / "b.txt").read_bytes() == b"text"
    assert told[-1] == 2 * (Plan(one_hot["flat"], family).size(),)
    assert sorted(told) == told
    woven = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(
        torch.equal(woven[name], tensor)
        for name, tensor in load_file(family["flat"].components["unet"].files[0].path).items()
    )


def test_lent_components_are_the_lenders(family, one_hot, tmp_path):
    recipe = one_hot["flat"].model_copy(update={"host": {"default": "ja", "scheduler": "real", "vae": "base"}})
    folder = export_folder(Plan(recipe, family), tmp_path / "out")
    for part, lender in (("text_encoder", "ja"), ("tokenizer_2", "ja"), ("scheduler", "real"), ("vae", "base")):
        for file in (family[lender].path / part).iterdir():
            copy = folder / part / file.name
            if file.suffix == ".safetensors":
                ours, theirs = load_file(copy), load_file(file)
                named = {canonical_name(part, key): tensor for key, tensor in theirs.items()}
                assert ours.keys() == named.keys()
                assert all(torch.equal(ours[key], tensor) for key, tensor in named.items())
            elif file.suffix == ".json":
                assert json.loads(copy.read_text()) == json.loads(file.read_text())
            else:
                assert copy.read_bytes() == file.read_bytes()


def test_another_precision(family, one_hot, tmp_path):
    folder = export_folder(Plan(one_hot["ja"], family, dtype=torch.float32), tmp_path / "out")
    woven = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in woven.values()} == {torch.float32}


def test_refuses_a_folder_in_use(family, one_hot, tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(ExportError, match="exists already"):
        export_folder(Plan(one_hot["ja"], family), tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep me"


@pytest.fixture(params=["out", "out.safetensors"])
def write(request, tmp_path):
    """Export to a folder, then to a single file with documents; the target is new."""

    def write(plan, **options):
        name, export = request.param, export_folder
        if name.endswith(".safetensors"):
            export, options = export_file, {"documents": {}, "metadata": {TENSOR_HASH_KEY: ""}} | options
        return export(plan, tmp_path / name, **options)

    return write


def test_refuses_a_disk_that_is_too_small(family, one_hot, tmp_path, monkeypatch, write):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 5, 5))
    with pytest.raises(DiskError, match=r"needs 0\.08 GB, the disk of .* has 0\.00 GB free"):
        write(Plan(one_hot["ja"], family))
    assert list(tmp_path.iterdir()) == []


FILLS_UP = """
import resource, sys
from pipelines.errors import ExportError
from pipelines.exporting.export import export_file, export_folder
from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.weaving.plan import Plan
from studio.library.model_reference import open_model
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # the kernel refuses to write on, as a full disk does
recipe, sources = open_model(sys.argv[1])
for export, target in ((export_folder, "out"), (export_file, "out.safetensors")):
    try:
        export(Plan(recipe, sources), f"{sys.argv[2]}/{target}", documents={})
    except ExportError as error:
        print(error)
"""


def test_a_disk_that_fills_up_leaves_nothing_behind(family, tmp_path):
    done = python("-c", FILLS_UP, family["ja"].path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("could not be written: File too large. Nothing was left behind") == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_cancel_leaves_nothing_behind(family, one_hot, tmp_path, write, share):
    def cancel(done, total):
        if done >= share * total:  # while a file is written; late enough, while it is hashed
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(Plan(one_hot["ja"], family), progress=cancel)
    assert list(tmp_path.iterdir()) == []


def test_what_fails_after_the_weights_leaves_nothing_behind(family, one_hot, tmp_path, write):
    plan = Plan(one_hot["ja"], family)
    with pytest.raises(ExportError, match="would lie outside of"):
        write(plan, documents={"licences/../../stolen": b""})

    def fails(checkpoint):
        assert checkpoint.exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(plan, documents=fails)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_hash_is_refused_before_anything_is_written(family, one_hot, tmp_path):
    named = one_hot["ja"].sources[0].model_copy(update={"sha256": {"unet": "0" * 64}})
    wrong = one_hot["ja"].model_copy(update={"sources": (named, *one_hot["ja"].sources[1:])})
    with pytest.raises(RecipeError, match="not the weights it was made from"):
        export_folder(Plan(wrong, family), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_blend_of_one_source(family, tmp_path):
    alone = blend([family["real"]], {"attention": [1.0], "backbone": [1.0]}, host={"default": "real"})
    folder = export_folder(Plan(alone, {"real": family["real"]}), tmp_path / "out")
    assert (
        load_file(folder / "unet" / "diffusion_pytorch_model.safetensors").keys()
        == family["real"].components["unet"].tensors.keys()
    )


def test_refuses_a_file_in_use_or_of_another_kind(family, one_hot, tmp_path):
    plan = Plan(one_hot["ja"], family)
    (tmp_path / "mine.safetensors").write_text("keep me")
    (tmp_path / "other.about").mkdir()
    for name in ("mine", "other"):
        with pytest.raises(ExportError, match=f"{name}.* exists already"):
            export_file(plan, tmp_path / f"{name}.safetensors", documents={})
    with pytest.raises(ExportError, match="Expected one that ends in .safetensors"):
        export_file(plan, tmp_path / "mine.ckpt")
    assert (tmp_path / "mine.safetensors").read_text() == "keep me"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.safetensors", "other.about"}


def test_a_target_that_appears_meanwhile_is_not_overwritten(family, one_hot, tmp_path):
    path = tmp_path / "out.safetensors"
    with pytest.raises(ExportError, match="exists already"):
        export_file(Plan(one_hot["ja"], family), path, progress=lambda *_: path.write_text("keep me"))
    assert path.read_text() == "keep me"
    assert list(tmp_path.iterdir()) == [path]


def test_file_and_documents_come_together_or_not_at_all(family, one_hot, tmp_path, monkeypatch):
    replace = os.replace

    def fails_for_documents(made, target):
        if Path(target).suffix == ".about":
            raise PermissionError(1, "Operation not permitted")
        replace(made, target)

    monkeypatch.setattr(os, "replace", fails_for_documents)
    with pytest.raises(ExportError, match="Operation not permitted. Nothing was left behind"):
        export_file(Plan(one_hot["ja"], family), tmp_path / "out.safetensors", documents={})
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_in_an_export_names_no_folder_and_this_machine_finds_its_sources(family, tmp_path, monkeypatch):
    monkeypatch.chdir(family["ja"].path.parent)
    source = open_source("ja")
    plan = Plan(blend([source], {"attention": [1], "backbone": [1]}, host={"default": "ja"}), {"ja": source})
    folder = export_folder(plan, tmp_path / "out")
    (named,) = load_recipe(folder / "recipe.json").sources
    assert named.uri == "ja"
    assert noted_uris(named)[0] == str(family["ja"].path)
    assert noted_uris(named.model_copy(update={"sha256": {"unet": "0" * 64}})) == []
    assert noted_uris(named.model_copy(update={"sha256": {}})) == []
    recipe = plan.recipe.model_copy(update={"sources": (plan.recipe.sources[0].model_copy(update={"uri": "./ja"}),)})
    folder = export_folder(Plan(recipe, {"ja": open_source_uri("./ja")}), tmp_path / "again")
    (named,) = load_recipe(folder / "recipe.json").sources
    assert named.uri == "ja"
    assert noted_uris(named)[0] == str(family["ja"].path)
