"""The page for a client on a phone in a real Chromium: pick, comment, send back, and nothing is asked of anybody."""

from __future__ import annotations

import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from studio.i18n import t
from studio.judging.annotations import star
from studio.judging.reviews import parse_review, read_review
from studio.reports.review import write_review
from studio.runs.store import open_run
from tests.studio.ui.browser import wait_for_pictures

pytestmark = pytest.mark.browser


@pytest.fixture
def sent(bred, tmp_path):
    """The page that was sent, and the digests of its two models."""
    store = open_run(shutil.copytree(bred.folder, tmp_path / "first"))
    for one in store.individuals()[:2]:
        star(store, one, "Aya", on=True)
    yield write_review(store, "ja", tmp_path / "page.html")
    store.close()


def test_what_is_said_on_a_phone_comes_back(sent, tmp_path, chrome):
    with chrome.browsing() as opened:
        page = opened("ja-JP", is_mobile=True, has_touch=True, color_scheme="dark", extra_http_headers={})
        page.set_viewport_size({"width": 390, "height": 844})
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(sent.as_uri())
        wait_for_pictures(page.locator("img"))
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        picture = page.locator(".two figure").first
        before = picture.bounding_box()["width"]
        picture.get_by_role("button").tap()
        assert picture.bounding_box()["width"] > 1.8 * before
        second = page.locator(".model").nth(1)
        second.get_by_label(t("ja", "review_pick")).check()
        second.get_by_label(t("ja", "review_comment")).fill("<b>桜</b>\nがよい")
        page.locator("#save").tap()
        expect(page.get_by_role("status")).to_have_text(t("ja", "review_nameless"))
        page.locator("#by").fill("Sakura")
        page.reload()  # a phone forgets pages
        expect(second).to_have_class("model picked")
        with page.expect_download() as saved:
            page.locator("#save").tap()
        saved.value.save_as(tmp_path / "back.json")
        page.locator("#copy").tap()
        expect(page.get_by_role("status")).to_have_text(t("ja", "review_copied"))
        text = page.locator("#text").input_value()
        assert [one["id"] for one in Axe().run(page).response["violations"] if one["impact"] == "critical"] == []
        assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    review = read_review(tmp_path / "back.json")
    assert review == parse_review(text)
    assert (review.by, [one.pick for one in review.models]) == ("Sakura", [False, True])
    assert [one.comment for one in review.models] == ["", "<b>桜</b>\nがよい"]
