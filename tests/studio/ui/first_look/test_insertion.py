"""The script of the first pictures is in the page that the server sends, before everything else."""

import pytest
from starlette.testclient import TestClient

from tests.studio.ui.browser import KEY

SCRIPT = "<head><script>\n// The first pictures of a page"


@pytest.fixture
def client(finished_app):
    return TestClient(finished_app, "http://localhost", headers=KEY)


@pytest.mark.parametrize("path", ["/en/", "/ja/", "/en/archive?run=first", "/ja/archive"])
@pytest.mark.parametrize("encoding", ["gzip, br", "identity"])
def test_pages_that_begin_with_pictures_ask_for_them_first(client, path, encoding):
    page = client.get(path, headers={"accept-encoding": encoding})
    assert page.status_code == 200
    assert page.text.count(SCRIPT) == 1
    assert page.text.endswith("</html>")
    assert page.headers.get("content-encoding") == ("gzip" if "gzip" in encoding else None)


@pytest.mark.parametrize("path", ["/en/compare", "/ja/judge", "/en/config"])
def test_other_answers_are_as_they_were(client, path):
    page = client.get(path)
    assert page.status_code == 200
    assert SCRIPT not in page.text
