"""Both languages say everything, with the same placeholders, and nothing that no page uses."""

import ast
import re
import string
from pathlib import Path

import pytest

import studio
from studio.i18n import LANGUAGES, preferred_language, t, words

_STUDIO = Path(studio.__file__).parent
ROOMS = ("reports", "exporting", "licences", "library", "conditions", "doctor", "analysis", "judging")  # beside pages
SOURCES = [
    *sorted(_STUDIO.glob("ui/**/*.py")),
    *(file for room in ROOMS for file in sorted(_STUDIO.glob(f"{room}/*.py"))),
    *sorted(_STUDIO.glob("*.py")),
]
TEMPLATES = [*sorted(_STUDIO.glob("reports/templates/*.html")), *sorted(_STUDIO.glob("ui/**/templates/*.html"))]


def placeholders(phrase):
    return sorted(field for _, field, _, _ in string.Formatter().parse(phrase) if field is not None)


def literals():
    """Every string in the pages' code, and the constant beginning of every f-string."""
    whole, beginnings = set(), set()
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                beginnings.add(node.values[0].value)
            elif isinstance(node, ast.JoinedStr) and len(node.values) == 2 and isinstance(node.values[1], ast.Constant):
                beginnings.add(node.values[1].value)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
    for file in TEMPLATES:
        text = file.read_text("utf-8")
        whole |= set(re.findall(r"""["'](\w+)["']""", text))
        beginnings |= {
            part for pair in re.findall(r"""["']([a-z]+_)["'] ~|~ ["'](_[a-z]+)["']""", text) for part in pair
        }
    return whole, {beginning for beginning in beginnings if len(beginning) > 2 and " " not in beginning}


def test_both_languages_hold_the_same_phrases():
    assert list(words("en")) == list(words("ja"))
    for key, phrase in words("en").items():
        assert placeholders(phrase) == placeholders(words("ja")[key]), key
        assert phrase.strip()
        assert words("ja")[key].strip()


def test_every_phrase_is_used():
    whole, beginnings = literals()
    unused = [
        key
        for key in words("en")
        if key not in whole and not any(key.startswith(start) or key.endswith(start) for start in beginnings)
    ]
    assert unused == []


def test_every_phrase_asked_for_exists():
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "t":
                key = node.args[1]
                if isinstance(key, ast.Constant):
                    assert key.value in words("en"), f"{file.name}: {key.value}"


def test_every_phrase_that_a_template_asks_for_exists():
    for file in TEMPLATES:
        for key in re.findall(r"""\bt\(["']([^"']+)["'](?! ~)""", file.read_text("utf-8")):
            assert key in words("en"), f"{file.name}: {key}"


def test_placeholders_are_filled_in():
    assert t("en", "minutes", n=14) == "14 minutes"
    assert t("ja", "minutes", n=14) == "14 分"


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("ja,en-US;q=0.7,en;q=0.3", "ja"),
        ("en-GB,ja;q=0.5", "en"),
        ("fr-FR,ja;q=0.4,en;q=0.6", "en"),
        ("fr", "en"),
        ("ja;q=nonsense", "ja"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_the_browsers_language_decides(header, lang):
    assert preferred_language(header) == lang
    assert lang in LANGUAGES
