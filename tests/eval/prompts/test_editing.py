"""Prompt sets in the making: tables in and out, what is found wrong with them, and splits."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assets
from eval.errors import PromptSetError
from eval.prompts.editing import (
    PromptRow,
    fill_rows,
    find_issues,
    parse_table,
    read_rows,
    split_prompts,
    to_csv,
    to_prompt_set,
    to_rows,
)
from eval.prompts.prompt_set import Prompt, PromptSet, load_prompts

CAT = PromptRow("1", "animals", "猫", "cat")
DOG = PromptRow("2", "animals", "犬", "dog")


def made(*prompts):
    return PromptSet(name="set", prompts=tuple(Prompt(**one) for one in prompts))


def test_a_set_survives_being_edited_by_nobody():
    shipped = load_prompts(assets.EVOLVE)
    assert to_prompt_set(to_rows(shipped), shipped.name, shipped.description) == shipped


def test_blank_rows_go_and_missing_ids_and_categories_are_filled_in():
    found = to_prompt_set([PromptRow(), PromptRow(ja="鳥"), CAT, PromptRow(en="fish")], " birds ")
    assert found.name == "birds"
    assert [(one.id, one.category) for one in found.prompts] == [
        ("2", "general"),
        ("1", "animals"),
        ("3", "general"),
    ]


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        ([CAT, CAT], "set", "found 1 twice"),
        ([PromptRow("7", "animals")], "set", "found no caption for 7"),
        ([PromptRow()], "set", "at least one prompt, found 0"),
        ([CAT], "  ", "expected a name"),
    ],
)
def test_rows_that_are_no_set_are_refused_with_the_rows_named(rows, name, message):
    with pytest.raises(PromptSetError, match=message):
        to_prompt_set(rows, name)


def test_a_table_is_read_back_as_it_was_written():
    rows = [CAT, PromptRow("x", "food", "「寿司」, 上", 'a "roll", fresh', "pictures/x.png")]
    assert parse_table(to_csv(rows), "t.csv") == rows


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_columns_may_come_in_any_order_and_some_be_left_out(separator):
    text = separator.join(["EN", " ja "]) + "\n" + separator.join(["cat", "猫"]) + "\n\n"
    assert parse_table(text, "t.csv") == [PromptRow(ja="猫", en="cat")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_table_from_excel_is_read(tmp_path, encoding):
    file = tmp_path / "t.csv"
    file.write_bytes("id,ja\n1,金継ぎの茶碗\n".encode(encoding))
    assert read_rows(file) == [PromptRow("1", ja="金継ぎの茶碗")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"colour\nred\n", "columns among id, category, ja, en, reference"),
        ("t.csv", b"", "found ''"),
        ("t.csv", b"id,ja\n1,\x81\xff\xff", "UTF-8, UTF-16, Shift-JIS or ISO-2022-JP"),
        ("absent.csv", None, "absent.csv: expected a readable file"),
        ("t.yaml", b"format: other", "expected `format: m2n2-prompts`"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(PromptSetError, match=message):
        read_rows(tmp_path / name)


def test_two_files_are_joined_by_id_and_nothing_is_overwritten():
    japanese = [PromptRow("1", ja="猫"), PromptRow("2", ja="犬", en="hound")]
    english = [
        PromptRow("2", "animals", en="dog"),
        PromptRow("1", "animals", en="cat"),
        PromptRow("3", "food", en="rice"),
    ]
    assert fill_rows(japanese, english) == [
        CAT,
        PromptRow("2", "animals", "犬", "hound"),
        PromptRow("3", "food", en="rice"),
    ]


def test_missing_twins_duplicates_and_repeated_ids_are_found():
    found = find_issues(
        [CAT, DOG, PromptRow("3", ja="ﾈｺ"), PromptRow("4", ja="ネコ", en="Ｃａｔ  one"), PromptRow("4", en="Cat one")]
    )
    assert found.missing_captions == {"ja": ["4"], "en": ["3"]}
    assert found.same_captions == [("ja", "ネコ", ["3", "4"]), ("en", "Cat one", ["4", "4"])]
    assert found.repeated_ids == ["4"]


def test_a_split_takes_the_same_share_of_every_category():
    prompts = made(
        *({"id": f"{name}{n}", "category": name, "ja": f"{name}{n}"} for name in ("a", "b") for n in range(10)),
        *({"id": f"c{n}", "category": "c", "ja": f"c{n}"} for n in range(5)),
    )
    evolve, held_out = split_prompts(prompts, 0.4, seed=7)
    assert Counter(held_out.categories) == {"a": 4, "b": 4, "c": 2}
    assert set(evolve.ids) | set(held_out.ids) == set(prompts.ids)
    assert not set(evolve.ids) & set(held_out.ids)
    assert (evolve.name, held_out.name) == ("set-evolve", "set-held-out")
    assert split_prompts(prompts, 0.4, seed=7) == (evolve, held_out)
    assert split_prompts(prompts, 0.4, seed=8) != (evolve, held_out)


def test_prompts_that_say_the_same_stay_on_one_side():
    prompts = made(
        *({"id": str(n), "category": "a", "ja": ["猫", "ネコ"][n % 2], "en": f"number {n}"} for n in range(4)),
        {"id": "bridge", "category": "a", "ja": "ﾈｺ", "en": "NUMBER"},
        *({"id": f"other{n}", "category": "a", "ja": f"{n}"} for n in range(5)),
    )
    for seed in range(10):
        sides = [set(side.ids) for side in split_prompts(prompts, 0.5, seed=seed)]
        for cats in ({"0", "2"}, {"1", "3", "bridge"}):
            assert any(cats <= side for side in sides)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 0.1, 0.9])
def test_a_split_without_prompts_on_one_side_is_refused(share):
    with pytest.raises(PromptSetError, match="expected"):
        split_prompts(made({"id": "1", "category": "a", "ja": "猫"}, {"id": "2", "category": "a", "ja": "犬"}), share)


def test_a_seed_below_nothing_is_refused():
    with pytest.raises(PromptSetError, match="expected a seed of 0 or more, found -1"):
        split_prompts(made({"id": "1", "category": "a", "ja": "猫"}), 0.5, seed=-1)


@given(st.lists(st.sampled_from("abc"), min_size=4, max_size=60), st.floats(0.3, 0.7), st.integers(0, 9))
def test_any_split_is_whole_and_keeps_its_share(categories, share, seed):
    prompts = made(*({"id": str(n), "category": c, "ja": f"文{n}"} for n, c in enumerate(categories)))
    evolve, held_out = split_prompts(prompts, share, seed=seed)
    assert sorted([*evolve.ids, *held_out.ids], key=int) == prompts.ids
    assert abs(len(held_out) - share * len(prompts)) <= 1
    for name, count in Counter(categories).items():
        assert abs(held_out.categories.count(name) - share * count) <= 1.5
