"""What clients send back: read within limits, kept as plain text, the last under a name counts."""

import json

import pytest

from studio.errors import RunError
from studio.judging.reviews import (
    LONGEST_COMMENT,
    LONGEST_NAME,
    MOST_MODELS,
    REVIEWS_FILE,
    opinions_of,
    parse_review,
    read_review,
    read_reviews,
    take_in,
)


def sent(*models, by="Sakura", **other):
    """What the page sends, of (recipe, pick, comment)."""
    said = [{"recipe": recipe, "pick": pick, "comment": comment} for recipe, pick, comment in models]
    content = {"format": "m2n2-review", "version": 1, "by": by, "run": "x", "comment": "", "models": said}
    return json.dumps({**content, **other}, ensure_ascii=False)


def digests(store):
    return {one.id: one.recipe.digest for one in store.individuals()}


def test_the_last_review_under_a_name_counts(store):
    known = digests(store)
    assert read_reviews(store) == []
    take_in(store, parse_review(sent((known["ja"], True, "桜がよい"), (known["base"], False, ""))))
    take_in(store, parse_review(sent((known["ja"], False, "no"), by="Tom")))
    take_in(store, parse_review(sent((known["ja"], True, ""), (known["real"], False, "too dark"))))
    sakura, tom = read_reviews(store)
    assert ([one.comment for one in sakura.models], tom.by) == (["", "too dark"], "Tom")
    assert [(one.by, one.pick, one.comment) for one in opinions_of([sakura, tom], known["ja"])] == [
        ("Sakura", True, ""),
        ("Tom", False, "no"),
    ]
    assert len((store.folder / REVIEWS_FILE).read_text("utf-8").splitlines()) == 3


def test_a_mail_around_it_is_passed_over():
    review = parse_review(f"Hello!\n\n{sent(('a' * 64, True, 'x'))}\n\n-- \nSakura")
    assert (review.by, review.models[0].pick) == ("Sakura", True)


def test_what_is_kept_is_plain_text():
    said = "a\0b\x1b[31m\r\nc\u202etxt\u2066 👩‍🎨 <b>桜</b>\n"
    review = parse_review(sent(("a" * 64, True, said), by="  S\na\u202ekura ", comment=said))
    plain = "ab[31m\nctxt 👩‍🎨 <b>桜</b>"
    assert (review.by, review.models[0].comment, review.comment) == ("S akura", plain, plain)


MODEL = {"recipe": "a" * 64, "pick": True, "comment": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"format": "m2n2-review"',
        sent(format="other"),
        sent(version=2),
        sent(by=3),
        sent(by=""),
        sent(by="\u202e"),
        sent(by="x" * (LONGEST_NAME + 1)),
        sent(models="all"),
        sent(models=[[]]),
        sent(models=[{**MODEL, "pick": "yes"}]),
        sent(models=[{**MODEL, "comment": "x" * (LONGEST_COMMENT + 1)}]),
        sent(models=[{**MODEL, "recipe": "x" * 65}]),
        sent(models=[MODEL] * (MOST_MODELS + 1)),
        sent(comment="x" * (2 << 20)),
        "{" * 200_000 + "}",
        sent(comment="\\ud800").replace("\\\\", "\\"),
    ],
)
def test_what_is_no_review_is_refused(text):
    with pytest.raises(RunError, match="review"):
        parse_review(text)


def test_models_of_other_runs_are_left_out_and_a_review_of_none_is_refused(store):
    known = digests(store)
    kept = take_in(store, parse_review(sent(("f" * 64, True, "?"), (known["ja"], True, ""))))
    assert [one.recipe for one in kept.models] == [known["ja"]]
    with pytest.raises(RunError, match="no model of run ballot"):
        take_in(store, parse_review(sent(("f" * 64, True, "?"))))
    take_in(store, parse_review(sent(by="Tom", comment="All fine.")))
    assert [one.by for one in read_reviews(store)] == ["Sakura", "Tom"]


def test_a_torn_line_hides_no_other(store):
    take_in(store, parse_review(sent((digests(store)["ja"], True, ""))))
    with open(store.folder / REVIEWS_FILE, "a") as file:
        file.write('{"by": 3}\n{"format": "m2n2-rev')
    assert [one.by for one in read_reviews(store)] == ["Sakura"]


def test_a_file_is_read_within_limits(tmp_path):
    file = tmp_path / "back.json"
    file.write_text(sent(("a" * 64, True, "桜")), "utf-8-sig")  # as an editor of Windows saves it
    assert read_review(file).models[0].comment == "桜"
    for content in (b"\xff\xfe", b" " * (2 << 20)):
        file.write_bytes(content)
        with pytest.raises(RunError, match="no review"):
            read_review(file)
