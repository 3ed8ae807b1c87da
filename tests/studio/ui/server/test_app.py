"""The application without a browser: routes, languages, pictures, and what it keeps to itself."""

import socket
from dataclasses import asdict

import gradio as gr
import pytest
from fastapi.testclient import TestClient

import assets
from benchmarks.app.pages import KEY, door_of
from studio.access.roles import ROLES
from studio.errors import RunError
from studio.i18n import LANGUAGES
from studio.ui.common.frame import PAGES
from studio.ui.common.studio import Studio
from studio.ui.compare.choice import Choice, Window
from studio.ui.compare.view import SHOWN
from studio.ui.server.app import ASKED, MOVED, first_page, serve


@pytest.fixture(scope="module")
def client(finished_app):
    return TestClient(finished_app, "http://localhost", headers=KEY, follow_redirects=False)


def mounted(client):
    return [route.app.get_blocks() for route in client.app.routes if hasattr(getattr(route, "app", None), "get_blocks")]


def test_no_event_is_a_public_endpoint(client):
    assert len(mounted(client)) == len(LANGUAGES)
    for blocks in mounted(client):
        events = blocks.fns.values()
        assert events
        assert [event.api_name for event in events if event.api_visibility != "private"] == []


def test_queues_rest_while_nobody_asks(client):
    """Each language has one; by Gradio's own setting it looks a thousand times a second."""
    queues = [blocks._queue for blocks in mounted(client)]
    assert {queue.sleep_when_free for queue in queues} == {ASKED}
    assert {queue.progress_update_sleep_when_free for queue in queues} == {MOVED}


def test_a_box_left_as_it_was_leaves_the_noise_that_compare_shows(client, finished):
    with finished.run("first") as store:
        first, second = (prompt.id for prompt in store.prompts.niches.prompts[:2])
    (left,) = (
        event.fn
        for event in mounted(client)[0].fns.values()
        if event.page == "compare" and "blur" in {kind for _, kind in event.targets}
    )
    form = {**asdict(Choice(models=["ja"], known=[first])), "run": "first", "window": Window(), "beside": 2}
    grid, window, *_ = left(None, **form)
    assert window == Window()
    assert [one == gr.skip() for one in left(grid, **form)] == [True] * len(SHOWN)
    assert left(grid, **{**form, "known": [second]})[0].asked.prompts[0].id == second


def test_nothing_is_told_to_programs(client):
    for lang in LANGUAGES:
        assert client.get(f"/{lang}/gradio_api/info").json()["named_endpoints"] == {}
        assert client.get(f"/{lang}/monitoring/summary").status_code in (403, 404)
    assert client.get("/openapi.json").status_code == 404


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_an_address_in_each_language(client, lang, page):
    answer = client.get(f"/{lang}/" if page == PAGES[0] else f"/{lang}/{page}")
    assert answer.status_code == 200
    assert "m2n2-studio" in answer.text


@pytest.mark.parametrize(
    ("cookie", "header", "to"),
    [(None, "ja", "/ja/"), (None, "fr", "/en/"), ("en", "ja", "/en/"), ("ja", "en", "/ja/"), ("xx", "ja", "/ja/")],
)
def test_the_start_page_remembers_then_listens_to_the_browser(client, cookie, header, to):
    headers = {"accept-language": header, **({"cookie": f"language={cookie}"} if cookie else {})}
    assert client.get("/", headers=headers).headers["location"] == to


def test_a_studio_without_a_run_opens_where_one_is_started(empty, finished):
    assert [first_page(empty, role) for role in ROLES] == ["evolve", "evolve", "new", "new"]
    assert {first_page(finished, role) for role in ROLES} == {"evolve"}


def test_the_switch_keeps_what_is_shown_and_remembers(client):
    answer = client.get("/language/ja/archive?run=first&id=0001&prompt=a&other=x")
    assert answer.headers["location"] == "/ja/archive?run=first&id=0001&prompt=a"
    form = "/ja/new?fork=first&prompts=%2Fweak.yaml&noises=3"
    assert client.get("/language/ja/new?fork=first&prompts=%2Fweak.yaml&noises=3").headers["location"] == form
    assert answer.headers["set-cookie"].startswith("language=ja;")
    assert client.get("/language/fr/archive").status_code == 422
    assert client.get("/language/ja/elsewhere").status_code == 404


def test_pictures_are_served_and_nothing_else_is(client, finished):
    with finished.run("first") as store:
        picture = store.images("base")[0]
    answer = client.get(f"/pictures/run/first/base/{picture.name}")
    assert answer.status_code == 200
    assert answer.content == picture.read_bytes()
    assert client.get(f"/pictures/small/first/base/{picture.name}").content == picture.read_bytes()  # small already
    for path in (
        "/pictures/small/first/%2e%2e/run.db",
        "/pictures/small/other/base/x.png",
        "/pictures/run/first/base/absent.png",
        "/pictures/run/other/base/x.png",
        "/pictures/run/first/%2e%2e/run.db",
        "/pictures/run/first/..%2f/run.yaml",
        "/pictures/source/ja/..%2fmodel_index.json",
        "/pictures/source/nobody/x.png",
        "/pictures/drawn/absent.png",
    ):
        assert client.get(path).status_code == 404, path


def test_a_browser_is_sent_a_picture_again_only_once_it_was_drawn_again(client, finished):
    with finished.run("first") as store:
        one, other = store.images("base")[:2]
    before = one.read_bytes()
    for size in ("run", "small"):
        first = client.get(f"/pictures/{size}/first/base/{one.name}")
        known = {"if-none-match": first.headers["etag"]}
        answer = client.get(f"/pictures/{size}/first/base/{one.name}", headers=known)
        assert (answer.status_code, answer.content) == (304, b"")
        one.write_bytes(other.read_bytes())
        answer = client.get(f"/pictures/{size}/first/base/{one.name}", headers=known)
        assert (answer.status_code, answer.content) == (200, other.read_bytes())
        assert answer.headers["cache-control"] == "no-cache"
        one.write_bytes(before)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_files_of_a_run_cannot_be_fetched_through_gradio(client, finished, lang):
    for file in (finished.runs / "first" / "run.db", assets.FAMILY / "ja" / "model_index.json"):
        assert client.get(f"/{lang}/gradio_api/file={file}").status_code == 403


def test_a_port_in_use_is_told_with_the_remedy(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=rf"Port {port} .*--port {port + 1}"):
            serve(tmp_path, door_of(tmp_path), port=port)


def test_a_run_that_is_not_listed_is_refused(tmp_path):
    with pytest.raises(RunError, match="There is no run called"), Studio(tmp_path).run("../elsewhere"):
        pass
