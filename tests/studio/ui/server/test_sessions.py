"""What is remembered of open pages: the latest, what has changed of them, and closed ones for ten minutes."""

import asyncio
import datetime
from collections import OrderedDict

import gradio as gr
import pytest

from studio.ui.server.sessions import CLOSED_FOR, SESSIONS, Sessions


@pytest.fixture
def sessions(finished_app, monkeypatch):
    """Those of the pages in one language, none at first."""
    routes = [getattr(route, "app", None) for route in finished_app.routes]
    english, japanese = (app.state_holder for app in routes if hasattr(app, "get_blocks"))
    assert isinstance(japanese, Sessions)
    monkeypatch.setattr(english, "session_data", OrderedDict())
    return english


def test_only_the_latest_open_pages_are_remembered(sessions, monkeypatch):
    """Gradio would keep ten thousand."""
    assert sessions.capacity == SESSIONS
    monkeypatch.setattr(sessions, "capacity", 3)
    for name in ("a", "b", "c", "a", "d"):
        assert sessions[name] is sessions[name]
    assert list(sessions.session_data)[-3:] == ["c", "a", "d"]
    assert len(sessions.session_data) == 3


def test_a_page_that_is_drawn_again_and_again_is_kept_once_and_never_described():
    """Gradio would keep ten copies of the component, and describe each of some thousand components."""
    answers = iter([gr.HTML(visible=True), "drawn"] * 10)

    async def drawn_often():
        with gr.Blocks() as pages:
            shown = gr.HTML(visible=False)
            pages.load(lambda: next(answers), outputs=shown)
        session, (draw,) = Sessions(pages)["x"], pages.fns.values()
        told = [(await pages.process_api(draw, [], state=session))["data"][0] for _ in range(20)]
        return pages, shown._id, session, told

    pages, number, session, told = asyncio.run(drawn_often())
    assert told[1::2] == ["drawn"] * 10
    assert session.blocks_config.blocks.keys() == pages.blocks.keys()
    assert session[number].visible  # the copy that was changed is kept
    assert not pages.blocks[number].visible
    assert list(session.components) == []


def test_a_closed_page_is_forgotten_after_ten_minutes(sessions):
    for name in ("open", "slept", "gone"):
        sessions[name].is_closed = name != "open"
    for name in ("open", "gone"):
        sessions.time_last_used[name] -= CLOSED_FOR + datetime.timedelta(seconds=1)
    changed = sessions["slept"]
    assert sessions["new"] is not changed
    assert {"open", "slept", "new"} <= set(sessions.session_data)
    assert "gone" not in sessions.session_data
    assert "gone" not in sessions.time_last_used
    assert sessions["slept"] is changed
