"""Whatever a person can be told has a template and values, and a Japanese wording; the command line says it in English.

The tree is walked: a new error whose message is put together before it is raised, or has no Japanese words, fails here.
"""

import ast
import copy
import functools
import json
import re
import string
from pathlib import Path

import gradio as gr
import pytest

import studio
from pipelines.checkpoints.source_expression import FORMS, parse_source
from pipelines.errors import (
    DiskError,
    M2N2Error,
    Phrase,
    RecipeError,
    SourceError,
    joined,
)
from pipelines.untrusted import UnreadableDocument, parse_json
from studio.errors import ConfigError, RunError
from studio.i18n import LANGUAGES, phrase, t, worded, words
from studio.runs.config import checked
from studio.ui.common.frame import guarded

ROOT = Path(studio.__file__).parent.parent
SENTENCES = json.loads((ROOT / "studio/locales/errors.ja.json").read_text("utf-8"))
ROOTS = {"M2N2Error", "InvalidValue", "Phrase"}
# Calls that hand a phrase on, made elsewhere of a template.
HANDED_ON = {
    "pipelines/errors.py": ("separator.join", "template"),
    "studio/i18n.py": ("words('en')[key]",),
    "studio/stored_messages.py": ("template.text",),
    "studio/jobs/process.py": ("refusal",),
    "studio/monitoring/scheduler.py": ("_busy(export)",),
}


@functools.cache
def nodes():
    """File and node of every class, call and handler of exceptions in the program."""
    files = [file for room in ("pipelines", "eval", "studio") for file in sorted((ROOT / room).rglob("*.py"))]
    return [
        (file.relative_to(ROOT).as_posix(), node)
        for file in files
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef | ast.Call | ast.ExceptHandler)
    ]


def name_of(node):
    return getattr(node, "id", getattr(node, "attr", ""))


@functools.cache
def messages():
    """Every call that makes a message: file and line, and the call."""
    kinds, before = set(ROOTS), 0
    classes = [node for _, node in nodes() if isinstance(node, ast.ClassDef)]
    while before != len(kinds):
        before = len(kinds)
        kinds |= {node.name for node in classes if kinds & {name_of(base) for base in node.bases}}
    of_their_own = {
        node.name: call
        for node in classes
        if node.name in kinds - ROOTS
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__"
    }
    return list(of_their_own.items()) + [
        (file, node)
        for file, node in nodes()
        if isinstance(node, ast.Call) and name_of(node.func) in kinds - of_their_own.keys()
    ]


def placeholders(template):
    return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}


def templates():
    return {call.args[0].value for _, call in messages() if call.args and isinstance(call.args[0], ast.Constant)}


def test_every_message_is_a_template_with_its_values():
    made_before = []
    for file, call in messages():
        place, template = f"{file}:{call.lineno}", call.args[0] if call.args else None
        if isinstance(template, ast.Constant) and isinstance(template.value, str):
            values = {keyword.arg for keyword in call.keywords}
            assert values - {None} == placeholders(template.value) or None in values, place
        elif not (isinstance(template, ast.Call) and name_of(template.func) == "phrase"):
            said = ast.unparse(template) if template else "nothing"
            if not said.startswith(HANDED_ON.get(file, ("\0",))):
                made_before.append(f"{place}: {said[:80]}")
    assert made_before == []
    assert len(messages()) > 500


def test_pages_word_the_errors_that_they_catch():
    bare = []
    for file, handler in nodes():
        caught = isinstance(handler, ast.ExceptHandler) and handler.name and handler.type
        if not (file.startswith("studio/ui") and caught and "M2N2Error" in ast.unparse(handler.type)):
            continue
        worded_or_handed_on = [
            part
            for node in ast.walk(handler)
            if (isinstance(node, ast.Call) and name_of(node.func) in ("worded", "type", "add_note", "field_of"))
            or isinstance(node, ast.Raise)
            or (isinstance(node, ast.Attribute) and node.attr == "phrase")
            for part in ast.walk(node if not isinstance(node, ast.Raise) else node.cause or ast.Pass())
        ]
        bare += [
            f"{file}:{node.lineno}"
            for node in ast.walk(handler)
            if isinstance(node, ast.Name) and node.id == handler.name and node not in worded_or_handed_on
        ]
    assert bare == []


def test_every_message_has_japanese_words():
    lacking = {one for one in templates() if re.search("[A-Za-z]", re.sub(r"\{[^}]*\}", "", one))} - SENTENCES.keys()
    assert lacking == set()


def test_no_japanese_words_are_left_over():
    assert SENTENCES.keys() - templates() == set()
    assert list(SENTENCES) == sorted(SENTENCES)


def test_japanese_words_fill_the_same_gaps():
    for english, japanese in SENTENCES.items():
        assert placeholders(english) == placeholders(japanese), english


def test_a_message_is_english_and_is_worded_in_japanese_with_what_is_in_it():
    error = SourceError("There is nothing at {text}. {forms}.", text="a{b}", forms=FORMS)
    assert str(error).startswith("There is nothing at a{b}. Expected a diffusers folder")
    assert worded("en", error) == str(error)
    assert worded("ja", error).startswith("a{b} には何もありません。使えるのは、diffusers フォルダー")
    assert worded("ja", RecipeError("{reason}", reason=error)) == worded("ja", error)
    assert worded("ja", joined("; ", [Phrase("a web page"), "x"])) == "ウェブページ; x"
    assert worded("ja", "as it stands") == "as it stands"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_phrase_of_the_pages_is_worded_as_the_page_would(lang):
    assert worded(lang, RunError(phrase("fetch_first", names="a, b"))) == t(lang, "fetch_first", names="a, b")


def test_a_message_can_be_copied():
    error = copy.copy(DiskError("{folder} is {problem}", folder="{x}", problem=Phrase("black {n}", n=3)))
    assert str(error) == "{x} is black 3"
    assert error.phrase.values["problem"].template == "black {n}"
    assert json.dumps({"said": error.phrase}) == '{"said": "{x} is black 3"}'


def test_what_a_validator_says_is_worded_too():
    with pytest.raises(ConfigError) as caught:
        checked({"sources": ["a", "b"], "host": {"default": "a"}, "prompts": "p", "held_out": "h", "archive": 1})
    assert "archive" in str(caught.value)
    with pytest.raises(UnreadableDocument) as unread:
        parse_json('{"a": [1, 2')
    assert worded("ja", unread.value.phrase) == "1 行 12 文字目が JSON ではありません"


def shown(lang, handler):
    """What a page shows of a handler's error."""
    with pytest.raises(gr.Error) as caught:
        guarded(lang, handler)()
    return str(caught.value.message)


def test_a_page_says_errors_in_its_language():
    assert "素材モデルの指定が空です。" in shown("ja", lambda: parse_source(" "))
    assert "A source is named by nothing." in shown("en", lambda: parse_source(" "))

    def full():
        raise OSError(28, "No space left on device", "/x")

    assert "読み書きでき、空きのある場所が必要です" in shown("ja", full)
    assert "with room left" in shown("en", full)
    assert isinstance(DiskError("{what}", what="x"), M2N2Error)
    assert "error_title" in words("ja")
