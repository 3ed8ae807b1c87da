"""Names of pictures from ids that anybody may have written: always inside, never shared, ordinary ones as they are."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from studio.runs.picture_names import LONGEST, ids_by_stem, image_folder, picture_file, picture_stem, safe_component

ENDING = "-ja-0.png"
ids = (
    st.text(min_size=1)
    | st.text(alphabet="aAſßİiı.~/\\: \0ガがか゛\u3099", min_size=1)
    | st.binary(min_size=1).map(lambda some: some.decode("utf-8", "surrogateescape"))
)


@pytest.mark.parametrize("id", ["turtle", "1f622", "カメ", "温かい飲み物 2", "a-ja", "0-1face", "red_car!", "🐢"])
def test_an_ordinary_id_is_its_files_name(id, tmp_path):
    assert picture_file(tmp_path, id, ENDING) == tmp_path / f"{id}{ENDING}"


@given(ids)
@example("../../x")
@example("/abs/x")
@example("..")
@example("x" * 300)
@example("亀" * 100)
@example("C:x")
@example("a\nb")
def test_whatever_the_id_its_file_lies_inside(id):
    folder = Path("/run/images/0001")
    file = picture_file(folder, id, ENDING)
    assert file.parent == folder
    assert Path(os.path.normpath(file)) == file
    assert len(os.fsencode(file.name)) <= LONGEST + len(ENDING) <= 255
    assert not set(file.name) & set('/\\:*?"<>|\0')
    individual = image_folder(Path("/run"), id)
    assert individual.parent == Path("/run/images")
    assert Path(os.path.normpath(individual)) == individual
    assert len(os.fsencode(individual.name)) <= 255


@given(ids, ids)
@example("Turtle", "turtle")
@example("ガ", unicodedata.normalize("NFD", "ガ"))
@example("../x", picture_stem("../x"))
def test_two_ids_never_share_a_file(one, other):
    stems = [picture_stem(id) for id in (one, other)]
    for seen in (str, str.casefold, str.upper, str.lower, lambda stem: unicodedata.normalize("NFD", stem).casefold()):
        assert (seen(stems[0]) == seen(stems[1])) == (one == other)
    assert (safe_component(one) == safe_component(other)) == (one == other)


def test_pictures_of_before_keep_their_names(tmp_path):
    (tmp_path / f"Turtle{ENDING}").touch()
    assert picture_file(tmp_path, "Turtle", ENDING).name == f"Turtle{ENDING}"
    assert picture_file(tmp_path, "Cat", ENDING).name == f"{picture_stem('Cat')}{ENDING}"
    (tmp_path / f"{picture_stem('../x')}{ENDING}").touch()
    assert picture_file(tmp_path, picture_stem("../x"), ENDING).name != f"{picture_stem('../x')}{ENDING}"


def test_a_picture_leads_back_to_its_prompt():
    known = ids_by_stem(["turtle", "../x", "Cat"])
    assert {known[picture_stem(id)] for id in ("turtle", "../x", "Cat")} == {"turtle", "../x", "Cat"}
    assert known["Cat"] == "Cat"
