"""Monitor and Sources by the keyboard alone: Tab comes to every control in reading order, one sees where, keys work."""

from __future__ import annotations

import shutil
from itertools import pairwise

import pytest
from playwright.sync_api import expect

import assets
from benchmarks.app.pages import served
from studio.exporting import registry
from studio.exporting.export_plan import plan_export
from studio.i18n import t
from studio.library import source_library
from studio.monitoring import scheduler
from studio.ui.common.studio import Studio
from tests.studio.ui.browser import LOADING, LOCALES, shoot, walked_in
from tests.studio.ui.test_keyboard import tab_to

pytestmark = pytest.mark.browser
MOST = 120  # presses, after which Tab is caught somewhere
# Numbers every control that can be used now in the order of the page. What shows that one has the focus is at the
# control or around it.
PREPARE = """() => {
  const usable = (one) => !one.disabled && one.tabIndex >= 0 && one.checkVisibility({ visibilityProperty: true })
    && !one.closest("[inert]");
  window.lookOf = (one) => {
    const looks = [];
    for (let at = one, up = 0; at && up < 4; at = at.parentElement, up++) {
      const style = getComputedStyle(at);
      looks.push(style.outlineStyle, style.outlineWidth, style.outlineColor, style.boxShadow, style.borderColor);
    }
    return looks.join("|");
  };
  document.activeElement.blur();
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
  const controls = all.filter(usable);
  controls.forEach((one, number) => {
    const { left, right, top, bottom } = one.getBoundingClientRect();  // before anything scrolls
    one.place = { left, right, top, bottom };
    one.dataset.stop = number;
    one.dataset.look = lookOf(one);
  });
  return controls.length;
}"""
FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const { left, right, top, bottom } = one.getBoundingClientRect();
  return {
    number: Number(one.dataset.stop ?? -1), html: one.outerHTML.slice(0, 200),
    marked: lookOf(one) !== one.dataset.look, seen: bottom > 0 && top < innerHeight && right > 0 && left < innerWidth,
    ...one.place,
  };
}"""


@pytest.fixture(scope="module")
def studio(finished, tmp_path_factory):
    """A studio with a run, and two exports of it."""
    folder = tmp_path_factory.mktemp("walk") / "runs"
    shutil.copytree(finished.runs / "first", folder / "first")
    with finished.run("first") as store:
        for name in ("hotaru", "tsuru"):
            plan_export(store, "0001", folder.parent / "exports" / name).write()
    return Studio(folder)


@pytest.fixture(scope="module")
def address(studio):
    with served(studio.runs) as found:
        yield found


def walked(page, key):
    """Every control that a key comes to, from outside of the page until it is left again."""
    stops = []
    for _ in range(MOST):
        page.keyboard.press(key)
        if (found := page.evaluate(FOCUSED)) is None:
            return stops
        stops.append(found)
    raise AssertionError(f"{key} does not leave the page; the last are {stops[-3:]}")


def is_read_next(before, after):
    """Whether what comes after another lies below it, or beside it to the right."""
    return after["bottom"] > before["top"] or after["left"] >= before["right"]


@pytest.mark.parametrize("lang", walked_in("ja"))
@pytest.mark.parametrize("name", ["monitor", "sources"])
def test_tab_comes_to_every_control_in_reading_order_and_leaves(lang, name, address, open_page):
    page = open_page(LOCALES[lang])
    page.goto(f"{address}/{lang}/{name}")
    expect(page.locator({"monitor": "#use", "sources": "#ledger article"}[name]).first).to_be_visible()
    expect(page.locator(".wrap.generating, .wrap.translucent")).to_have_count(0)
    folds = page.locator("button.label-wrap:not(.open)")
    folds.evaluate_all("all => all.forEach((one) => one.click())")  # from where the mouse clicks, Tab would go on
    page.wait_for_timeout(1000)  # what is in a fold is made when that is opened
    count = page.evaluate(PREPARE)
    stops = walked(page, "Tab")
    assert [stop["number"] for stop in stops] == list(range(count)), [stop["html"] for stop in stops]
    assert [stop["html"] for stop in stops if not stop["seen"]] == []
    assert [stop["html"] for stop in stops if not stop["marked"]] == []
    assert [(one["html"], two["html"]) for one, two in pairwise(stops) if not is_read_next(one, two)] == []
    assert [stop["number"] for stop in walked(page, "Shift+Tab")] == list(reversed(range(count)))


@pytest.mark.slow
def test_an_export_is_measured_scheduled_and_put_in_use_by_keys(studio, address, forked, open_page):
    page = open_page(LOCALES["en"])
    page.goto(f"{address}/en/monitor")
    chosen = page.get_by_label(t("en", "export_name"), exact=True).first
    expect(chosen).not_to_have_value("")
    first = chosen.input_value().split()[0]

    tab_to(page, page.get_by_label(t("en", "schedule"), exact=True))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".toast-body")).to_contain_text(t("en", "schedule_daily_set"))
    exports = {one.name: one for one in registry.list_exports(studio.exports)}
    assert scheduler.schedule_of(exports[first]) == "daily"

    tab_to(page, page.locator("#go"))
    page.keyboard.press("Enter")
    cancel = page.locator("#cancel")
    expect(cancel).to_be_enabled()
    tab_to(page, cancel)
    page.keyboard.press("Space")
    expect(page.locator("#go")).to_be_enabled(timeout=LOADING)

    # Enter on a row of the table opens that export; the button then says that it is the one in use.
    tab_to(page, page.locator("#all [role=gridcell]").first)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    second = page.locator("#all [role=gridcell][data-row='1']").first.inner_text()
    expect(page.locator("#which input")).to_have_value(second)
    tab_to(page, page.locator("#use"), "Shift+Tab")
    page.keyboard.press("Space")
    expect(page.locator("#use")).to_have_text(t("en", "is_in_use"))
    fold = page.get_by_role("button", name=t("en", "by_itself"))
    tab_to(page, fold)
    page.keyboard.press("Enter")
    expect(page.get_by_text(t("en", "birth_certificate"))).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_text(t("en", "birth_certificate"))).to_be_hidden()


@pytest.mark.slow
def test_sources_are_chosen_compared_added_and_forgotten_by_keys(studio, address, open_page):
    shutil.copytree(assets.FAMILY / "ja", studio.runs.parent / "mine")
    page = open_page(LOCALES["en"])
    page.goto(f"{address}/en/sources")
    link, cards = page.locator("#evolve-these a"), page.locator("#ledger article")
    expect(link).to_have_text(t("en", "evolve_these", n=4))
    base = page.get_by_role("checkbox", name="base")
    tab_to(page, base)
    page.keyboard.press("Space")
    expect(link).to_have_text(t("en", "evolve_these", n=3))
    page.keyboard.press("Space")
    expect(link).to_have_text(t("en", "evolve_these", n=4))

    tab_to(page, page.get_by_role("button", name=t("en", "compatibility")))
    page.keyboard.press("Space")
    tab_to(page, page.locator("#measure"))
    page.keyboard.press("Enter")
    expect(page.locator("#heat table")).to_have_count(6, timeout=LOADING)
    tab_to(page, page.locator("#heat [role=region]").first)
    other = page.get_by_label(t("en", "base"), exact=True)
    tab_to(page, other, "Shift+Tab")
    before = page.locator("#heat").inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#heat")).not_to_have_text(before, use_inner_text=True)

    tab_to(page, page.get_by_role("button", name=t("en", "check_title")))
    page.keyboard.press("Enter")
    expect(page.locator("#examine")).to_be_visible()
    tab_to(page, page.get_by_role("button", name=t("en", "add_sources")))
    page.keyboard.press("Enter")
    tab_to(page, page.locator("#own textarea"))
    page.keyboard.type(str(studio.runs.parent / "mine"))
    tab_to(page, page.locator("#take"))
    expect(page.locator("#seen")).to_contain_text("13.5 MB")
    page.keyboard.press("Enter")
    expect(cards).to_have_count(5, timeout=LOADING)
    shoot(page, "en", "sources-by-keys")
    forget = page.get_by_role("button", name=t("en", "forget"), exact=True)
    expect(forget).to_be_enabled()
    tab_to(page, forget)
    page.keyboard.press("Space")
    expect(cards).to_have_count(4)
    assert source_library.added_sources(studio.runs) == []
