"""Every page at four widths of the window: one left edge, no sideways scrolling, images of 160 pixels and up."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect

from studio.exporting.export_plan import plan_export
from studio.i18n import t
from studio.ui.common.frame import PAGES, page_link
from tests.studio.ui.browser import LOCALES, SHOTS, wait_for_pictures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
]
WIDTHS = (800, 1280, 1920, 2560)
# Of each part of the page that is laid out below the other, how far what one sees of it begins from the bar's edge.
# Cards begin at their border, and what says that there is nothing, or names a step, is centred.
MEASURED = """() => {
  const bar = document.querySelector(".studio-bar");
  const edge = bar.getBoundingClientRect().left;
  const seen = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const left = (part) => {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    let least = Infinity;
    for (let node = walker.currentNode; node; node = walker.nextNode()) {
      const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
      let place;
      if (element.closest(".step-label")) continue;
      if (node.nodeType === Node.TEXT_NODE && node.data.trim()) {
        const range = document.createRange();
        range.selectNodeContents(node);
        place = range.getClientRects()[0];
      } else if (node.matches?.("img, input, textarea, button, progress, svg, article")) {
        place = node.getBoundingClientRect();
      }
      if (place && place.width > 2 && place.height > 2 && seen(element)) least = Math.min(least, place.left);
    }
    return least;
  };
  const parts = [...bar.closest(".column").children]
    .filter((part) => part.getClientRects().length && ![...part.querySelectorAll(".empty")].some(seen));
  return {
    scrolls: document.documentElement.scrollWidth - window.innerWidth,
    edges: parts.map((part) => [part.id || part.className, Math.round(left(part) - edge)])
      .filter(([, off]) => Number.isFinite(off) && Math.abs(off) > 2),
    images: [...document.querySelectorAll(".main .picture img")].filter(seen).map((one) => one.clientWidth)
      .filter((width) => width > 0 && width < 160).length,
  };
}"""
ALIGNED = {"scrolls": 0, "edges": [], "images": 0}


@pytest.fixture
def shipped(finished):
    """An export, for the pages that show some."""
    with finished.run("first") as store:
        written = plan_export(store, "0001", finished.exports / "edge").write()
    yield written
    shutil.rmtree(written.path)


def measured(page):
    """What is off once the page stands still: Gradio shows what it has loaded, and draws charts anew, by and by."""
    for _ in range(20):
        found = page.evaluate(MEASURED)
        if found == ALIGNED:
            break
        page.wait_for_timeout(250)
    return found


@pytest.mark.usefixtures("shipped")
def test_pages_keep_one_edge_and_large_images_at_every_width(finished_address, open_page):
    page = open_page(LOCALES["ja"])
    off = {}
    for name in PAGES:
        page.goto(finished_address + page_link("ja", name, run="first"))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".wrap.generating, .wrap.translucent")).to_have_count(0)
        expect(page.locator(".studio-top ~ [inert]")).to_have_count(0)
        page.wait_for_timeout(500)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if (found := measured(page)) != ALIGNED:
                off[name, width] = found
    assert off == {}


def test_the_runs_are_listed_beside_every_page(finished_address, open_page):
    page = open_page(LOCALES["ja"], color_scheme="dark")
    page.goto(f"{finished_address}/ja/archive?run=first&__theme=dark")
    button = page.get_by_role("button", name=t("ja", "run_list"))
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(page.locator("#wall img").first).to_be_visible()
    button.click()
    run = page.locator("#run-list").get_by_role("link", name="first")
    expect(run).to_contain_text(t("ja", "short_children", state=t("ja", "short_done"), done=3))
    expect(run).to_have_attribute("aria-current", "true")
    wait_for_pictures(run.locator("img"))
    assert page.evaluate(MEASURED)["scrolls"] == 0
    ends = page.locator(".studio-bar a").evaluate_all("all => all.map((one) => one.getBoundingClientRect().right)")
    assert max(ends) <= 1280  # every page can be reached beside the list
    page.screenshot(path=SHOTS / "ja-runs.png")

    # It stays open on the next page, and a click shows the run there; keys close it.
    page.goto(f"{finished_address}/ja/weak?__theme=dark")
    run.click()
    expect(page).to_have_url(f"{finished_address}/ja/weak?run=first")
    run.focus()
    page.keyboard.press("Escape")
    expect(page.locator("#run-list")).to_have_count(0)
    expect(button).to_be_focused()
