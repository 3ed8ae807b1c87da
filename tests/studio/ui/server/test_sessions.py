"""What is remembered of open pages: the latest, what has changed of them, and closed ones for ten minutes."""

import datetime
from collections import OrderedDict

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


def test_a_page_is_not_described_before_it_changes(sessions):
    """Gradio would describe some thousand components of all pages for each that is opened."""
    session, number = sessions["x"], next(iter(sessions.blocks.blocks))
    assert list(session.components) == []
    session[number] = session[number]
    assert [one["id"] for one in session.components] == [number]


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
