"""A1111's syntax: weights, brackets and breaks, as text."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.generation.prompt_syntax import WeightedText, caption_of, parse_prompt, unread_syntax


def weighted(prompt):
    """The parts of a prompt as lists of (text, weight)."""
    return [[(one.text, one.weight) for one in part] for part in parse_prompt(prompt)]


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a cat", [[("a cat", 1.0)]]),
        ("a (red) cat", [[("a ", 1.0), ("red", 1.1), (" cat", 1.0)]]),
        ("((red))", [[("red", pytest.approx(1.21))]]),
        ("(red:1.3)", [[("red", 1.3)]]),
        ("(red: .5 )", [[("red", 0.5)]]),
        ("(red:-1)", [[("red", -1.0)]]),
        ("[red]", [[("red", pytest.approx(1 / 1.1))]]),
        ("(a (b:2) c:1.5)", [[("a ", 1.5), ("b", 3.0), (" c", 1.5)]]),
        ("(a [b] c)", [[("a ", 1.1), ("b", pytest.approx(1.0)), (" c", 1.1)]]),
        ("(open end", [[("open end", 1.1)]]),
        ("[open (both", [[("open ", pytest.approx(1 / 1.1)), ("both", pytest.approx(1.0))]]),
        ("never) opened]", [[("never) opened]", 1.0)]]),
        ("a:1.2) b", [[("a:1.2) b", 1.0)]]),
        ("(1.2.3:1.2.3)", [[("1.2.3:1.2.3", 1.1)]]),
        (r"rem \(re:zero\), (x\)y:2)", [[("rem (re:zero), ", 1.0), ("x)y", 2.0)]]),
        (r"a\b \\ \[c\]", [[("ab \\ [c]", 1.0)]]),
        ("a BREAK b", [[("a", 1.0)], [("b", 1.0)]]),
        ("a, BREAK\n(b:2) BREAK", [[("a,", 1.0)], [("", 1.0), ("b", 2.0), ("", 1.0)], [("", 1.0)]]),
        ("BREAKFAST break 赤BREAK青", [[("BREAKFAST break 赤BREAK青", 1.0)]]),
        ("(a BREAK b:2)", [[("a", 2.0), ("BREAK", -2.0), ("b", 2.0)]]),  # as A1111: a word, within brackets
        ("<lora:ink:0.8>cat", [[("cat", 1.0)]]),
        ("（赤:1.2）", [[("（赤:1.2）", 1.0)]]),  # full-width brackets are letters
        ("", [[]]),
    ],
)
def test_weights_and_breaks(prompt, parts):
    assert weighted(prompt) == parts


def letter_weights(prompt):
    """What each letter of a prompt without breaks weighs, by an account of its own: brackets found by their pairs."""
    letters, pairs, opened, skip = {}, [], {"(": [], "[": []}, 0
    for place, letter in enumerate(prompt):
        if place < skip:
            continue
        rest = prompt[place:]
        number, end = rest[1:].split(")")[0], place + 1 + len(rest[1:].split(")")[0]) + 1
        is_weight = letter == ":" and ")" in rest and opened["("] and number.strip().replace(".", "", 1).isdecimal()
        if letter == "\\":
            skip = place + 2 if rest[1:2] in tuple("()[]\\") else place + 1
            if skip == place + 2:
                letters[place] = rest[1]
        elif letter in "([":
            opened[letter].append(place)
        elif is_weight:
            pairs.append((opened["("].pop(), place, float(number)))
            skip = end
        elif letter == ")" and opened["("]:
            pairs.append((opened["("].pop(), place, 1.1))
        elif letter == "]" and opened["["]:
            pairs.append((opened["["].pop(), place, 1 / 1.1))
        else:
            letters[place] = letter
    pairs += [(place, len(prompt), by) for sign, by in (("(", 1.1), ("[", 1 / 1.1)) for place in opened[sign]]
    found = []
    for place, letter in letters.items():
        weight = 1.0
        for start, stop, by in pairs:
            weight *= by if start < place < stop else 1.0
        found.append((letter, pytest.approx(weight)))
    return found


@given(st.text(alphabet="ab ()[]\\:1.2,", max_size=24))
def test_any_prompt_weighs_what_its_brackets_say(prompt):
    (part,) = parse_prompt(prompt)
    assert [(letter, one.weight) for one in part for letter in one.text] == letter_weights(prompt)
    assert all(one.weight != other.weight for one, other in itertools.pairwise(part))
    assert caption_of(prompt, "a1111") == " ".join("".join(letter for letter, _ in letter_weights(prompt)).split())
    assert caption_of(prompt, "plain") == prompt


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a (red:1.2) cat, [blurry]", "a red cat, blurry"),
        ("a cat BREAK\n a dog BREAK", "a cat a dog"),
        ("(a BREAK b:2)", "a b"),
        (r"rem \(re:zero\) <lora:ink:0.8>", "rem (re:zero)"),
        ("(赤い車:1.3)、青い花", "赤い車、青い花"),
    ],
)
def test_a_scorer_gets_the_words(prompt, words):
    assert caption_of(prompt, "a1111") == words
    assert caption_of(prompt, "plain") == prompt


@pytest.mark.parametrize(
    ("prompt", "plain", "a1111"),
    [
        ("a red cat: 1.5 m", (), ()),
        ("(a (b:2)), [c] BREAK d", ("(a (b:2))", "[c]", "BREAK"), ()),
        (r"rem \(re:zero\)", (r"\(", r"\)"), ()),
        ("[cat:dog:0.5] [a|b] [(c:1.2)]", ("[cat:dog:0.5]", "[a|b]", "[(c:1.2)]"), ("[cat:dog:0.5]", "[a|b]")),
        ("a AND b, <lora:x:1>", ("AND", "<lora:x:1>"), ("AND", "<lora:x:1>")),
        ("(a BREAK b)", ("(a BREAK b)",), ("BREAK",)),
        ("(a", ("(",), ()),
        ("smile :)", (), ()),
        ("LAND BREAKING", (), ()),
    ],
)
def test_what_is_not_read_is_named(prompt, plain, a1111):
    assert unread_syntax(prompt, "plain") == plain
    assert unread_syntax(prompt, "a1111") == a1111


def test_a_long_prompt_of_signs_is_read_once():
    """No sign begins a search that another began: many of them take as long as many letters."""
    for sign in ("[", "(", ")", ": ", "<a:", "\\", "BREAK "):
        prompt = sign * 20_000
        assert len(caption_of(prompt, "a1111")) <= len(prompt)
        assert unread_syntax(prompt, "a1111") is not None
    assert parse_prompt("a") == ((WeightedText("a"),),)
