"""Coming in and going out: the token, an invitation, a password, a proxy's word; and what is written down of it."""

import json
import re
from dataclasses import replace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from benchmarks.app.pages import TOKEN, door_of
from studio.access.door import Door
from studio.access.sessions import PER_ADDRESS
from studio.i18n import LANGUAGES
from studio.judging.annotations import ANNOTATIONS_FILE
from studio.ui.server.app import build_app
from studio.ui.server.gate import Gate
from studio.ui.server.log_in_page import log_in_routes, own_address

HERE, PASSWORD = "http://localhost", "three plain words"


@pytest.fixture
def door(tmp_path) -> Door:
    return door_of(tmp_path / "runs")


@pytest.fixture
def visit(door):
    """Gives a browser in front of the door alone, with cookies of its own; it needs no pages of Gradio."""

    def browser(changed=None, **options):
        app = FastAPI()
        app.include_router(log_in_routes(changed or door))
        app.add_api_route("/", lambda: "the pages")
        gate = Gate(app, door=changed or door, handlers={})
        return TestClient(gate, **{"base_url": HERE, "follow_redirects": False} | options)

    return browser


def who(browser):
    answer = browser.get("/visitor.js")
    return json.loads(re.search(r"\{.*\}", answer.text)[0]) if answer.status_code == 200 else answer.status_code


def test_the_token_becomes_a_cookie_and_leaves_the_address(visit, door):
    browser = visit()
    assert browser.get("/").status_code == 401
    answer = browser.get(f"/en/archive?run=a%20b&token={TOKEN}&id=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/en/archive?run=a+b&id=1")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{door.cookie}=")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert TOKEN not in cookie
    assert "Secure" not in cookie
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert browser.get("/").json() == "the pages"
    assert who(browser) == {"role": "owner", "visitor": ""}


def test_a_wrong_token_opens_nothing(visit):
    browser = visit()
    answer = browser.get("/?token=wrong")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "set-cookie" not in answer.headers
    assert browser.get("/").status_code == 401


@pytest.mark.parametrize("path", ["//example.com/", "/\\example.com/", "///example.com/"])
def test_the_redirect_stays_here(visit, path):
    answer = visit().get(f"{HERE}{path}?token={TOKEN}")
    assert answer.headers["location"] == "/example.com/"


def test_an_invitation_is_a_person_with_a_role(visit, door):
    browser = visit()
    link = door.people.invite("Kenji", "judge")
    browser.get(f"/?token={link}")
    assert who(browser) == {"role": "judge", "visitor": "Kenji"}
    door.people.remove("Kenji")
    assert who(browser) == 401


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_stranger_sees_the_log_in_page_where_a_page_was_asked_for(visit, lang):
    browser = visit(headers={"Accept": "text/html", "Accept-Language": lang})
    answer = browser.get(f"/{lang}/archive?run=<first>")
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert 'value="/' + lang + '/archive?run=%3Cfirst%3E"' in answer.text
    assert {"en": "Password", "ja": "パスワード"}[lang] in answer.text
    assert "<script" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"


def test_a_password_lets_in_and_goes_on_to_what_was_asked_for(visit, door):
    door.people.add("Aiko", "editor", PASSWORD)
    browser = visit()
    wrong = browser.post("/log-in/en", data={"name": "Aiko", "password": "wrong", "to": "/en/archive"})
    assert wrong.status_code == 401
    assert "Name and password do not fit." in wrong.text
    assert "wrong" not in re.sub('class="wrong"|p.wrong|--wrong', "", wrong.text)  # what was typed is not sent back
    right = browser.post("/log-in/en", data={"name": "aiko", "password": PASSWORD, "to": "/en/archive?run=a"})
    assert (right.status_code, right.headers["location"]) == (303, "/en/archive?run=a")
    assert who(browser) == {"role": "editor", "visitor": "Aiko"}
    out = browser.post("/log-out")
    assert (out.status_code, out.headers["location"]) == (303, "/log-in")
    assert who(browser) == 401


