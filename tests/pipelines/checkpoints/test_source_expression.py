"""What is written for a source, as text: names, signs, full-width letters, and what is none of them."""

import pytest

from pipelines.checkpoints.source_expression import parse_source, parse_terms
from pipelines.errors import SourceError


def test_only_a_number_and_a_star_after_a_sign_begin_a_lora():
    assert parse_terms("a + b.safetensors") == ("a + b.safetensors", [])
    assert parse_terms("a + 2 * b + c + 0.5 * d") == ("a", [("2", "b + c"), ("0.5", "d")])
    assert parse_terms("a + 2 unet * b + 1 clip * b") == ("a", [("2 unet", "b"), ("1 clip", "b")])
    assert parse_terms("a + 2 vae * b") == ("a + 2 vae * b", [])
    assert parse_terms("a+2*b") == ("a+2*b", [])
    assert parse_terms("a-2*b") == ("a-2*b", [])
    assert parse_terms("a * 2 + 3") == ("a * 2 + 3", [])
    assert parse_terms("a - b - 3") == ("a - b - 3", [])


@pytest.mark.parametrize(
    ("text", "scale"),
    [
        ("a - 0.5 * b", "-0.5"),
        ("a - -0.50 * b", "0.50"),
        ("a - +.5 * b", "-.5"),
        ("a + -1e-1 * b", "-1e-1"),
        ("a ＋ ０．８ ＊ b", "0.8"),
        ("a　＋　０．８　×　b", "0.8"),
        ("a＋0.8＊b", "0.8"),
        ("a － 0.5 * b", "-0.5"),
        ("a−１×b", "-1"),
        ("a + －0.5 * b", "-0.5"),
        ("a + 0.8 unet * b", "0.8 unet"),
        ("a − 0.50  clip × b", "-0.50 clip"),
        ("a ＋ ０．８ unet＊b", "0.8 unet"),
    ],
)
def test_signs_belong_to_scales_and_may_be_full_width(text, scale):
    parsed = parse_source(text)
    assert (parsed.base, parsed.adapters) == ("a", ((scale, "b"),))
    assert parse_source(parsed.text) == parsed


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("half = a + 0.5 * b", "half", "a + 0.5 * b"),
        ("墨 半分＝a ＋ ０．５ ＊ b", "墨 半分", "a + 0.5 * b"),
        ("a=b", None, "a=b"),
        ("models/a = b", None, "models/a = b"),
        ("x = y = z", "x", "y = z"),
    ],
)
def test_a_name_stands_before_an_equals_sign(text, name, rest):
    parsed = parse_source(text)
    assert (parsed.name, parsed.uri) == (name, rest)
    assert parse_source(parsed.text) == parsed


@pytest.mark.parametrize("text", ["a + 1e999 * b", "a - 1e999 * b", "a ＋ 1 ＊ "])
def test_refuses_half_a_term(text):
    with pytest.raises(SourceError, match=r"cannot be read at '.*'\. Expected a diffusers folder"):
        parse_source(text)


@pytest.mark.parametrize(
    ("text", "base", "prediction"),
    [
        ("a as v-prediction", "a", "v-prediction"),
        ("a as V-Prediction+ztsnr", "a", "v-prediction+ztsnr"),
        ("a.safetensors as epsilon ", "a.safetensors", "epsilon"),
        ("a as ｖ－ｐｒｅｄｉｃｔｉｏｎ", "a", "v-prediction"),
        ("same as before", "same as before", None),
        ("a as v", "a as v", None),
        ("a as b as epsilon", "a as b", "epsilon"),
        ("a as v-prediction + 0.5 * b", "a as v-prediction", None),  # it stands last
    ],
)
def test_what_a_source_predicts_stands_last(text, base, prediction):
    parsed = parse_source(text)
    assert (parsed.base, parsed.prediction) == (base, prediction)
    assert parse_source(parsed.text) == parsed


def test_what_a_source_predicts_goes_with_names_and_loras(tmp_path, monkeypatch):
    parsed = parse_source("mine = a + 0.5 * b as v-prediction")
    assert (parsed.name, parsed.base, parsed.adapters) == ("mine", "a", (("0.5", "b"),))
    assert parsed.text == "mine = a + 0.5 * b as v-prediction"
    (tmp_path / "a as epsilon").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse_source("a as epsilon").prediction is None  # a path that is there is that path
    assert parse_source("x = a as epsilon").base == "a as epsilon"


def test_strengths_of_parts_and_what_is_predicted_stand_together():
    parsed = parse_source("mine = a + 0.8 unet * b − ０．５ clip × b as v-prediction+ztsnr")
    assert parsed.adapters == (("0.8 unet", "b"), ("-0.5 clip", "b"))
    assert parsed.prediction == "v-prediction+ztsnr"
    assert parsed.uri == "a + 0.8 unet * b + -0.5 clip * b as v-prediction+ztsnr"
    assert parse_source(parsed.text) == parsed
