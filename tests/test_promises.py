"""SECURITY.md names a test beside every promise: each of them is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
PROMISES = [
    line.strip("| ").rsplit(" | ", 1)
    for line in PAGE[PAGE.index("| Promise | Test |") :].split("\n\n")[0].splitlines()[2:]
]


@pytest.fixture(scope="module")
def known():
    """The names of all tests."""
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize(("promise", "held_by"), PROMISES, ids=[promise[:40] for promise, _ in PROMISES])
def test_every_promise_names_tests_that_are_there(known, promise, held_by):
    named = re.findall(r"`(test_\w+)", held_by)
    assert named, promise
    assert set(named) <= known
