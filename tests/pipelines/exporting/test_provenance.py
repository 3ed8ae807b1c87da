"""Where a merge comes from: the hashes its sources are known by, their ancestors, and what may leave this machine."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipelines.checkpoints.sources import Source, open_source
from pipelines.errors import RecipeError
from pipelines.exporting.export import export_file, export_folder
from pipelines.exporting.metadata import single_file_metadata
from pipelines.exporting.provenance import (
    HEADER_LIMIT,
    ancestry_tables,
    contributing_sources,
    embedded_recipe,
    file_sha256,
    portable_uri,
    source_origins,
)
from pipelines.recipes.recipe import blend, load_recipe
from pipelines.weaving.plan import Plan
from tests.full_keys import small_single_file


def even(*sources):
    weights = [1 / len(sources)] * len(sources)
    recipe = blend(sources, {"attention": weights, "backbone": weights}, host={"default": sources[0].name})
    return Plan(recipe, {source.name: source for source in sources})


@pytest.fixture
def lying(copied):
    """Gives an embedded source as a single file that lies in its own folder."""

    def lying(name, **metadata):
        folder = copied(name)
        return small_single_file(folder, folder / f"{name}.safetensors", buffers=False, **metadata)

    return lying


def test_a_file_is_hashed_once(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(bytes(range(256)) * 20_000)
    told = []
    assert file_sha256(path, told.append) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told[-1] == 256 * 20_000
    assert file_sha256(path, pytest.fail) == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(b"another")
    assert file_sha256(path) == hashlib.sha256(b"another").hexdigest()


def test_ancestors_add_up_over_files(lying, family, tmp_path):
    files = {name: open_source(lying(name)) for name in ("ja", "flat")}
    first = even(*files.values())
    child = export_file(
        first, files["ja"].path.with_name("child.safetensors"), metadata=single_file_metadata(first, title="child")
    )
    second = even(open_source(child), family["real"])
    merged, models = ancestry_tables(second, "grandchild")
    hashes = {name: hashlib.sha256(source.path.read_bytes()).hexdigest() for name, source in files.items()}
    hashes["child"] = hashlib.sha256(child.read_bytes()).hexdigest()
    content = files["ja"].path.read_bytes()
    legacy = hashlib.sha256(content[0x100000 : 0x100000 + 0x10000]).hexdigest()[:8]
    assert models[hashes["ja"]] == {"name": "ja.safetensors", "legacy_hash": legacy, "sd_merge_recipe": None}
    assert models[hashes["child"]]["name"] == "child.safetensors"
    assert models[hashes["child"]]["sd_merge_recipe"]["models"] == [hashes["ja"], hashes["flat"]]
    real = family["real"].components["unet"].sha256
    assert set(models) == {*hashes.values(), real}
    assert merged["models"] == [hashes["child"], real]


def test_ancestors_add_up_over_folders(family, tmp_path):
    first = even(family["ja"], family["flat"])
    folder = export_folder(first, tmp_path / "child")
    source = open_source(folder)
    _, models = ancestry_tables(even(source, family["real"]), "grandchild")
    hashes = [one.components["unet"].sha256 for one in (source, family["ja"], family["flat"], family["real"])]
    assert set(models) == set(hashes)
    assert models[hashes[0]]["sd_merge_recipe"]["models"] == hashes[1:3]
    (folder / "recipe.json").write_text("{")
    _, models = ancestry_tables(even(source, family["real"]), "grandchild")
    assert set(models) == {hashes[0], hashes[3]}
    with pytest.raises(RecipeError, match="is not JSON"):
        embedded_recipe(folder)


@pytest.mark.parametrize("text", ["{", "[]", "3", '{"a": 1}', "[" * 50_000, ""])
def test_a_header_that_anybody_wrote_does_no_harm(lying, text):
    source = open_source(lying("ja", sd_merge_models=text, sd_merge_recipe=text))
    _, models = ancestry_tables(even(source), "x")
    assert list(models) == [file_sha256(source.path)]


def test_too_many_ancestors_are_left_out(lying):
    old = {f"{number:064x}": {"name": "x" * 100, "legacy_hash": None} for number in range(HEADER_LIMIT // 200)}
    source = open_source(lying("ja", sd_merge_models=json.dumps(old), sd_merge_recipe='{"type": "webui"}'))
    _, models = ancestry_tables(even(source), "x")
    assert models == {
        file_sha256(source.path): {
            "name": "ja.safetensors",
            "legacy_hash": models[file_sha256(source.path)]["legacy_hash"],
            "sd_merge_recipe": None,
        }
    }


def test_used_names_those_with_weights_then_those_who_lend(family, one_hot):
    assert contributing_sources(one_hot["flat"]) == ["flat", "ja"]
    assert contributing_sources(one_hot["ja"]) == ["ja"]


def test_what_a_source_is_made_of(family, tmp_path):
    contents = family["ja"].contents
    lora = tmp_path / "loras" / "line.safetensors"
    lora.parent.mkdir()
    save_file({"x": torch.zeros(1)}, lora, metadata={"modelspec.license": "CC-BY-NC-4.0"})
    folder = Path(family["ja"].path)

    (base,) = source_origins(family["ja"])
    assert (base.name, base.repo, base.home, base.licence) == ("ja", None, folder, "apache-2.0")
    (base,) = source_origins(Source(folder, "ja", contents, uri="owner/ja@main"))
    assert (base.repo, base.home) == ("owner/ja", folder)
    (base,) = source_origins(
        Source(folder / "unet" / "a.safetensors", "a", contents, uri="owner/ja/unet/a.safetensors")
    )
    assert (base.repo, base.home, base.licence) == ("owner/ja", folder, "apache-2.0")

    both = Source(folder, "ja", contents, uri=f"{folder} + 0.8 * {lora}")
    base, added = source_origins(both)
    assert (base.name, base.home) == ("ja", folder)
    assert (added.name, added.path, added.home, added.licence) == ("line", lora, None, "CC-BY-NC-4.0")
    assert portable_uri(both) == "ja + 0.8 * line.safetensors"


def test_hub_ids_stay_and_paths_go(family, monkeypatch, tmp_path):
    contents, folder = family["ja"].contents, family["ja"].path
    assert portable_uri(family["ja"]) == "ja"
    assert portable_uri(Source(folder, "x", contents, uri="owner/name@main")) == "owner/name@main"
    uri = f"owner/name + -0.5 * {folder}/line.safetensors"
    assert portable_uri(Source(folder, "x", contents, uri=uri)) == "owner/name + -0.5 * line.safetensors"
    monkeypatch.chdir(folder.parent.parent)
    assert portable_uri(open_source("family/ja")) == "ja"  # reads like a hub id, and is a path
    folder = export_folder(even(Source(folder, "x", contents, uri="owner/name")), tmp_path / "out")
    assert load_recipe(folder / "recipe.json").sources[0].uri == "owner/name"
