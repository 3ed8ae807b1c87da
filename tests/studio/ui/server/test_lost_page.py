"""Addresses that lead nowhere: to the page that was meant, or to one that names those there are."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from benchmarks.app.pages import KEY, door_of
from studio.ui.common.frame import PAGES
from studio.ui.server.app import build_app

VISIT = {**KEY, "accept": "text/html"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    runs = tmp_path_factory.mktemp("lost") / "runs"
    with TestClient(build_app(runs, door_of(runs)), base_url="http://127.0.0.1", follow_redirects=False) as found:
        yield found


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("/sources", "/ja/sources"),
        ("/en/sources/", "/en/sources"),
        ("/archive?run=a%20b&id=1", "/ja/archive?run=a%20b&id=1"),
        ("/en/evolve", "/en/"),
    ],
)
def test_a_page_that_is_named_in_another_way_is_found(client, typed, meant):
    answer = client.get(typed, headers={**VISIT, "accept-language": "ja"})
    assert (answer.status_code, answer.headers["location"]) == (307, meant)


@pytest.mark.parametrize("path", ["/en/nosuch", "/nosuch", "/en/archive/x", "/en/<script>"])
def test_what_is_no_page_gets_one_with_the_ways_on(client, path):
    answer = client.get(path, headers=VISIT)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert all(f'href="/en/{page if page != "evolve" else ""}"' in answer.text for page in PAGES)
    assert "<script" not in answer.text
    assert (
        client.get(path, headers=KEY).json() == {"detail": "There is nothing here."}
        or "detail" in client.get(path, headers=KEY).json()
    )


def test_a_stranger_is_told_nothing(client):
    answer = client.get("/en/nosuch", headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert "/en/archive" not in answer.text
