"""Logging in, what a role shows and refuses, and logging out, in a real Chromium."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from benchmarks.app.pages import door_of, served
from tests.studio.ui.browser import LOCALES, shoot

PASSWORD = "three plain words"
WORDS = {
    "en": ("Log in", "Log out", "Your role is judge. This needs editor"),
    "ja": ("ログイン", "ログアウト", "あなたの権限は「評価者」です"),
}

NEW_RUN = {"en": "New run", "ja": "新しい実行"}
NOT_YOURS = {"en": "Your role may look at runs", "ja": "今の権限では"}


@pytest.mark.browser
@pytest.mark.slow
def test_a_judge_logs_in_sees_less_and_is_told_why(finished, chrome):
    door = door_of(finished.runs)
    door.people.add("Aiko", "judge", PASSWORD)
    with served(finished.runs, door=door) as address, chrome.browsing("status of 401", "status of 403") as opened:
        for lang, (log_in, log_out, refusal) in WORDS.items():
            page = opened(LOCALES[lang], extra_http_headers={})
            page.goto(f"{address}/{lang}/?run=first")
            shoot(page, lang, "log-in")
            barriers = Axe().run(page).response["violations"]
            assert [one["id"] for one in barriers if one["impact"] in ("serious", "critical")] == []
            page.fill("#name", "aiko")
            page.fill("#password", "not that one")
            page.click(f"button:has-text('{log_in}')")
            expect(page.get_by_role("alert")).to_be_visible()
            page.fill("#password", PASSWORD)
            page.click(f"button:has-text('{log_in}')")
            expect(page).to_have_url(f"{address}/{lang}/?run=first")
            expect(page.locator(".visitor")).to_have_text("Aiko")
            expect(page.locator("#headline")).to_contain_text("first")
            expect(page.locator("#report-make")).to_be_attached()
            expect(page.locator("#report-make")).to_be_hidden()
            shoot(page, lang, "evolve-as-judge")
            # Whoever shows the button all the same is refused, in words.
            page.evaluate("document.documentElement.dataset.role = 'owner'")
            page.click("#report-make")
            expect(page.get_by_text(refusal)).to_be_visible()
            # A judge is led to no new run, and is told so where an address leads there.
            page.goto(f"{address}/{lang}/new")
            expect(page.get_by_text(NOT_YOURS[lang])).to_be_visible()
            expect(page.locator("#go")).to_be_hidden()
            expect(page.get_by_role("link", name=NEW_RUN[lang], exact=True)).to_have_count(0)
            page.goto(f"{address}/{lang}/judge?run=first")
            name = page.locator("#start input[type=text], #start textarea").last
            expect(name).to_have_value("Aiko")
            expect(name).to_be_disabled()
            page.get_by_role("button", name=log_out).click()
            expect(page.locator("#password")).to_be_visible()
            page.goto(f"{address}/{lang}/judge")
            expect(page.locator("#password")).to_be_visible()
            page.close()
