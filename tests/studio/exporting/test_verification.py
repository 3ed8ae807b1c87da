"""An export beside its recipe: the same bits, or the names of those that are not."""

import json

import pytest
from safetensors.torch import load_file, save_file

import assets
from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError, RecipeError, SourceError
from pipelines.exporting.verify import stored_hashes, woven_hashes
from pipelines.storage.tensor_file import TensorFile
from pipelines.weaving.plan import Plan
from studio.exporting.export_plan import plan_export
from studio.exporting.registry import open_export
from studio.exporting.verification import verify_export, verify_hashes

PARTS = {"unet", "text_encoder", "text_encoder_2", "vae"}


def damage(path, key, position=0):
    """Change one value of one tensor, as a failing disk would, but with a header that still holds."""
    metadata, tensors = dict(TensorFile(path).metadata), load_file(path)
    tensors[key] = tensors[key].clone()
    tensors[key].view(-1)[position] += 1
    save_file(tensors, path, metadata=metadata or None)


def test_an_export_is_what_its_recipe_gives(either):
    told = []
    found = verify_export(either, lambda *now: told.append(now))
    assert found.same
    assert set(found.expected) == PARTS
    assert found.expected["unet"] == open_source(either.path).components["unet"].sha256
    assert told[-1][0] == told[-1][1] > 0


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_precision_is_that_of_the_export(bred, tmp_path, precision):
    export = open_export(plan_export(bred, "0001", tmp_path / "out", precision=precision).write().path)
    assert verify_export(export).same
    assert export.certificate.scores == {}  # those of the run are of other weights: the first measurement stands in


def test_the_tensor_that_was_changed_is_named(own_copy):
    if own_copy.path.is_dir():
        file = own_copy.path / "unet" / "diffusion_pytorch_model.safetensors"
        damage(file, "conv_in.weight", 3)
    else:
        damage(own_copy.path, "model.diffusion_model.input_blocks.0.0.weight", 3)
    found = verify_export(own_copy)
    assert not found.same
    assert found.differing == ("unet/conv_in.weight",)
    assert [part for part in PARTS if found.expected[part] != found.found[part]] == ["unet"]


def test_a_configuration_that_was_edited_is_named(own_copy):
    config = own_copy.documents / ("" if own_copy.path.is_dir() else "config") / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text("utf-8").replace("0.012", "0.013"), "utf-8")
    found = verify_export(own_copy)
    assert found.configs == ("scheduler/scheduler_config.json",)
    assert found.expected == found.found
    assert not found.same


def test_hashes_are_known_without_writing(bred, exported, family):
    recipe = bred.individual("0001").recipe
    stored = open_source(exported / "momiji")
    known = woven_hashes(Plan(recipe, family))
    assert known == stored_hashes(stored) == {part: stored.components[part].sha256 for part in PARTS}


def test_sources_that_are_not_the_ones_are_refused(own_copy):
    path = own_copy.documents / "recipe.json"
    content = json.loads(path.read_text("utf-8"))
    content["sources"][0]["sha256"]["unet"] = "0" * 64
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(SourceError, match="There is nothing at"):  # weights of these hashes were never here
        verify_export(open_export(own_copy.path))
    name = content["sources"][0]["name"]
    (own_copy.documents / content["sources"][0]["uri"]).symlink_to(assets.FAMILY / name)
    with pytest.raises(RecipeError, match="not the weights it was made from"):
        verify_export(open_export(own_copy.path))


def test_hashes_that_cannot_be_read_are_refused(either, tmp_path):
    (tmp_path / "hashes.json").write_text("[]")
    with pytest.raises(ExportError, match="Expected the hashes"):
        verify_hashes(either, tmp_path / "hashes.json")


def test_what_is_no_export_is_refused(tmp_path):
    with pytest.raises(ExportError, match="no export of the studio"):
        open_export(tmp_path)


def test_the_command_says_so_and_ends_with_an_error(m2n2, own_copy):
    done, told = m2n2("verify", own_copy.path, "--json", json_output=True)
    assert (done.returncode, told["same"]) == (0, True)
    assert "same bytes" in m2n2("verify", own_copy.path).stdout
    if own_copy.path.is_dir():
        damage(own_copy.path / "vae" / "diffusion_pytorch_model.safetensors", "encoder.conv_in.bias")
    else:
        damage(own_copy.path, "first_stage_model.encoder.conv_in.bias")
    done = m2n2("verify", own_copy.path)
    assert done.returncode == 1
    assert "differs: vae/encoder.conv_in.bias" in done.stderr
