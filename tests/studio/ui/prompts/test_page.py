"""The Prompts page's handlers without a browser."""

from dataclasses import astuple
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

import assets
from eval.errors import PromptSetError
from eval.prompts.editing import PromptRow, parse_table
from eval.prompts.prompt_set import load_prompts
from pipelines.errors import M2N2Error
from studio.library.prompt_library import SHIPPED
from studio.ui.prompts import editor as desk

CAT, DOG = list(astuple(PromptRow("1", "animals", "猫", "cat"))), list(astuple(PromptRow("2", "animals", "犬")))


def saved(studio, table, name="mine", *, overwrite=False):
    return desk.save(studio, table, name, "", str(studio.prompts), overwrite=overwrite)


def test_the_shipped_sets_are_there_and_open_under_another_name(empty):
    assert [name for _, name in desk.choices(empty, "en")] == list(SHIPPED)
    opened = desk.open_set(empty, "embedded-evolve")
    assert opened.name == "my-emoji-evolve"
    assert len(opened.cells) == 65
    with pytest.raises(M2N2Error, match="no prompt set called"):
        desk.open_set(empty, "../elsewhere")


def test_a_shipped_set_saved_as_ones_own_keeps_its_pictures(empty, served_pictures):
    opened = desk.open_set(empty, "embedded-evolve")
    name = desk.save(empty, opened.cells, opened.name, opened.description, opened.place, overwrite=False)
    found = load_prompts(empty.prompts / f"{name}.yaml")
    assert found.captions_in("ja") == load_prompts(assets.EVOLVE).captions_in("ja")
    assert all(file.is_file() for file in found.references(empty.prompts))
    client = served_pictures(empty)
    picture = (assets.EVOLVE.parent / "references" / "1f9ad.png").read_bytes()
    for known in (name, "embedded-evolve"):
        assert client.get(f"/pictures/prompts/{known}/1f9ad").content == picture
    for address in (f"{name}/absent", "absent/1f9ad"):
        assert client.get(f"/pictures/prompts/{address}").status_code == 404


def test_a_set_is_saved_once_unless_asked(empty):
    assert saved(empty, [CAT]) == "mine"
    with pytest.raises(PromptSetError, match="exists already"):
        saved(empty, [DOG])
    assert load_prompts(empty.prompts / "mine.yaml").ids == ["1"]
    saved(empty, [DOG], overwrite=True)
    assert load_prompts(empty.prompts / "mine.yaml").ids == ["2"]


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "embedded-evolve", "x" * 81])
def test_names_that_cannot_be_files_are_refused(empty, name):
    with pytest.raises(PromptSetError, match="cannot be a file's|comes with the studio"):
        saved(empty, [CAT], name)
    assert not empty.prompts.exists()


def test_the_state_of_a_table_is_told_in_words():
    told = desk.state("en", [CAT, DOG, [None] * 5, ["3", "animals", "ﾈｺ", "x", ""], ["3", "food", "ネコ", "y", ""]])
    assert "4 prompts in 2 categories" in told
    assert "No English twin for 1: 2" in told
    assert "more than once: 3" in told
    assert "“ネコ”: 3, 3" in told
    assert "every prompt has both" in desk.state("en", [CAT]).lower()
    weighted = desk.state("en", [CAT, ["7", "animals", "(犬:1.2)", "a dog BREAK", ""]])
    assert "BREAK, in 1 of them: 7" in weighted
    assert weighted.count("7") == 1
    assert "every prompt has both" in weighted.lower()
    assert desk.state("ja", [[None] * 5]).startswith("まだ何もありません")


def test_tables_are_imported_instead_of_or_into_what_is_there(tmp_path):
    file = tmp_path / "english.csv"
    file.write_text("id,en\n2,dog\n3,bird\n")
    assert desk.imported(file, [CAT, DOG], join=True) == [
        CAT,
        ["2", "animals", "犬", "dog", ""],
        ["3", "", "", "bird", ""],
    ]
    assert [row[0] for row in desk.imported(file, [CAT, DOG], join=False)] == ["2", "3"]


def test_captions_that_would_be_cut_stand_first():
    table = [CAT, ["2", "animals", "とても長い題材" * 10, "dog", ""]]
    said, counted = desk.measured("en", table, f"local-dir:{assets.JUDGE}", str(assets.FAMILY / "ja"))
    assert "1 prompts are cut short" in said
    assert counted["headers"][3].startswith("judge (at most ")
    assert [header.split(" (")[0] for header in counted["headers"][3:]] == ["judge", "ja tokenizer", "ja tokenizer_2"]
    assert counted["data"][0][0] == "2"
    assert counted["data"][0][3].startswith("⚠ ")
    assert len(counted["data"]) == 4
    said, _ = desk.measured("ja", [CAT], f"local-dir:{assets.JUDGE}", None)
    assert "すべて収まります" in said


def test_a_split_saves_two_sets_or_none(empty):
    table = [[str(n), "animals", f"題材{n}", f"prompt {n}", ""] for n in range(10)]
    place = str(empty.prompts)
    names, sizes = desk.save_split(empty, table, "mine", place, share=0.6, seed=0, overwrite=False)
    assert (names, sizes) == (["mine-evolve", "mine-held-out"], [4, 6])
    ids = [set(load_prompts(empty.prompts / f"{name}.yaml").ids) for name in names]
    assert not ids[0] & ids[1]
    (empty.prompts / "mine-evolve.yaml").unlink()
    with pytest.raises(PromptSetError, match=r"mine-held-out\.yaml exists already"):
        desk.save_split(empty, table, "mine", place, share=0.6, seed=1, overwrite=False)
    assert not (empty.prompts / "mine-evolve.yaml").exists()


def test_exports_are_read_back(empty):
    opened = desk.open_set(empty, "embedded-evolve")
    table = Path(desk.exported(opened.cells, "x/y", opened.place, "csv"))
    assert (table.name, table.read_bytes()[:3]) == ("y.csv", b"\xef\xbb\xbf")
    assert desk.cells(parse_table(table.read_text("utf-8-sig"), "")) == opened.cells
    text = Path(desk.exported(opened.cells, "x", opened.place, "yaml"))
    assert all(file.is_file() for file in load_prompts(text).references(text.parent))


def test_a_saved_set_leads_to_a_new_run_and_shows_its_pictures(empty):
    link = desk.links(empty, "en", "embedded-evolve")
    address = urlparse(link.split('href="')[1].split('"')[0])
    assert parse_qs(address.query)["prompts"] == [str(assets.EVOLVE)]
    assert "href" not in desk.links(empty, "en", None)
    shown = desk.pictures("en", "embedded-evolve", desk.open_set(empty, "embedded-evolve").cells)
    assert shown.count("<img") == 60
    assert "60 of 65" in shown
    assert "<img" not in desk.pictures("en", None, [CAT])
