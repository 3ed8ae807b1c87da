"""Documents of others: what is read as it was, and what is refused before it costs memory or the process."""

import dataclasses
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.untrusted import (
    DOCUMENT,
    Limits,
    UnreadableDocument,
    parse_json,
    parse_yaml,
    read_bytes,
    read_text,
    read_yaml,
)

LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])  # YAML itself joins kinds of line ends
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(LETTERS, max_size=12) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(LETTERS, max_size=6) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PLAIN, st.booleans())
def test_what_yaml_writes_is_read_as_it_was(value, flow):
    text = yaml.safe_dump(value, allow_unicode=True, default_flow_style=flow)
    assert parse_yaml(text) == value == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    ["", "a", "- a\n- {b: [c, 'd', \"e\"]}\n", "0x1F", "1_000", "1:30", "0b1", ".inf", "2026-01-02",
     "2026-01-02 03:04:05Z",
     "yes", "~", "a: |\n  b\n  c\n", "a: >\n  b\n  c\n", "? a\n: b\n", "!!str 1", "a: 1\na: 2", "=x", "{a, b}"],
)  # fmt: skip
def test_a_plain_text_means_what_it_meant(text):
    assert parse_yaml(text) == yaml.safe_load(text)


HOSTILE_YAML = {
    "brackets in brackets, more than 64 deep": ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "a: [" + "[" * 99],
    "a list or a mapping as a key": ["? " * 100_000, "[?" * 50_000, "{[a]: b}"],
    "an anchor": ["a: &a [x, x]", "&a a: b", "- &x\n- *x"],
    "an alias": ["a: *b"],
    "a merge key": ["<<: {a: 1}"],
    "a tag": ["!!python/object/apply:os.system [ls]", "!!set {a}", "!x y", "a: !!binary aGk="],
    "a second document": ["a\n---\nb"],
    "a number of more than 400 digits": ["9" * 401, f"1{':30' * 999}", f"0x{'f' * 999}", f"1.{'0' * 999}"],
    "no number and no date": ["2001-99-99", "a: =", "0b_"],
    "a text of more than": [f"a: {'b' * (DOCUMENT.letters + 1)}", f"{'b' * (DOCUMENT.letters + 1)}: a"],
    "more than 16 MiB": [" " * (DOCUMENT.bytes + 1)],
}


@pytest.mark.parametrize(("why", "text"), [(why, text) for why, texts in HOSTILE_YAML.items() for text in texts])
def test_a_hostile_yaml_is_refused(why, text):
    with pytest.raises(UnreadableDocument, match=f"^{why}"):
        parse_yaml(text)


def test_a_yaml_of_more_values_than_the_limit_is_refused():
    few = dataclasses.replace(DOCUMENT, values=1000)
    assert parse_yaml(f"[{'1,' * 999}]", few) == [1] * 999  # and the list
    with pytest.raises(UnreadableDocument, match="^more than 1,000 values"):
        parse_yaml(f"[{'1,' * 1000}]", few)
    assert DOCUMENT.values == 1_000_000


@pytest.mark.parametrize("text", ["\ud800", "a\0", "{", "'", "\x07", "a: b: c", "\t- a"])
def test_what_is_no_yaml_is_refused_in_words(text):
    with pytest.raises(UnreadableDocument):
        parse_yaml(text)


HOSTILE_JSON = {
    "brackets in brackets, more than 64 deep": ["[" * 100_000, '{"a":' * 100_000, '"\\"[",' + "[" * 65],
    "more than 1,000,000 values": [f"[{'1,' * 1_000_000}1]"],
    "a number of more than 400 digits": ["1" * 401],
    "half of a surrogate pair": ['"\\ud800"', '{"\\udfff": 1}'],
    "no JSON": ["", "{", '"' + '\\"' * 1_000_000, "'a'", "[" * 64],
    "more than 16 MiB": [" " * (DOCUMENT.bytes + 1)],
    "no utf-8": [b"\xff"],
    "no text": [7, None],
}


@pytest.mark.parametrize(("why", "text"), [(why, text) for why, texts in HOSTILE_JSON.items() for text in texts])
def test_a_hostile_json_is_refused(why, text):
    with pytest.raises(UnreadableDocument, match=f"^{why}"):
        parse_json(text)


@given(PLAIN.map(lambda value: json.loads(json.dumps(value, default=str))))
def test_json_is_read_as_it_was(value):
    assert parse_json(json.dumps(value)) == value == parse_json(json.dumps(value, ensure_ascii=False).encode())


def test_brackets_within_texts_are_no_depth():
    for value in (["[" * 999] * 99, {"a" * 9: '"[{' * 99, '"' * 99: "\\["}):
        assert parse_json(json.dumps(value)) == parse_yaml(json.dumps(value)) == value
    assert parse_json('["\\ud83d\\ude00", ' + "[" * 63 + "]" * 63 + "]")[0] == "😀"


def test_a_file_is_not_read_further_than_its_limit(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1")
    assert read_yaml(path) == {"a": 1}
    assert read_bytes(path, 4) == b"a: 1"
    with pytest.raises(UnreadableDocument, match="^more than 3 bytes"):
        read_text(path, 3)
    with pytest.raises(UnreadableDocument, match="^more than 1 MiB"):
        read_bytes("/dev/zero", 1 << 20)
    for name in ("\0", "\ud800"):
        with pytest.raises(UnreadableDocument, match="path"):
            read_bytes(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "none")


def test_limits_are_those_that_are_asked_for():
    assert parse_yaml("[[1]]", Limits(depth=2)) == parse_json("[[1]]", Limits(depth=2)) == [[1]]
    for parse in (parse_yaml, parse_json):
        with pytest.raises(UnreadableDocument, match="1 deep"):
            parse("[[1]]", Limits(depth=1))
        with pytest.raises(UnreadableDocument, match="more than 2 values"):
            parse("[1,2,3]", Limits(values=2))