def test_whoever_fails_too_often_waits(visit, door):
    door.people.add("Aiko", "editor", PASSWORD)
    for _ in range(PER_ADDRESS):
        door.failures.note("testclient", "somebody")
    answer = visit().post("/log-in/ja", data={"name": "Aiko", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 600
    assert "10分後" in answer.text


@pytest.mark.parametrize(
    ("asked", "own"),
    [("/en/archive?run=a", "/en/archive?run=a"), ("//example.com", "/"), ("/\\example.com", "/"), ("", "/"),
     ("https://example.com", "/"), ("javascript:alert(1)", "/"), ("/a\r\nSet-Cookie: x", "/")],
)  # fmt: skip
def test_nobody_is_sent_to_another_host(asked, own):
    assert own_address(asked) == own


def test_a_proxys_word_counts_from_its_address_alone(visit, door):
    door.people.add("Aiko", "judge", None)
    behind = replace(door, proxy="127.0.0.1", user_header="x-user", names=frozenset({"studio.example.org"}))
    said = {"X-User": "Aiko", "X-Forwarded-Host": "studio.example.org", "X-Forwarded-Proto": "https",
            "Origin": "https://studio.example.org"}  # fmt: skip
    assert who(visit(behind, client=("127.0.0.1", 9), headers=said)) == {"role": "judge", "visitor": "Aiko"}
    assert who(visit(behind, client=("10.0.0.9", 9), headers=said)) == 403  # the origin is not its host
    assert who(visit(behind, client=("10.0.0.9", 9), headers={"X-User": "Aiko"})) == 401
    stranger = visit(behind, client=("127.0.0.1", 9), headers=said | {"X-User": "somebody"})
    assert who(stranger) == 401
    entered = visit(behind, client=("127.0.0.1", 9), headers={"X-Forwarded-Proto": "https"}).get(f"/?token={TOKEN}")
    assert "Secure" in entered.headers["set-cookie"]
    door.people.add("Ken", "judge", PASSWORD)
    secure = visit(behind, client=("127.0.0.1", 9), headers={"X-Forwarded-Proto": "https"})
    logged_in = secure.post("/log-in/en", data={"name": "Ken", "password": PASSWORD})
    assert "Secure" in logged_in.headers["set-cookie"]


def test_failures_behind_a_proxy_are_counted_by_the_browsers_address(visit, door):
    behind = replace(door, proxy="127.0.0.1")
    browser = visit(behind, client=("127.0.0.1", 9), headers={"X-Forwarded-For": "6.6.6.6, 1.2.3.4"})
    browser.post("/log-in/en", data={"name": "nobody", "password": "x"})
    for _ in range(PER_ADDRESS - 1):
        door.failures.note("1.2.3.4", "x")
    assert door.failures.wait("1.2.3.4", "y") > 0
    assert door.failures.wait("6.6.6.6", "y") == 0
    assert door.failures.wait("127.0.0.1", "y") == 0


def events_of(client, lang, page):
    blocks = next(one.app for one in client.app.routes if getattr(one, "path", "") == f"/{lang}").get_blocks()
    return {number: event for number, event in blocks.fns.items() if event.page == page}


def test_who_is_logged_in_is_the_rater_and_it_is_written_down(finished):
    """A judge stars an individual under another name: their own is what counts."""
    door = door_of(finished.runs)
    key = {"Authorization": f"Bearer {door.people.invite('Kenji', 'judge')}"}
    with TestClient(build_app(finished.runs, door), HERE, headers=key) as client:
        events = events_of(client, "en", "archive")
        opens = next(n for n, event in events.items() if {kind for _, kind in event.targets} == {"load"})
        keeps = next(n for n, event in events.items() if event.fn and event.fn.__name__ == "on_keep")
        chosen = next(n for n, event in events.items() if event.fn and event.fn.__name__ == "on_open")

        def call(number, data, event_data=None):
            asked = {"fn_index": number, "data": data, "session_hash": "kenjis", "event_data": event_data}
            client.post("/en/gradio_api/queue/join", json=asked).raise_for_status()
            with client.stream("GET", "/en/gradio_api/queue/data?session_hash=kenjis") as stream:
                told = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
            done = next(one for one in told if one["msg"] == "process_completed")
            assert done["success"], done
            return done["output"]["data"]

        call(opens, [])
        call(chosen, ["first"], {"id": "ja"})
        call(keeps, ["first", None, "Somebody Else", 4, "kept", ""])
    lines = [line for line in door.audit.lines() if line["what"] == "rate an individual"]
    assert [(line["who"], line["role"], line["subject"]) for line in lines] == [("Kenji", "judge", "first")]
    written = (finished.runs / "first" / ANNOTATIONS_FILE).read_text("utf-8")
    assert "Kenji" in written
    assert "Somebody Else" not in written
    (finished.runs / "first" / ANNOTATIONS_FILE).unlink()
