"""Tests of pages ask as often as it takes: what a page does not show yet is no failure, and no pass either."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What reads a page once. `expect` waits for the same.
READ_ONCE = {
    "all_inner_texts", "count", "get_attribute", "inner_text", "input_value", "is_checked", "is_disabled",
    "is_enabled", "is_hidden", "is_visible", "text_content",
}  # fmt: skip
FOUND_BY = {"locator", "get_by_label", "get_by_role", "get_by_text"}


def read_once(tree):
    """What is asserted straight of something found on a page, as it is written."""
    for node in ast.walk(tree):
        for call in ast.walk(node.test) if isinstance(node, ast.Assert) else ():
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            if call.func.attr in READ_ONCE and FOUND_BY & {
                part.attr for part in ast.walk(call.func.value) if isinstance(part, ast.Attribute)
            }:
                yield ast.unparse(call)


def test_nothing_found_on_a_page_is_asserted_without_waiting():
    found = {
        (path.relative_to(ROOT).as_posix(), call)
        for path in ROOT.rglob("test_*.py")
        for call in read_once(ast.parse(path.read_text("utf-8")))
    }
    assert found == set()


def test_what_is_asserted_without_waiting_is_seen():
    text = "assert page.locator('img').count() == 2\nassert shown.count('<img') == 2\n"
    assert list(read_once(ast.parse(text))) == ["page.locator('img').count()"]
