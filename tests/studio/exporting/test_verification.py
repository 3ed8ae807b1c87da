"""An export beside its recipe: the same bits, or the names of those that are not."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

import assets
from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError, RecipeError, SourceError
from pipelines.exporting.manifest import MANIFEST_FILE
from pipelines.exporting.verify import stored_hashes, woven_hashes
from pipelines.storage.tensor_file import TensorFile
from pipelines.weaving.plan import Plan
from studio.exporting.export_plan import plan_export, plan_recipe_export
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


PAPERS = ["README.md", "LICENSE.md", "licences/ja/LICENSE", "birth.json", "samples"]


@pytest.mark.parametrize("paper", PAPERS)
def test_papers_are_what_they_were_when_the_export_was_written(own_copy, paper):
    file = own_copy.documents / paper
    file = min(file.iterdir()) if file.is_dir() else file
    file.write_bytes(file.read_bytes() + b" ")
    found = verify_export(own_copy)
    assert found.files.changed == (file.relative_to(own_copy.documents).as_posix(),)
    assert (found.expected, found.differing, found.configs, found.header) == (found.found, (), (), ())
    assert not found.same


def test_the_recipe_is_the_one_that_it_was_written_with(own_copy):
    path = own_copy.documents / "recipe.json"
    content = json.loads(path.read_text("utf-8"))
    content["lineage"]["seed"] = 8  # decides no weight
    path.write_text(json.dumps(content), "utf-8")
    found = verify_export(open_export(own_copy.path))
    assert found.files.changed == ("recipe.json",)
    assert found.sentences("en") == ["differs: recipe.json"]


def test_files_that_are_gone_or_were_added_are_named(own_copy):
    (own_copy.documents / "LICENSE.md").unlink()
    (own_copy.documents / "more.bin").touch()
    found = verify_export(own_copy)
    assert found.differences == [("missing", "LICENSE.md"), ("unexpected", "more.bin")]


def rewrite_header(path, **changes):
    """Change entries of a file's metadata; its tensors stay, byte for byte."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] |= changes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


@pytest.mark.parametrize("older", [False, True])
def test_a_header_is_what_it_was(exported, tmp_path, older):
    place = tmp_path / "momiji.safetensors"
    shutil.copyfile(exported / place.name, place)
    shutil.copytree(exported / "momiji.about", tmp_path / "momiji.about")
    export = open_export(place)
    rewrite_header(place, **{"modelspec.title": "another"})
    assert verify_export(export).differences == [("changed", "../momiji.safetensors")]
    metadata = TensorFile(place).metadata
    recipe = json.loads(metadata["m2n2_recipe"])
    recipe["chromosomes"]["attention"]["segments"][0]["weights"][0] += 0.5
    rewrite_header(place, **{"modelspec.hash_sha256": "0x" + 64 * "0", "m2n2_recipe": json.dumps(recipe)})
    if older:
        (export.documents / MANIFEST_FILE).unlink()
    found = verify_export(open_export(place))
    assert found.header == ("modelspec.hash_sha256", "m2n2_recipe")
    assert (found.expected, found.unchecked) == (found.found, ("files", "sources") if older else ("sources",))
    assert not found.same


def test_an_export_without_a_manifest_is_verified_as_before_and_says_what_it_lacks(own_copy, m2n2):
    (own_copy.documents / MANIFEST_FILE).unlink()
    (own_copy.documents / "README.md").write_text("another card")
    found = verify_export(own_copy)
    assert (found.same, found.files, found.unchecked) == (True, None, ("files", "sources"))
    done = m2n2("verify", own_copy.path)
    assert done.returncode == 0
    assert "Not checked: card, licences, recipe and other papers" in " ".join(done.stderr.split())


def test_a_source_that_changed_behind_the_cache_is_found_by_reading_it(family, one_hot, copied, tmp_path, monkeypatch):
    """Same size, same times, another byte: as a failing disk leaves it, and as no stamp of a file tells."""
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path / "cache"))  # for no other test is to find this copy
    ja = open_source(copied("ja"))
    sources = {**family, "ja": ja}
    export = open_export(plan_recipe_export(one_hot["flat"], sources, tmp_path / "out").write().path)
    assert verify_export(export, deep=True).sources == ()
    weights = ja.path / "vae" / "diffusion_pytorch_model.safetensors"
    known = ja.components["vae"].sha256
    damage(weights, "encoder.conv_in.bias")
    unchanged = open_source(ja.path).components["vae"]._hash_entry
    unchanged.write_text(known)  # as the cache has it where nothing but the bytes is another
    assert verify_export(open_export(export.path)).differing == ("vae/encoder.conv_in.bias",)  # the export is blamed
    found = verify_export(open_export(export.path), deep=True)
    assert found.sources == ("ja/vae",)
    assert ("source", "ja/vae") in found.differences


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
    assert (told["files"]["changed"], told["files"]["checked"] > 20, told["unchecked"]) == ([], True, ["sources"])
    assert "same bytes" in m2n2("verify", own_copy.path).stdout
    if own_copy.path.is_dir():
        damage(own_copy.path / "vae" / "diffusion_pytorch_model.safetensors", "encoder.conv_in.bias")
    else:
        damage(own_copy.path, "first_stage_model.encoder.conv_in.bias")
    done = m2n2("verify", own_copy.path)
    assert done.returncode == 1
    assert "differs: vae/encoder.conv_in.bias" in done.stderr
