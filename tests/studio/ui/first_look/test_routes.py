"""What Archive and Evolve begin with is asked for by itself, while Gradio still starts."""

import pytest
from starlette.testclient import TestClient

from studio.i18n import t
from studio.ui.common.frame import STYLES
from tests.studio.ui.browser import KEY


@pytest.fixture
def client(finished_app):
    return TestClient(finished_app, "http://localhost", headers=KEY)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_wall_and_the_film_are_there_in_each_language(client, lang):
    archive = client.get(f"/first-look/{lang}/archive?run=first").text
    assert archive.count('class="wall-card"') > 3
    assert archive.count("<img") >= 12
    assert STYLES.read_text("utf-8") in archive
    assert f'aria-current="page">{t(lang, "page_archive")}</a>' in archive
    evolve = client.get(f"/first-look/{lang}/evolve").text  # the run that the page opens with
    assert t(lang, "status_done") in evolve
    assert evolve.count("<img") >= 12


@pytest.mark.parametrize("path", ["en/archive?run=nosuch", "en/compare?run=first", "ja/evolve?run=..%2Ffirst"])
def test_nothing_comes_where_there_is_no_picture(client, path):
    answer = client.get(f"/first-look/{path}")
    assert (answer.status_code, answer.content) == (204, b"")
