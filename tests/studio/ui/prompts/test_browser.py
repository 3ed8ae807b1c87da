"""The rows of a prompt set in a real Chromium: written in at the first click, with an input method, by pasting."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from eval.prompts.prompt_set import load_prompts
from studio.i18n import t
from tests.studio.ui.browser import LOCALES, shoot

pytestmark = pytest.mark.browser


def cell(page, row, column):
    return page.locator("#rows tbody tr").nth(row).locator(f"[data-column='{column}']")


def test_rows_are_written_at_the_first_click_and_with_an_input_method(empty, address, open_page):
    page = open_page(LOCALES["ja"])
    page.goto(f"{address}/ja/prompts")
    expect(page.locator("#rows tbody tr")).to_have_count(65)
    expect(cell(page, 0, 2)).not_to_have_value("")
    page.locator("#new-set").click()
    expect(page.locator("#rows tbody tr")).to_have_count(1)

    # One click, and every key counts.
    cell(page, 0, 1).click()
    page.keyboard.type("fish")
    cell(page, 0, 3).click()
    page.keyboard.type("goldfish")
    expect(cell(page, 0, 3)).to_have_value("goldfish")

    # Three letters on their way to one word: what the input method shows meanwhile is not yet the caption.
    cell(page, 0, 2).click()
    keyboard = page.context.new_cdp_session(page)
    for reading in ("き", "きん", "きんぎょ"):
        keyboard.send(
            "Input.imeSetComposition",
            {"text": reading, "selectionStart": len(reading), "selectionEnd": len(reading)},
        )
    keyboard.send("Input.insertText", {"text": "金魚"})
    expect(cell(page, 0, 2)).to_have_value("金魚")

    # Enter goes down and makes a row; cells of a spreadsheet fill rows.
    page.keyboard.press("Enter")
    expect(page.locator("#rows tbody tr")).to_have_count(2)
    expect(cell(page, 1, 2)).to_be_focused()
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/plain", "茶碗\\ttea bowl\\n扇子\\tfan\\n");
          document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }"""
    )
    expect(page.locator("#rows tbody tr")).to_have_count(3)
    expect(page.locator("#stands")).to_contain_text("3")
    shoot(page, "ja", "prompt-rows")

    # What is saved is what stands there, also of a caption that was written a moment ago.
    page.locator("#set-name input, #set-name textarea").fill("mine")
    cell(page, 2, 3).fill("folding fan")
    page.locator("#save").click()
    expect(page.get_by_text(t("ja", "set_saved", path="").split("：")[0]).first).to_be_visible()
    saved = load_prompts(empty.prompts / "mine.yaml")
    assert saved.captions_in("ja") == ["金魚", "茶碗", "扇子"]
    assert saved.captions_in("en") == ["goldfish", "tea bowl", "folding fan"]

    # Rows are found and taken out.
    page.locator("#rows input[type=search]").fill("tea")
    expect(page.locator("#rows tbody tr:visible")).to_have_count(1)
    page.locator("#rows tbody tr:visible .remove").click()
    expect(page.locator("#rows tbody tr")).to_have_count(2)
