"""English messages that were stored are told apart again, and never made into another text."""

import json
import re
import string
from pathlib import Path

import studio
from pipelines.errors import DiskError, GenerationError, Phrase
from studio.errors import RunError
from studio.i18n import worded
from studio.stored_messages import stored_phrase

ERRORS = Path(studio.__file__).with_name("locales") / "errors.ja.json"


def test_a_message_that_was_stored_is_recognised():
    inner = GenerationError(
        "{recipe}: the picture for {prompt!r} (seed {seed}) {problem}",
        recipe="child",
        prompt="cat's {a} and b",
        seed=3,
        problem=Phrase("is black"),
    )
    stored = str(RunError("No source draws the held-out prompts. {failure}", failure=inner))
    found = stored_phrase(stored)
    assert found == stored
    assert worded("ja", found).startswith("評価専用のプロンプトを生成できる素材モデルがありません。child：")
    assert '"cat\'s {a} and b"（シード 3）の画像' in worded("ja", found)
    size = str(DiskError("{what}: {needed:.1f} GB", what="x", needed=2.34))
    assert stored_phrase(size) == size
    full = "cuda has no room for this model. Expected 10.0 GB: close what else uses it."
    assert worded("ja", stored_phrase(full)).startswith("cuda のメモリーが足りません。10.0 GB 必要です。")
    for strange in ("", "KeyError: 'x'", "a and b more", "There is nothing at {x"):
        assert worded("ja", stored_phrase(strange)) == strange


def test_every_message_that_tells_something_is_recognised():
    """Of each template, with words in its gaps: found again, or left as it is; never another text."""

    class Anything(dict):
        def __missing__(self, key):
            return 7

    for template in json.loads(ERRORS.read_text("utf-8")):
        text = string.Formatter().vformat(template, (), Anything())
        assert stored_phrase(text) == text
        telling = sum(map(str.isalpha, re.sub(r"\{[^}]*\}", "", template))) >= 20
        if telling and "}{" not in template:  # of two gaps in a row nobody knows where the first ends
            assert isinstance(stored_phrase(text), Phrase), template
