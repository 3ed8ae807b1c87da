"""What is said beside a field is about a field that the page has."""

import ast
import asyncio
from pathlib import Path

import pytest

from pipelines.errors import SourceError
from studio import ui
from studio.errors import RunError
from studio.ui.common.field_errors import at_field, field_of
from studio.ui.common.frame import PAGES
from studio.ui.server.app import build_pages

ROOM = Path(ui.__file__).parent


def named_fields(page):
    """The fields that errors of a page are about, as its code writes them."""
    room = ROOM / {"weak": "weak_spots", "new": "new_run"}.get(page, page)
    calls = [node for file in room.glob("*.py") for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    given = [
        call.args[0] for call in calls if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "at_field"
    ]
    ends = [end for one in given for end in ((one.body, one.orelse) if isinstance(one, ast.IfExp) else (one,))]
    return {end.value for end in ends if isinstance(end, ast.Constant)}


@pytest.fixture(scope="module")
def ids(finished):
    async def built():  # Gradio makes an event loop of its own where there is none
        return build_pages(finished, "en")

    demo = asyncio.run(built())
    on = {page: set() for page in PAGES}
    for block in demo.blocks.values():
        on[block.page or PAGES[0]].add(block.elem_id)
    return on


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_the_fields_that_its_errors_are_about(page, ids):
    assert named_fields(page) - ids[page] == set()


def test_the_form_of_a_new_run_has_those_that_it_checks_by_name(ids):
    assert {"fork-of", "start", "votes", "prompts", "held_out", "scorer", "reporter"} <= ids["new"]
    assert len(named_fields("new")) > 5


def test_no_number_is_refused_by_gradio_in_english():
    """Its box would refuse what is out of range before any handler, in a corner, whatever the page's language."""
    calls = [node for file in ROOM.rglob("*.py") for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    numbers = [one for one in calls if isinstance(one, ast.Call) and getattr(one.func, "attr", "") == "Number"]
    assert len(numbers) >= 4
    assert not {keyword.arg for number in numbers for keyword in number.keywords} & {"minimum", "maximum"}


def test_the_innermost_field_is_the_one():
    with pytest.raises(RunError) as caught, at_field("outer"), at_field("inner"):
        raise RunError("This is about the inner one.")
    assert field_of(caught.value) == "inner"
    assert str(caught.value) == "This is about the inner one."
    assert field_of(SourceError("This is about nothing here.")) is None
