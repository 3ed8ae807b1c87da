"""STAIR Captions to prompt sets: which pictures, which captions, what is refused."""

import json

import pytest

from eval.errors import PromptSetError
from eval.prompts.prompt_set import load_prompts, to_yaml
from eval.prompts.stair_captions import read_stair_captions
from tests.stair_files import write_stair


@pytest.fixture
def files(tmp_path):
    return write_stair(tmp_path / "coco", 8)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "sets"


def change(path, edit):
    """Rewrite a JSON file after `edit` has changed its content."""
    content = json.loads(path.read_text("utf-8"))
    edit(content)
    path.write_text(json.dumps(content), "utf-8")


def test_the_last_pictures_evolve_and_the_first_are_held_out(files, folder):
    sets = read_stair_captions(
        files.captions, files.pictures, folder, english=files.english, evolve=2, held_out=5, pairs=3
    )
    assert sets.evolve.ids == ["994", "993"]
    assert sets.evolve.captions_in("ja") == ["写真6", "写真7"]
    assert sets.held_out.ids == ["1000", "999", "998", "997", "996"]
    assert sets.held_out.captions_in("en") == [f"photograph {row}" for row in range(5)]
    assert sets.held_out.languages == ("ja", "en")
    assert set(sets.evolve.categories) == {"coco"}


def test_references_are_relative_to_the_sets_and_are_found(files, folder):
    sets = read_stair_captions(files.captions, files.pictures, folder, evolve=2, held_out=5, pairs=0)
    assert sets.evolve.prompts[0].reference == "../coco/val2014/COCO_val2014_000000000994.png"
    folder.mkdir()
    (folder / "evolve.yaml").write_text(to_yaml(sets.evolve), "utf-8")
    found = load_prompts(folder / "evolve.yaml").references(folder)
    assert [path.read_bytes() for path in found] == [
        (files.pictures / f"COCO_val2014_000000000{id}.png").read_bytes() for id in sets.evolve.ids
    ]


def test_pairs_are_some_of_those_held_out(files, folder):
    sets = read_stair_captions(
        files.captions, files.pictures, folder, english=files.english, evolve=2, held_out=6, pairs=4
    )
    assert len(sets.pairs) == 4
    assert sets.pairs.prompts == tuple(one for one in sets.held_out.prompts if one.id in sets.pairs.ids)
    assert sets.pairs.name == "stair-pairs"
    assert read_stair_captions(files.captions, files.pictures, folder, evolve=2, held_out=6, pairs=0).pairs is None


def test_without_the_english_file_the_sets_are_japanese_only(files, folder):
    sets = read_stair_captions(files.captions, files.pictures, folder, evolve=2, held_out=5, pairs=2)
    assert sets.evolve.languages == sets.held_out.languages == sets.pairs.languages == ("ja",)


def test_the_text_of_a_set_holds_a_prompt_a_line_and_is_read_back(files, folder):
    prompts = read_stair_captions(
        files.captions, files.pictures, folder, english=files.english, evolve=2, held_out=5, pairs=0
    )
    text = to_yaml(prompts.evolve)
    assert text.splitlines()[-2:] == [
        f"  - {{id: '{id}', category: coco, ja: 写真{row}, en: photograph {row}, "
        f"reference: ../coco/val2014/COCO_val2014_000000000{id}.png}}"
        for id, row in ((994, 6), (993, 7))
    ]
    folder.mkdir()
    (folder / "evolve.yaml").write_text(text, "utf-8")
    assert load_prompts(folder / "evolve.yaml") == prompts.evolve


def test_missing_pictures_are_counted_and_named(files, folder):
    for id in (999, 998, 997, 996):
        (files.pictures / f"COCO_val2014_{id:012}.png").unlink()
    with pytest.raises(
        PromptSetError,
        match=r"expected 7 pictures, 4 are missing: COCO_val2014_000000000999\.png, .* and 1 more; unpack val2014\.zip",
    ):
        read_stair_captions(files.captions, files.pictures, folder, evolve=2, held_out=5, pairs=0)
    assert read_stair_captions(files.captions, files.pictures, folder, evolve=3, held_out=1, pairs=0).held_out.ids == [
        "1000"
    ]


@pytest.mark.parametrize(
    ("evolve", "held_out", "pairs", "message"),
    [
        (4, 5, 0, "expected 9 pictures, 4 to evolve on and 5 others to hold out, found 8; ask for fewer"),
        (2, 5, 6, "no more pairs than are held out, found 2, 5 and 6"),
        (0, 5, 0, "at least one prompt to evolve on and to hold out, .* found 0, 5 and 0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(files, folder, evolve, held_out, pairs, message):
    with pytest.raises(PromptSetError, match=message):
        read_stair_captions(files.captions, files.pictures, folder, evolve=evolve, held_out=held_out, pairs=pairs)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content.pop("annotations"), "found at annotations: Field required; name stair_captions"),
        (lambda content: content["annotations"][0].pop("caption"), r"found at annotations\.0\.caption: Field required"),
        (lambda content: content["images"][0].update(id="1000"), r"found at images\.0\.id: .* valid integer"),
    ],
)
def test_what_is_not_in_cocos_caption_format_is_refused(files, folder, edit, message):
    change(files.captions, edit)
    with pytest.raises(PromptSetError, match=message):
        read_stair_captions(files.captions, files.pictures, folder, evolve=2, held_out=5, pairs=0)


def test_what_is_no_json_or_not_there_is_refused(files, folder):
    files.captions.write_text("format: m2n2-prompts")
    with pytest.raises(PromptSetError, match="expected JSON in COCO's caption format, .* found Invalid JSON"):
        read_stair_captions(files.captions, files.pictures, folder, evolve=2, held_out=5, pairs=0)
    with pytest.raises(PromptSetError, match=r"absent\.json: expected a readable JSON file, found: No such file"):
        read_stair_captions(folder / "absent.json", files.pictures, folder, evolve=2, held_out=5, pairs=0)


def test_captions_of_other_pictures_are_refused(files, folder):
    change(files.english, lambda content: [one.update(image_id=1) for one in content["annotations"][:8]])
    with pytest.raises(
        PromptSetError,
        match=r"captions_val2014\.json: expected a caption for each of 7 pictures, found none for 4: 1000, 999, 998 "
        "and 1 more; are these",
    ):
        read_stair_captions(
            files.captions, files.pictures, folder, english=files.english, evolve=2, held_out=5, pairs=0
        )
