"""Regular expressions: none that outside text is held against takes more steps than the text has letters."""

import ast
import re
from pathlib import Path

import pytest

from pipelines.adapters.peft_config import PeftConfig
from pipelines.checkpoints.source_expression import _NAMED, _NUMBER, _SIGN, _TERM, MOST_LETTERS, parse_terms
from pipelines.checkpoints.source_uri import default_name
from pipelines.errors import SourceError

ROOT = Path(__file__).parents[1]

#: How many patterns a module has, with what they are held against. A new one is looked at for repeats that overlap, or
#: that begin again within what they have read, before it is counted here.
PATTERNS = {
    "pipelines/adapters/foreign.py": (11, "a tensor's name: fixed words"),
    "pipelines/adapters/peft_config.py": (
        3,
        "an adapter's own: one repeat, against a name of limited length",
    ),
    "pipelines/adapters/reading.py": (1, "the beginning of a name"),
    "pipelines/adapters/roles.py": (3, "a tensor's name: fixed words, one lazy repeat"),
    "eval/scorers/checked_config.py": (1, "a name, whole"),
    "pipelines/architectures/keys.py": (1, "a tensor's name, split at digits"),
    "pipelines/architectures/sdxl_single_file.py": (4, "a tensor's name, from fixed words on"),
    "pipelines/architectures/sdxl_single_file_names.py": (1, "dots"),
    "pipelines/checkpoints/hub.py": (1, "files of a repository"),
    "pipelines/checkpoints/hub_names.py": (1, "a name, whole"),
    "pipelines/checkpoints/weight_files.py": (1, "a shard's name, whole: one lazy repeat, digits of limited length"),
    "pipelines/checkpoints/source_expression.py": (3, "a person's line, possessive and of limited length"),
    "pipelines/exporting/metadata.py": (1, "a name, one repeat of letters that it replaces"),
    "pipelines/exporting/manifest.py": (2, "a line of a manifest, whole: one repeat at its end; single letters"),
    "pipelines/generation/prompt_syntax.py": (
        4,
        "a caption: possessive, of limited length, or fixed words",
    ),
    "pipelines/storage/unfinished.py": (1, "a file's name, whole, with a fixed end"),
    "pipelines/storage/pickled.py": (2, "what torch says"),
    "pipelines/untrusted.py": (2, "a document: possessive, and what is not closed is read too"),
    "studio/exporting/export_names.py": (2, "a name, whole"),
    "studio/licences/names.py": (3, "a licence's name: one repeat of letters that it replaces; fixed words"),
    "studio/licences/inheritance.py": (3, "a licence's name, split at fixed words; a file's name"),
    "studio/library/merge_notes.py": (1, "a name: fixed words"),
    "studio/library/prompt_library.py": (1, "a name of limited length, whole"),
    "studio/markdown.py": (5, "single letters; repeats of limited length, or of one letter"),
    "studio/reference_pages/dependencies.py": (2, "lists of packages that come with the program"),
    "studio/reports/figures.py": (4, "what Matplotlib wrote"),
    "studio/runs/picture_names.py": (1, "single letters"),
    "studio/ui/server/answer_headers.py": (2, "an address, from its beginning: fixed words"),
    "studio/ui/server/route_roles.py": (1, "an address, whole: fixed words, then all that follows"),
    "studio/ui/export/steps.py": (1, "a card: up to the first blank or bracket"),
}


def patterns(tree):
    """Every call of the module of regular expressions that takes a pattern."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and re.fullmatch(r"re\.(?!escape)\w+", ast.unparse(node.func)):
            yield node


def test_every_pattern_is_known():
    found = {
        path.relative_to(ROOT).as_posix(): count
        for room in ("studio", "eval", "pipelines")
        for path in (ROOT / room).rglob("*.py")
        if (count := len(list(patterns(ast.parse(path.read_text("utf-8"))))))
    }
    assert found == {place: count for place, (count, _) in PATTERNS.items()}


@pytest.mark.parametrize(
    "text",
    [" " * 70_000, "a" + " " * 70_000 + "b", "a + " + "9" * 70_000, "a +" + " " * 70_000, "a + 1" + " " * 70_000],
)
def test_a_source_of_many_letters_is_refused(text):
    with pytest.raises(SourceError, match=f"{MOST_LETTERS}|by nothing"):
        parse_terms(text)


def test_a_line_of_blanks_is_read_once():
    """Blanks that lead to no sign are passed over whole: no repeat begins within them, and none gives back."""
    blanks = " " * (MOST_LETTERS - 2)
    assert _SIGN.search(f"a{blanks}b") is None
    assert _NAMED.fullmatch(f"a{blanks}b") is None
    for start in (2, 100, len(blanks)):  # within the blanks nothing is tried
        assert _SIGN.match(f"a{blanks}+ 1 * b", start) is None
    assert _SIGN.match(f"a{blanks}+ 1 * b", 1).end() == len(blanks) + 3
    for pattern, kept in ((_SIGN.pattern, 0), (_TERM.pattern, 1), (_NAMED.pattern, 1), (_NUMBER, 0)):
        plain = re.sub(r"\[[^]]*\]", "x", pattern)  # what is kept runs to the end of the line
        assert len(re.findall(r"(?<![+*\\])[+*](?!\+)", plain)) == kept


@pytest.mark.parametrize(
    ("text", "base", "loras"),
    [
        ("a", "a", []),
        (" a  +  0.8  *  b ", "a", [("0.8", "b")]),
        ("a + .5 * b + -1e-3 * c d", "a", [(".5", "b"), ("-1e-3", "c d")]),
        ("a + b", "a + b", []),
        ("a+0.8 * b", "a+0.8 * b", []),
        ("a + 1. * b", "a", [("1.", "b")]),
    ],
)
def test_the_little_language_means_what_it_meant(text, base, loras):
    assert parse_terms(text) == (base, loras)


@pytest.mark.parametrize("text", ["a\0", "\ud800", "~\ud800", "x" * 256, f"/a/{'x' * 300}", "a + 1 * " + "y" * 256])
def test_what_no_path_can_hold_is_refused_in_words(text):
    with pytest.raises(SourceError, match="named by"):
        default_name(text)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)+$", ".*.*x", "a{9}{9}", "x" * 513])
def test_an_adapters_own_expression_takes_no_time_without_end(pattern):
    with pytest.raises(SourceError, match="may take without end"):
        PeftConfig({"alpha_pattern": {pattern: 2}}).ratio("a" * 40, 4, "lora_alpha")
    assert (
        PeftConfig({"alpha_pattern": {r"attentions\.\d+\.proj_in": 2}}).ratio("attentions.0.proj_in", 4, "lora_alpha")
        == 0.5
    )
