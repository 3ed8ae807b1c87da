"""No page has what axe-core calls a serious barrier, neither in light nor in dark."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from studio.i18n import t
from studio.ui.common.frame import PAGES, page_link
from tests.studio.ui.browser import LOCALES, shoot, walked_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
]


@pytest.mark.parametrize("lang", walked_in("en"))
def test_no_page_has_a_serious_barrier(lang, finished_address, open_page):
    found = {}
    page = open_page(LOCALES[lang], color_scheme="light")
    shown = {name: (name, {"id": "0001"}) for name in PAGES}
    shown |= {view: ("compare", {"id": "0001,ja", "view": view}) for view in ("playground", "blend")}
    for name, (path, asked) in shown.items():
        page.goto(finished_address + page_link(lang, path, run="first", __theme="light", **asked))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".wrap.generating, .wrap.translucent")).to_have_count(0)
        page.wait_for_timeout(500)  # Gradio shows what it has loaded by and by, and fades it in
        barriers = serious_barriers(page)
        shoot(page, lang, f"page-{name}")
        page.evaluate("document.body.classList.add('dark')")  # as Gradio does; structure and words stay
        page.wait_for_timeout(500)  # colours fade
        barriers += serious_barriers(page, only=["color-contrast"])
        shoot(page, lang, f"page-{name}-dark")
        if barriers:
            found[name] = barriers
    assert found == {}


def serious_barriers(page, only=None):
    """What axe-core calls serious or critical, by all rules or some: each with the first elements that break it."""
    options = {"resultTypes": ["violations"]}  # it need not describe what is well
    if only:
        options["runOnly"] = {"type": "rule", "values": only}
    violations = Axe().run(page, options=options).response["violations"]
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"][:3]])
        for one in violations
        if one["impact"] in ("serious", "critical")
    ]


def test_the_tour_stays_closed(finished_address, open_page):
    page = open_page(LOCALES["en"])
    page.goto(f"{finished_address}/en/archive")
    tour = page.get_by_role("navigation", name=t("en", "tour"))
    expect(tour).to_contain_text(t("en", "tour_archive"))
    expect(tour.locator("[aria-current=step]")).to_have_text(t("en", "page_archive"))
    tour.get_by_role("button", name=t("en", "tour_close")).click()
    expect(tour).to_be_hidden()
    expect(page.locator("#wall img").first).to_be_visible()  # who leaves while a page loads has an error in the console
    page.goto(f"{finished_address}/en/archive?run=first&id=0001")
    expect(page.locator("#title h2")).to_have_text("0001")
    expect(page.locator(".tour")).to_be_hidden()
