"""The gate: each handler and each address, called by a stranger and by every role; and where a request comes from."""

import itertools
import json
import re

import pytest
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

from benchmarks.app.pages import KEY
from studio.access.roles import ROLES, may
from studio.i18n import LANGUAGES
from studio.ui.server.answer_headers import A_YEAR, ALWAYS
from studio.ui.server.app import handler_roles
from studio.ui.server.gate import Gate
from studio.ui.server.handler_table import handler_table
from studio.ui.server.route_roles import ROUTE_ROLES, route_role

HERE = "http://localhost"
# What of Gradio somebody who is in can reach at all. Whoever adds to it says why a page needs it.
REACHED = {
    "/", "/app_id", "/cancel", "/config", "/file={path_or_url:path}", "/heartbeat/{session_hash}", "/info",
    "/login_check", "/manifest.json", "/queue/data", "/queue/join", "/queue/status", "/reset", "/run/{api_name}",
    "/startup-events", "/static/{path:path}", "/assets/{path:path}", "/svelte/{path:path}", "/theme.css", "/upload",
    "/upload_progress", "/user",
}  # fmt: skip


@pytest.fixture(scope="module")
def door(finished_door):
    return finished_door


@pytest.fixture(scope="module")
def pages(finished_app):
    """The pages of each language, in its order."""
    found = [route.app for route in finished_app.routes if hasattr(getattr(route, "app", None), "get_blocks")]
    return dict(zip(LANGUAGES, found, strict=True))


@pytest.fixture(scope="module")
def keys(door):
    """What each role sends to come in; a stranger sends nothing."""
    links = {role: door.people.invite(f"a {role}", role) for role in ROLES}
    return {role: {"Authorization": f"Bearer {link}"} for role, link in links.items()} | {None: {}}


@pytest.fixture(scope="module")
def gate(door, pages):
    """A client of the gate alone: whatever it lets through is answered with `reached`."""
    handlers = {lang: handler_roles(page.get_blocks()) for lang, page in pages.items()}
    return TestClient(Gate(PlainTextResponse("reached"), door=door, handlers=handlers), HERE, follow_redirects=False)


@pytest.fixture(scope="module")
def client(finished_app):
    return TestClient(finished_app, HERE, follow_redirects=False)


def routes_of(app):
    """Every route of an application, those of routers that it includes too."""
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        yield from routes_of(inner) if inner else [route]


def called(client, address, number, key, **more):
    asked = {"fn_index": number, "data": [], "session_hash": None} | more
    return client.post(address, json=asked, headers=key)


def test_every_handler_has_a_role_and_is_closed_to_whoever_has_less(gate, pages, keys):
    counted = 0
    for lang, page in pages.items():
        for number, event in page.get_blocks().fns.items():
            needed = handler_roles(page.get_blocks())[number]
            assert (needed is None) is (event.fn is None), f"{event.page}: a handler without a role"
            counted += needed is not None
            for way, who in itertools.product(("queue/join", "run/predict"), (None, *ROLES)):
                answer = called(gate, f"/{lang}/gradio_api/{way}", number, keys[who])
                allowed = who is not None and needed is not None and may(who, needed)
                assert answer.status_code == (200 if allowed else 401 if who is None else 403), (event.name, who)
                assert allowed or answer.json()["detail"]
    assert counted > 160


def test_the_real_application_asks_the_same_of_its_queue(client, pages, keys):
    lang, page = next(iter(pages.items()))
    roles = handler_roles(page.get_blocks())
    editing = next(number for number, needed in roles.items() if needed == "editor")
    looking = next(number for number, needed in roles.items() if needed == "viewer")
    address = f"/{lang}/gradio_api/queue/join"
    assert called(client, address, editing, keys["judge"], session_hash="judges").status_code == 403
    assert called(client, address, editing, {}, session_hash="nobodys").status_code == 401
    assert "event_id" in called(client, address, looking, keys["viewer"], session_hash="viewers").json()


@pytest.mark.parametrize("number", [None, "1", 1.0, True, -1, 100_000, [1]])
def test_only_a_handlers_number_calls_it(gate, keys, number):
    assert called(gate, "/en/gradio_api/queue/join", number, keys["owner"]).status_code == 403


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, b'"fn_index"', b"\xff"])
def test_what_is_no_call_is_refused(gate, keys, body):
    assert gate.post("/en/gradio_api/queue/join", content=body, headers=keys["owner"]).status_code == 400


def test_of_gradio_only_what_pages_need_is_reached(gate, pages, keys):
    for lang, page in pages.items():
        reached = set()
        for route in routes_of(page):
            for method in getattr(route, "methods", None) or {"GET"}:
                path = f"/{lang}{re.sub('{[^}]+}', 'x', route.path)}".replace("/run/x", "/run/predict")
                stranger = gate.request(method, path)
                assert stranger.status_code == 401, (method, path)
                needed = route_role(method, path)
                for role in ROLES:
                    answer = gate.request(method, path, headers=keys[role], json={"session_hash": None})
                    if needed is None or not may(role, needed.role):
                        assert answer.status_code in (403, 404), (method, path, role)
                if needed is not None:
                    reached.add(re.sub("^/gradio_api", "", route.path).rstrip("/") or "/")
        assert {one for one in reached if f"/{lang}{one}" not in PAGE_ADDRESSES[lang]} <= REACHED


PAGE_ADDRESSES = {
    lang: {f"/{lang}/{page}" for page in ("new", "sources", "archive", "compare", "judge", "weak", "export", "monitor",
                                          "prompts")}
    for lang in LANGUAGES
}  # fmt: skip


