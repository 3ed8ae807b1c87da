"""Every form in and every form out: the same weights have the same hashes, whatever they came in and go out as."""

import pytest

from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.checkpoints.sources import open_source
from pipelines.exporting.export import export_file, export_folder
from pipelines.recipes.recipe import blend
from pipelines.weaving.plan import Plan
from tests.file_forms import PARTS, WHOLE, forms_place
from tests.full_keys import small_sdxl

ROWS = {"attention": [1.0], "backbone": [1.0]}
WRITTEN = {
    "a folder",
    "fp16 shards, the older index",
    "a single file",
    "CLIP-G's projection as a layer",
    "ComfyUI's inner names",
    "with strange keys",
    "a pickle of dictionaries",
    "a pickle of parts",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_sdxl(tmp_path_factory.mktemp("small") / "folder", seed=1)


@pytest.fixture(scope="module")
def hashes(folder):
    """Those of the folder, which is what decides: its files are read as they are."""
    return {part: component.sha256 for part, component in open_source(folder).components.items()}


@pytest.mark.parametrize("form", WHOLE)
def test_every_form_in(form, folder, hashes, tmp_path):
    source = open_source_uri(WHOLE[form](forms_place(tmp_path, folder), folder))
    assert {part: component.sha256 for part, component in source.components.items()} == hashes
    assert not source.shortfalls
    assert bool(source.strange_keys) == (form == "with strange keys")


@pytest.mark.parametrize("form", [form for form in WHOLE if form in WRITTEN])
def test_the_conversion_matrix(form, folder, hashes, tmp_path):
    """One form of each reader: the others differ from these in names of keys or files alone, which are read above."""
    source = open_source_uri(WHOLE[form](forms_place(tmp_path, folder), folder), name="one")
    plan = Plan(blend([source], ROWS, host={"default": "one"}), {"one": source})
    for out in (export_folder(plan, tmp_path / "out"), export_file(plan, tmp_path / "out.safetensors")):
        written = open_source(out)
        assert {part: component.sha256 for part, component in written.components.items()} == hashes, out
        assert not written.shortfalls
        assert written.strange_keys == ()


@pytest.mark.parametrize(("part", "form"), PARTS)
def test_a_part_alone_in_every_form(part, form, folder, hashes, tmp_path):
    source = open_source_uri(PARTS[part, form](forms_place(tmp_path, folder), folder))
    assert set(source.components) == {part}
    assert source.components[part].sha256 == hashes[part]
    assert source.problem(part) is None
    assert source.strange_keys == ()
