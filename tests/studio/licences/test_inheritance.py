"""What a merge inherits: licences by whatever name, what they ask, and the texts that go along."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pipelines.checkpoints.sources import Source, open_source
from pipelines.exporting.provenance import Origin
from pipelines.recipes.recipe import blend
from studio.i18n import LANGUAGES, words
from studio.licences.catalogue import KNOWN_LICENCES
from studio.licences.inheritance import (
    InheritedLicence,
    all_terms,
    common_licence,
    has_licence_text,
    inherited_licences,
    joint_licence,
    licence_texts,
    licence_warnings,
)
from studio.licences.names import hub_name
from tests.full_keys import small_single_file


def entry(licence, name="x"):
    return InheritedLicence(
        name, Origin(name, Path("/nowhere/x.safetensors"), None, None, licence), licence, ("attention",)
    )


def merge(*sources):
    """The recipe of an even merge, and its sources by name."""
    weights = [1 / len(sources)] * len(sources)
    recipe = blend(sources, {"attention": weights, "backbone": weights}, host={"default": sources[0].name})
    return recipe, {source.name: source for source in sources}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Apache-2.0", "apache-2.0"),
        ("Apache License 2.0", "apache-2.0"),
        ("CreativeML Open RAIL++-M License", "openrail++"),  # in the header of SDXL 1.0 base
        ("openrail++", "openrail++"),
        ("CreativeML OpenRAIL-M", "creativeml-openrail-m"),
        ("Fair AI Public License 1.0-SD", "faipl-1.0-sd"),
        ("MIT License", "mit"),
        ("CC BY-NC 4.0", "cc-by-nc-4.0"),
        ("Our House Rules", "our-house-rules"),
    ],
)
def test_a_licence_has_many_spellings(written, name):
    assert hub_name(written) == name


@pytest.mark.parametrize("licence", KNOWN_LICENCES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_every_known_licence_asks_is_said_in_both_languages(licence, lang):
    assert entry(licence).duty(lang) == words(lang)[f"duty_{licence}"]


@pytest.mark.parametrize(
    ("licence", "warning"),
    [
        ("apache-2.0", None),
        ("openrail++", None),
        ("Apache-2.0 AND CC-BY-4.0", None),
        (None, "unknown"),
        ("our-house-rules", "unknown"),
        ("apache-2.0 AND unknown", "unknown"),
        ("cc-by-nc-4.0", "non_commercial"),
        ("flux-1-dev-non-commercial-license", "non_commercial"),
        ("openrail++-and-sai-nc-community", "non_commercial"),
        ("cc-by-nc-nd-4.0", "no_derivatives"),
    ],
)
def test_what_should_be_read_first_is_flagged(licence, warning):
    assert entry(licence).warning == warning
    said = licence_warnings([entry(licence, "桜")], "ja")
    assert said == ([f"桜: {words('ja')[f'warning_{warning}']}"] if warning else [])


def test_the_licence_of_the_whole():
    assert common_licence([entry("mit"), entry("MIT License")]) == "mit"
    assert common_licence([entry("mit"), entry("apache-2.0")]) == "other"
    assert common_licence([entry(None)]) == "other"
    assert common_licence([entry("faipl-1.0-sd")]) == "other"  # the hub knows no such id
    together = [entry("mit"), entry("mit AND openrail++"), entry(None)]
    assert all_terms(together) == ["mit", "openrail++", "unknown"]
    assert joint_licence(together) == "mit AND openrail++ AND unknown"
    assert entry(joint_licence(together)).terms == ("mit", "openrail++", "unknown")


def test_a_merge_inherits_what_its_weights_come_from(family, one_hot):
    entries = inherited_licences(one_hot["flat"], family)  # flat's weights under ja's text encoders
    assert [(one.name, one.licence) for one in entries] == [("ja", "apache-2.0"), ("flat", "cc-by-4.0")]
    assert entries[0].parts == ("text_encoder", "text_encoder_2", "vae", "tokenizer", "tokenizer_2", "scheduler")
    assert entries[1].parts == ("attention", "backbone")
    assert entries[1].duty("en") == "name the authors, link the licence, say that it was changed"
    assert common_licence(entries) == "other"
    assert common_licence(inherited_licences(one_hot["base"], family)) == "apache-2.0"


def test_a_licence_may_stand_in_the_recipe_alone(copied):
    folder = copied("ja", "bare")
    (folder / "README.md").unlink()
    recipe, sources = merge(open_source(folder))
    assert inherited_licences(recipe, sources)[0].warning == "unknown"
    named = recipe.model_copy(update={"sources": (recipe.sources[0].model_copy(update={"licence": "mit"}),)})
    assert inherited_licences(named, sources)[0].licence == "mit"


def test_a_lora_has_a_licence_of_its_own(family, tmp_path):
    lora = tmp_path / "line.safetensors"
    save_file({"x": torch.zeros(1)}, lora, metadata={"modelspec.license": "CC-BY-NC-4.0"})
    ja = family["ja"]
    both = Source(ja.path, "ja", ja.contents, uri=f"{ja.path} + 0.8 * {lora}")
    base, added = inherited_licences(*merge(both))
    assert (base.name, base.licence, base.warning) == ("ja", "apache-2.0", None)
    assert (added.name, added.licence, added.warning) == ("ja + line", "CC-BY-NC-4.0", "non_commercial")


def test_texts_of_folders_go_along(family, one_hot):
    entries = inherited_licences(one_hot["flat"], family)
    texts = licence_texts(entries)
    assert set(texts) == {
        "licences/ja/LICENSE",
        "licences/ja/README.md",
        "licences/flat/LICENSE",
        "licences/flat/README.md",
    }
    assert texts["licences/flat/LICENSE"] == (family["flat"].path / "LICENSE").read_bytes()
    assert all(map(has_licence_text, entries))


def test_of_a_shared_folder_only_what_bears_the_files_name(copied):
    folder = copied("ja")
    path = small_single_file(folder, folder / "mine.v2.safetensors", **{"modelspec.license": "mit"})
    recipe, sources = merge(open_source(path))
    entries = inherited_licences(recipe, sources)
    assert entries[0].licence == "mit"  # not that of the README beside it, which is another model's
    assert licence_texts(entries) == {}
    assert not has_licence_text(entries[0])
    (folder / "mine.v2.LICENSE.txt").write_text("mine")
    (folder / "mine.LICENSE").write_text("another's")
    (folder / "mine.v2.license.safetensors").write_bytes(bytes((1 << 20) + 1))
    assert licence_texts(entries) == {"licences/mine.v2/LICENSE.txt": b"mine"}


def test_texts_of_ancestors_are_passed_on(family, tmp_path):
    about = tmp_path / "child.about"
    shutil.copytree(family["flat"].path, about / "licences" / "flat", ignore=lambda *_: ["unet", "previews"])
    (about / "LICENSE.md").write_text("of the child")
    child = Origin("child", tmp_path / "child.safetensors", None, None, "cc-by-4.0")
    texts = licence_texts([replace(entry("cc-by-4.0", "child"), origin=child)])
    assert texts["licences/child/LICENSE.md"] == b"of the child"
    assert texts["licences/child/licences/flat/LICENSE"] == (family["flat"].path / "LICENSE").read_bytes()


@pytest.mark.parametrize("name", ["../../stolen", "/etc", "..", "a/b", ""])
def test_a_sources_name_stays_in_its_folder(family, name):
    told = licence_texts(
        [replace(entry("mit", name), origin=Origin(name, family["ja"].path, None, family["ja"].path, None))]
    )
    assert {path.split("/")[0] for path in told} == {"licences"}
    assert all(len(path.split("/")) == 3 and ".." not in path.split("/") for path in told)


def test_a_link_that_leads_out_of_a_source_is_not_followed(copied, tmp_path):
    others = tmp_path / "others"
    others.mkdir()
    (others / "LICENSE").write_text("mine")
    folder = copied("ja")
    (folder / "NOTICE").symlink_to(others / "LICENSE")
    (folder / "COPYING").symlink_to(folder / "LICENSE")
    (folder / "licences").symlink_to(others)
    path = small_single_file(copied("flat"), folder.parent / "flat" / "one.safetensors")
    path.with_name("one.LICENSE").symlink_to(others / "LICENSE")
    texts = licence_texts(inherited_licences(*merge(open_source(folder), open_source(path))))
    assert set(texts) == {"licences/ja/COPYING", "licences/ja/LICENSE", "licences/ja/README.md"}
    assert b"mine" not in texts.values()


def test_a_snapshot_of_the_hub_is_links_to_files_of_its_own(tmp_path):
    cache = tmp_path / "models--owner--name"
    snapshot = cache / "snapshots" / "0123"
    for folder in (cache / "blobs", snapshot):
        folder.mkdir(parents=True)
    (cache / "blobs" / "abc").write_text("terms")
    (snapshot / "LICENSE").symlink_to("../../blobs/abc")
    (tmp_path / "elsewhere").write_text("mine")
    (snapshot / "NOTICE").symlink_to(tmp_path / "elsewhere")
    origin = Origin("name", snapshot, "owner/name", snapshot, "mit")
    assert licence_texts([replace(entry("mit", "name"), origin=origin)]) == {"licences/name/LICENSE": b"terms"}