def test_our_own_addresses_are_all_in_the_table(finished_app, gate):
    public = {one.pattern for one in ROUTE_ROLES if one.role is None}
    assert len(public) == 3
    for route in routes_of(finished_app):
        for method in getattr(route, "methods", None) or ():
            sample = re.sub("{lang}", "en", re.sub("{page}", "archive", route.path))
            sample = re.sub("{[^}]+}", "x", sample)
            needed = route_role(method, sample)
            assert needed is not None, (method, route.path)
            if needed.role is not None:
                assert gate.request(method, sample).status_code == 401, (method, route.path)


@pytest.mark.parametrize(
    "path",
    [
        "/en/login",
        "/en/gradio_api/file=https://example.com/x",
        "/en/gradio_api/vibe-code",
        "/en/gradio_api/component_server",
        "/en/gradio_api/call/on_tick",
        "/en/gradio_api/proxy=https://example.com",
        "/en/gradio_api/dev/reload",
        "/openapi.json",
    ],
)
def test_what_no_page_needs_is_open_to_nobody(gate, keys, path):
    for method in ("GET", "POST"):
        assert gate.request(method, path, headers=keys["owner"]).status_code == 404
        assert gate.request(method, path, headers=keys["viewer"]).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "127.0.0.1:7860"}, 200),
        ({"Host": "[::1]:7860"}, 200),
        ({"Host": "rebound.example.com"}, 403),
        ({"Host": "localhost@rebound.example.com"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost:9999"}, 403),
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "127.0.0.1:7860", "Origin": "http://127.0.0.1:7860"}, 200),
        ({"X-Forwarded-Host": "example.com", "Origin": "http://example.com"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
    ],
)
def test_host_and_origin_are_looked_at_before_anything_else(gate, headers, status):
    assert gate.get("/en/config", headers=KEY | headers).status_code == status
    assert gate.get("/favicon.ico", headers=headers).status_code == status


def test_a_form_of_another_site_is_no_visit(gate):
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert gate.post("/log-out", headers=sent).status_code == 403


def test_every_answer_has_the_headers(client, gate):
    for answer in (client.get("/en/", headers=KEY), client.get("/en/config"), gate.get("/favicon.ico")):
        for name, value in ALWAYS.items():
            assert answer.headers[name] == value
    assert "frame-ancestors 'none'" in ALWAYS["Content-Security-Policy"]
    assert client.get("/en/", headers=KEY).headers["cache-control"] == "no-store"
    assert client.get("/en/config", headers=KEY).headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in client.get("/en/config", headers=KEY).headers


def test_what_has_a_hash_in_its_name_is_asked_for_once(client):
    script = re.search(r"assets/[\w-]+-[\w-]{8}\.js", client.get("/en/", headers=KEY).text)[0]
    assert client.get(f"/en/{script}", headers=KEY).headers["cache-control"] == A_YEAR
    missing = client.get(f"/en/assets/none-{'0' * 8}.js", headers=KEY)
    assert (missing.status_code, missing.headers["cache-control"]) != (200, A_YEAR)
    assert "immutable" not in missing.headers["cache-control"]


def test_a_pages_session_is_kept_to_whoever_used_it_first(gate, keys):
    ways = (
        lambda key: gate.get("/en/gradio_api/queue/data?session_hash=mine", headers=key),
        lambda key: gate.get("/en/gradio_api/heartbeat/mine", headers=key),
        lambda key: gate.post("/en/gradio_api/cancel", json={"session_hash": "mine"}, headers=key),
    )
    assert [way(keys["judge"]).status_code for way in ways] == [200] * 3
    assert [way(keys["owner"]).status_code for way in ways] == [403] * 3
    assert gate.get("/en/gradio_api/queue/data?session_hash=mine", headers=keys["judge"]).text == "reached"


def test_a_websocket_is_closed(gate):
    with pytest.raises(WebSocketDisconnect) as closed, gate.websocket_connect("/en/"):
        pass
    assert closed.value.code == 1008


def test_a_refusal_says_why_in_the_pages_language(gate, keys, pages):
    number = next(n for n, role in handler_roles(pages["ja"].get_blocks()).items() if role == "editor")
    japanese = called(gate, "/ja/gradio_api/queue/join", number, keys["judge"]).json()["detail"]
    english = called(gate, "/en/gradio_api/queue/join", number, keys["judge"]).json()["detail"]
    assert "評価者" in japanese
    assert "編集者" in japanese
    assert english == "Your role is judge. This needs editor; ask the owner of the studio."


def test_a_call_that_is_too_large_is_not_read(gate, keys, monkeypatch):
    monkeypatch.setattr("studio.ui.server.gate.MOST", 100)
    body = json.dumps({"fn_index": 0, "data": ["x" * 200]})
    assert gate.post("/en/gradio_api/queue/join", content=body, headers=keys["owner"]).status_code == 413


def test_the_printed_table_names_every_handler_and_address(pages):
    blocks = pages["en"].get_blocks()
    table = handler_table(blocks)
    rows = [line for line in table.splitlines() if line.startswith(tuple(f"| {role} |" for role in ROLES))]
    called = sum(role is not None for role in handler_roles(blocks).values())
    addresses = sum(one.role is not None for one in ROUTE_ROLES)
    assert len(rows) == called + addresses
    assert "| judge | judge | `on_answer` | answer |" in rows
    assert "| editor | new | `on_start` | click |" in rows
