"""Prompt sets: reading, refusing, subsets."""

import hashlib
import textwrap
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

import assets
from eval.errors import PromptSetError
from eval.prompts.prompt_set import Prompt, PromptSet, load_prompts, to_yaml
from pipelines.errors import M2N2Error

GOOD = """
format: m2n2-prompts
version: 1
name: tiny
description: two of a kind
prompts:
  - {id: turtle, category: animals, ja: カメ, en: turtle, reference: pictures/turtle.png}
  - {id: "2615", category: food, ja: 温かい飲み物, en: hot beverage}
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "set.yaml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


def prompts_of(counts):
    """A set with so many prompts per category: `a0`, `a1`, ..., `b0`, ..."""
    return PromptSet(
        name="many",
        prompts=tuple(
            Prompt(id=f"{category}{i}", category=category, ja=f"{category}の{i}")
            for category, count in counts.items()
            for i in range(count)
        ),
    )


def test_a_good_file_is_read(write):
    prompts = load_prompts(write(GOOD))
    assert (prompts.name, len(prompts), prompts.ids) == ("tiny", 2, ["turtle", "2615"])
    assert prompts.captions_in("ja") == ["カメ", "温かい飲み物"]
    assert prompts.captions_in("en") == ["turtle", "hot beverage"]
    assert prompts.categories == ["animals", "food"]
    assert prompts.languages == ("ja", "en")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("format: m2n2-prompts", "format: recipe"), "expected `format: m2n2-prompts` at the top, found 'recipe'"),
        (("format: m2n2-prompts\n", ""), "at the top, found None; is this a prompt set?"),
        (("version: 1", "version: 2\nweights: new"), "expected version 1, found 2; .* newer m2n2-studio: update"),
        (("version: 1", "version: one"), "`version`: .* found 'one'"),
        (("description:", "descripton:"), "unknown key `descripton`; remove it or correct its spelling"),
        (("en: turtle,", "en: turtle, fr: tortue,"), r"unknown key `prompts\.0\.fr`"),
        (('"2615"', "turtle"), "ids occur more than once: turtle; give every prompt an id of its own"),
        (('"2615"', "2615"), r"`prompts\.1\.id`: expected text, found 2615; put it in quotes"),
        (("en: turtle", "en: no"), r"`prompts\.0\.en`: expected text, found False; put it in quotes"),
        (("ja: カメ", "ja: '　 '"), r"`prompts\.0\.ja`: expected text, found only blanks"),
        ((", ja: 温かい飲み物, en: hot beverage", ""), "prompt '2615' has neither `ja` nor `en`; write a caption"),
        (("category: food, ", ""), r"`prompts\.1\.category` is missing; add it"),
        (("name: tiny", "name: {"), "expected YAML in UTF-8"),
        (("two of a kind", "two: of a kind"), "found: mapping values are not allowed .* line 5, column 17"),
    ],
)
def test_a_bad_file_is_refused_with_what_to_do(write, change, message):
    assert change[0] in GOOD
    path = write(GOOD.replace(*change))
    with pytest.raises(PromptSetError, match=message) as caught:
        load_prompts(path)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, M2N2Error)


@pytest.mark.parametrize("prompts", ["prompts: []", "prompts:", ""])
def test_an_empty_set_is_refused(write, prompts):
    with pytest.raises(PromptSetError, match="expected at least one prompt, found none; add some under `prompts:`"):
        load_prompts(write("format: m2n2-prompts\nversion: 1\nname: empty\n" + prompts))


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_what_is_no_prompt_set_is_refused(write, text):
    with pytest.raises(PromptSetError, match="is this a prompt set"):
        load_prompts(write(text))


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(PromptSetError, match=r"absent\.yaml: expected a readable YAML file, found: No such file"):
        load_prompts(tmp_path / "absent.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(PromptSetError, match="expected YAML in UTF-8"):
        load_prompts(tmp_path / "binary.yaml")


def test_many_problems_are_summed_up(write):
    with pytest.raises(PromptSetError, match=r"and 2 more$"):
        load_prompts(write(GOOD + "\na: 1\nb: 2\nc: 3\nd: 4\ne: 5\n"))


def test_a_set_in_one_language_has_no_texts_in_the_other():
    prompts = prompts_of({"a": 7})
    assert prompts.languages == ("ja",)
    with pytest.raises(
        PromptSetError, match="caption in 'en' for every prompt, found none for a0, a1, a2, a3, a4 and 2"
    ):
        prompts.captions_in("en")


def test_references_are_found_beside_the_file(write, tmp_path):
    prompts = load_prompts(write(GOOD))
    with pytest.raises(PromptSetError, match="reference picture for every prompt, found none for 2615"):
        prompts.references(tmp_path)
    turtle = PromptSet(name="turtle", prompts=prompts.prompts[:1])
    with pytest.raises(PromptSetError, match=r"not found: .*turtle\.png"):
        turtle.references(tmp_path)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "turtle.png").touch()
    assert turtle.references(tmp_path) == [tmp_path / "pictures" / "turtle.png"]


def test_digest_is_of_the_content(write):
    again = GOOD.replace("{id: turtle, category: animals,", "{category: animals, id: turtle,").replace("カメ", '"カメ"')
    assert load_prompts(write(GOOD)).digest == load_prompts(write(again)).digest
    assert load_prompts(write(GOOD)).digest != load_prompts(write(GOOD.replace("カメ", "亀"))).digest
    canonical = (
        '{"description":"","format":"m2n2-prompts","name":"x",'
        '"prompts":[{"category":"b","en":null,"id":"a","ja":"カメ","reference":null}],"version":1}'
    )
    prompts = PromptSet(name="x", prompts=(Prompt(id="a", category="b", ja="カメ"),))
    assert prompts.digest == hashlib.sha256(canonical.encode()).hexdigest()


def test_a_subset_is_spread_over_the_categories():
    prompts = prompts_of({"a": 20, "b": 3, "c": 9})
    assert Counter(prompts.subset(9).categories) == {"a": 3, "b": 3, "c": 3}
    assert Counter(prompts.subset(15).categories) == {"a": 6, "b": 3, "c": 6}
    counts = Counter(prompts.subset(5).categories).values()
    assert max(counts) - min(counts) <= 1
    assert prompts.subset(32) == prompts


def test_a_subset_keeps_the_order_and_follows_the_seed():
    prompts = prompts_of({"a": 20, "b": 20})
    subset = prompts.subset(10, seed=1)
    assert subset.ids == sorted(subset.ids, key=prompts.ids.index)
    assert subset == prompts.subset(10, seed=1)
    assert subset != prompts.subset(10, seed=2)


@pytest.mark.parametrize("n", [0, -1, 4])
def test_a_subset_of_impossible_size_is_refused(n):
    with pytest.raises(PromptSetError, match=f"expected a subset of 1 to 3 prompts, found {n}"):
        prompts_of({"a": 3}).subset(n)


def test_sets_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        prompts_of({"a": 1}).name = "other"


@pytest.mark.parametrize("file", [assets.EVOLVE, assets.HELD_OUT])
def test_a_set_is_written_as_it_was_read(file):
    assert to_yaml(load_prompts(file)) == file.read_text("utf-8")


def test_any_text_survives_writing(tmp_path):
    texts = ["🍣 寿司: {a, b}", "yes", "0777", "- x # y", "'\"", "長い" * 300, "tab\tline\nend"]
    prompts = PromptSet(name="x", prompts=tuple(Prompt(id=str(n), category="c", ja=s) for n, s in enumerate(texts)))
    path = tmp_path / "x.yaml"
    path.write_text(to_yaml(prompts), "utf-8")
    assert load_prompts(path) == prompts


def test_references_may_be_named_from_anywhere():
    whole = load_prompts(assets.EVOLVE).with_absolute_references(assets.EVOLVE.parent)
    assert all(file.is_file() for file in whole.references(Path("/elsewhere")))
    bare = PromptSet(name="x", prompts=(Prompt(id="1", category="c", ja="猫"),))
    assert bare.with_absolute_references(Path("/x")) == bare
