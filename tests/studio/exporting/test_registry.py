"""Exports on the disk: which there are, how they are called, which one is in use."""

import os
import shutil

import pytest

from pipelines.errors import ExportError
from studio.exporting.export_names import name_problem, suggest_name
from studio.exporting.registry import in_use, in_use_history, list_exports, open_export, put_in_use


def test_exports_are_listed_newest_first_and_nothing_else_is(exported, tmp_path):
    for name in ("momiji", "momiji.about"):
        shutil.copytree(exported / name, tmp_path / name)
    shutil.copyfile(exported / "momiji.safetensors", tmp_path / "momiji.safetensors")
    (tmp_path / "momiji.monitor").mkdir()
    (tmp_path / ".momiji.unfinished").mkdir()
    (tmp_path / "other.safetensors").write_text("")
    os.utime(tmp_path / "momiji", (1, 1))
    assert [export.name for export in list_exports(tmp_path)] == ["momiji.safetensors", "momiji"]
    assert list_exports(tmp_path / "nowhere") == []


def test_what_belongs_to_an_export(either, bred):
    assert either.recipe.digest == bred.individual("0001").recipe.digest
    assert either.monitor.name == f"{either.name}.monitor"
    birth = either.certificate
    assert (birth.run, birth.individual) == ("bred", "0001")
    assert birth.scores["ja"] == bred.individual("0001").scores["ja"].tolist()
    assert birth.prompts.ids == bred.prompts.niches.ids
    assert birth.scorer == bred.state.scorer | {"name": "local-dir:judge"}
    assert birth.with_noted_places().scorer == bred.state.scorer  # this machine knows where it lies
    assert all(either.file(name).is_file() for name in birth.files)
    assert sum(name.endswith(".safetensors") for name in birth.files) == (4 if either.path.is_dir() else 1)
    pictures = sorted(file.name for file in (either.documents / "birth").iterdir())
    assert pictures == sorted(f"{id}-{lang}.webp" for id in birth.prompts.ids for lang in ("ja", "en"))


def test_one_is_in_use_and_every_choice_is_kept(exported, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(exported / "momiji", tmp_path / name)
    assert in_use(tmp_path) is None
    for name in ("one", "two", "one"):
        put_in_use(tmp_path, name, "美咲")
    assert in_use(tmp_path) == "one"
    assert (tmp_path / "current").read_text("utf-8") == "one\n"
    assert [(event["export"], event["former"]) for event in in_use_history(tmp_path)] == [
        ("one", "two"),
        ("two", "one"),
        ("one", None),
    ]
    with pytest.raises(ExportError, match="no export called"):
        put_in_use(tmp_path, "../elsewhere")
    shutil.rmtree(tmp_path / "two")
    assert [export.name for export in list_exports(tmp_path)] == ["one"]


def test_an_export_without_a_certificate_says_what_can_be_done(own_copy):
    (own_copy.documents / "birth.json").unlink()
    assert not own_copy.has_certificate
    with pytest.raises(ExportError, match="m2n2 verify"):
        open_export(own_copy.path).certificate  # noqa: B018


@pytest.mark.parametrize(
    ("title", "what"),
    [
        ("", "empty"),
        (" .safetensors", "empty"),
        ("../up", "letters"),
        ("a/b", "letters"),
        ("a\\b", "letters"),
        (".hidden", "letters"),
        ("桜.", "ending"),
        ("NUL", "reserved"),
        ("com1.v2", "reserved"),
        ("x" * 81, "long"),
        ("桜" * 70, "long"),
        ("momiji", "taken"),
        ("momiji.safetensors", "taken"),
        ("桜 07", None),
        ("桜.recipe.zip", None),
        ("console", None),
    ],
)
def test_what_is_wrong_with_a_name(exported, title, what):
    assert name_problem(title, exported) == what


def test_a_suggested_name_is_free_and_stays_the_same(bred, tmp_path):
    one = bred.individual("0001")
    first = suggest_name(one, tmp_path)
    assert first.endswith("-01")
    assert first == suggest_name(one, tmp_path)
    (tmp_path / first).mkdir()
    assert suggest_name(one, tmp_path) not in ("", first)
    assert suggest_name(bred.individual("ja"), tmp_path) == "ja"
    (tmp_path / "ja").mkdir()
    assert suggest_name(bred.individual("ja"), tmp_path) == "ja-2"
