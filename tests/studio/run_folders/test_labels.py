"""What people call a run: written whole beside it, read again once it has changed, and never in the way."""

import json

import pytest

from studio.errors import RunError
from studio.run_folders.labels import (
    LABEL_FILE,
    LONGEST_NOTE,
    LONGEST_TAG,
    LONGEST_TITLE,
    MOST_TAGS,
    RunLabel,
    checked_label,
    read_label,
    shown_name,
    write_label,
)


def test_a_label_is_read_as_it_was_written_last(tmp_path):
    assert read_label(tmp_path) == RunLabel()
    for title in ("春の実験", "Spring"):
        label = RunLabel(title, "for the café", ("client", "v2"))
        write_label(tmp_path, label)
        assert read_label(tmp_path) == label
    assert [file.name for file in tmp_path.iterdir()] == [LABEL_FILE]


def test_what_is_typed_becomes_a_line_each():
    assert checked_label(" a\n b\u2028", "\tx\0y ", "one、 two,one,, three ") == RunLabel(
        "a b", "x y", ("one", "two", "three")
    )
    assert checked_label("", " ", ",") == RunLabel()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("x" * (LONGEST_TITLE + 1), "", ""), "title has 81 letters"),
        (("", "x" * (LONGEST_NOTE + 1), ""), "note has 301 letters"),
        (("", "", "x" * (LONGEST_TAG + 1)), "the longest of 41"),
        (("", "", ",".join(map(str, range(MOST_TAGS + 1)))), "found 13"),
    ],
)
def test_what_is_too_long_is_refused(typed, message):
    with pytest.raises(RunError, match=message):
        checked_label(*typed)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b"[" * 9, b" " * (65 << 10), b'{"title": 3, "note": [], "tags": {"a": 1}}'],
)
def test_a_damaged_label_is_none(tmp_path, content):
    (tmp_path / LABEL_FILE).write_bytes(content)
    assert read_label(tmp_path) == RunLabel()


def test_what_others_wrote_is_cut_to_what_fits_a_line(tmp_path):
    said = {"title": "t\n" * 500, "note": "n" * 5000, "tags": ["a\0b", 3, "", *map(str, range(90))], "colour": "red"}
    (tmp_path / LABEL_FILE).write_text(json.dumps(said))
    label = read_label(tmp_path)
    assert (len(label.title), len(label.note), len(label.tags), label.tags[:2]) == (80, 300, MOST_TAGS, ("a b", "0"))


def test_a_title_stands_before_the_name_of_the_folder():
    assert shown_name("run-3", RunLabel()) == shown_name("run-3", RunLabel("run-3")) == "run-3"
    assert shown_name("run-3", RunLabel("Spring")) == "Spring (run-3)"
