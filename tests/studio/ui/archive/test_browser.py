"""The Archive page in a real Chromium: its address names whom it shows, and Back returns to the one before."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from studio.i18n import t
from tests.studio.ui.browser import LOCALES

pytestmark = pytest.mark.browser
TILES = "#wall .opens"


def test_the_address_names_whom_a_click_opened_and_back_returns(finished, finished_address, open_page):
    page = open_page(LOCALES["en"])
    page.goto(f"{finished_address}/en/archive?run=first")
    expect(page.locator(TILES).first).to_be_visible()
    assert page.locator("#wall").bounding_box()["y"] < 540  # pixels of 720: fields leave room for pictures
    shown = page.locator("#title h2")
    opened = []
    for tile in range(2):
        page.locator(TILES).nth(tile).click()
        if opened:
            expect(shown).not_to_have_text(opened[-1])
        expect(shown).to_be_visible()
        opened.append(shown.inner_text())
        expect(page).to_have_url(re.compile(rf"/archive\?run=first&id={opened[-1]}$"))
    assert opened[0] != opened[1]
    page.go_back()
    expect(shown).to_have_text(opened[0])
    expect(page).to_have_url(re.compile(rf"id={opened[0]}$"))
    page.go_forward()
    expect(shown).to_have_text(opened[1])
    page.reload()
    expect(shown).to_have_text(opened[1])
    page.locator("a.language").click()
    expect(page).to_have_url(re.compile(rf"/ja/archive\?run=first&id={opened[1]}$"))
    expect(shown).to_have_text(opened[1])


IN_VAIN = (
    ("archive?run=elsewhere", "no_such_run", {"run": "elsewhere"}),
    ("archive?run=first&id=null", "no_such_individual", {"id": "null", "run": "first"}),
    ("export?run=first&id=9999", "no_such_individual", {"id": "9999", "run": "first"}),
    ("compare?run=first&prompt=absent", "no_such_prompts", {"prompts": "absent", "run": "first"}),
    ("judge?run=elsewhere", "no_such_run", {"run": "elsewhere"}),
    ("weak?run=elsewhere", "no_such_run", {"run": "elsewhere"}),
    ("?run=elsewhere", "no_such_run", {"run": "elsewhere"}),
    ("monitor?export=absent", "no_such_export", {"export": "absent"}),
    ("prompts?set=absent", "no_such_set", {"set": "absent"}),
)


def test_what_an_address_names_in_vain_is_said_and_the_page_is_whole(finished_address, open_page):
    page = open_page(LOCALES["ja"])
    for path, key, named in IN_VAIN:
        page.goto(f"{finished_address}/ja/{path}")
        expect(page.locator("#not-found")).to_have_text(t("ja", key, **named))
        if not path.startswith(("monitor", "prompts")):
            expect(page.get_by_label(t("ja", "run"), exact=True).first).to_have_value("first")
        expect(page.locator(".toast-body")).to_have_count(0)
