"""Sources, prompts and weak spots in a real Chromium, in both languages: add, compare, write, check, split, look."""

from __future__ import annotations

import re
import shutil
import time
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect

import assets
from benchmarks.app.pages import served
from eval.prompts.prompt_set import load_prompts
from studio.i18n import t
from studio.library import source_library
from studio.ui.common.studio import Studio
from tests.studio.ui.browser import LOADING, LOCALES, SHOTS, enter, shoot, type_into, wait_for_pictures, walked_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
]


@pytest.fixture(scope="module", params=walked_in("ja"))
def lang(request):
    """One language after the other: a studio takes seconds to build."""
    return request.param


@pytest.fixture(scope="module")
def studio(finished, tmp_path_factory, lang):
    """A copy of the finished studio, to add sources and prompt sets to."""
    place = tmp_path_factory.mktemp(f"studio-{lang}")
    shutil.copytree(finished.runs, place / "runs")
    return Studio(place / "runs", allowed=finished.allowed)


@pytest.fixture(scope="module")
def address(studio):
    """That studio, served on a port of its own."""
    with served(studio.runs, studio.allowed) as found:
        yield found


def query(link):
    """What the address of a link asks for."""
    return parse_qs(urlparse(link.get_attribute("href")).query)


def test_sources(lang, address, studio, copied, monkeypatch, open_page):
    page = open_page(LOCALES[lang])

    def say(key, **values):
        return t(lang, key, **values)

    page.goto(f"{address}/{lang}/sources")
    cards = page.locator("#ledger article")
    expect(cards).to_have_count(4)
    expect(cards.nth(1)).to_contain_text("Apache-2.0", ignore_case=True)
    expect(cards.nth(1).locator("table.scores")).to_be_visible()
    wait_for_pictures(page.locator("#ledger img"))
    assert page.locator("#ledger img").evaluate_all("all => Math.min(...all.map(one => one.clientWidth))") >= 160
    shoot(page, lang, "sources-1")

    # Fewer than two cannot be bred; the link holds the chosen ones.
    link = page.locator("#evolve-these a")
    assert query(link)["sources"][0].count("\n") == 3
    page.get_by_role("checkbox", name="base").uncheck()
    expect(link).to_have_text(say("evolve_these", n=3))
    assert str(assets.FAMILY / "base") not in query(link)["sources"][0]
    page.get_by_role("checkbox", name="base").check()

    # How they go together.
    page.get_by_role("button", name=say("compatibility")).click()
    page.locator("#measure").click()
    expect(page.locator("#heat table")).to_have_count(6, timeout=LOADING)
    expect(page.get_by_label(say("base"), exact=True)).to_have_value("base")
    expect(page.locator("#heat caption").first).to_have_text(say("heat_angles"))

    # A file is described, then checked; cancelled first.
    mine = str(copied("ja", "mine"))
    page.get_by_role("button", name=say("add_sources")).click()
    type_into(page.locator("#own textarea"), mine)
    page.locator("#own textarea").blur()
    expect(page.locator("#seen")).to_contain_text("13.5 MB")
    hashed = source_library.hash_source
    with monkeypatch.context() as patch:
        patch.setattr(
            source_library,
            "hash_source",
            lambda source, tell: hashed(source, lambda *now: (time.sleep(0.05), tell(*now))),
        )
        page.locator("#take").click()
        page.locator("#leave").click()
        expect(page.locator("#seen")).to_contain_text(say("add_cancelled"))
    expect(page.locator("#leave")).to_be_hidden()
    expect(page.locator("#own textarea")).to_have_value(mine)
    assert source_library.added_sources(studio.runs) == []
    page.locator("#take").click()
    expect(page.locator("#seen")).to_contain_text(say("added", names="mine"))
    expect(cards).to_have_count(5)
    expect(cards.nth(4)).to_contain_text(say("strengths_empty"))
    expect(link).to_have_text(say("evolve_these", n=5))
    page.screenshot(path=SHOTS / f"{lang}-sources-2.png", full_page=True)

    # What is no source is said, and the field stays as it is; a run file fills it in.
    page.locator("#own textarea").fill("/nowhere/x")
    page.locator("#take").click()
    expect(page.locator("#own .inline-error")).to_contain_text(say("error_title"))
    expect(page.locator("#own textarea")).to_have_value("/nowhere/x")
    expect(page.locator("#take")).to_be_enabled()
    page.locator("#drop input[type=file]").set_input_files(studio.runs / "first" / "run.yaml")
    expect(page.locator("#own textarea")).to_have_value(re.compile("family/base\n"))


def test_prompts(lang, address, studio, tmp_path, open_page):
    page = open_page(LOCALES[lang])

    def say(key, **values):
        return t(lang, key, **values)

    enter(page, address)
    page.goto(f"{address}/{lang}/prompts")
    expect(page.locator("#stands")).to_contain_text("65")
    expect(page.locator("#rows tbody tr").first.locator("[data-column='2']")).to_have_value("アザラシ")
    expect(page.locator("#use a")).to_have_attribute("href", re.compile(r"prompts=.+evolve\.yaml"))
    shoot(page, lang, "prompts-1")

    # Japanese from one file, English from another.
    for name, text in (
        ("ja", "id,category,ja\n1,food,寿司\n2,food,ラーメン\n3,food,ﾗｰﾒﾝ\n"),
        ("en", "id,en\n1,sushi\n2,ramen\n"),
    ):
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    page.locator("#import button").first.click()
    type_into(page.locator("#path input, #path textarea"), str(tmp_path / "ja.csv"))
    page.locator("#read").click()
    expect(page.locator("#stands")).to_contain_text("1, 2, 3")
    page.locator("#import input[type=file]").set_input_files(tmp_path / "en.csv")
    page.locator("#join").get_by_text(say("import_join")).click()
    page.locator("#read").click()
    expect(page.locator("#stands")).to_contain_text(say("set_lacks_en", n=1, ids="3"))
    expect(page.locator("#stands")).to_contain_text("ラーメン")
    expect(page.locator("#use a")).to_have_count(0)

    # A cell is edited, and the state follows.
    page.locator("#rows tbody tr").nth(2).locator("[data-column='3']").fill("noodles")
    expect(page.locator("#stands")).not_to_contain_text(say("set_lacks_en", n=1, ids="3"))

    # Saved once; not over it unless asked.
    page.locator("#set-name input, #set-name textarea").fill("麺")
    page.locator("#save").click()
    expect(page.locator("#use a")).to_be_visible()
    assert load_prompts(studio.prompts / "麺.yaml").captions_in("en") == ["sushi", "ramen", "noodles"]
    page.locator("#save").click()
    expect(page.locator("#set-name .inline-error")).to_contain_text(say("error_title"))

    # Length, and two halves.
    page.get_by_role("button", name=say("check_tokens")).click()
    page.locator("#count").click()
    expect(page.locator("#verdict")).to_contain_text(say("tokens_fit", n=6), timeout=LOADING)
    page.locator("#split button").first.click()
    page.locator("#cut").click()
    expect(page.locator("#halves")).to_contain_text("麺-held-out")
    assert {file.stem for file in studio.prompts.glob("*.yaml")} == {"麺", "麺-evolve", "麺-held-out"}
    page.screenshot(path=SHOTS / f"{lang}-prompts-2.png", full_page=True)
    page.locator("#csv").click()
    with page.expect_download() as download:
        page.locator("#exported a").first.click()
    assert download.value.suggested_filename == "麺.csv"


def test_weak_spots(lang, address, studio, open_page):
    page = open_page(LOCALES[lang])

    def say(key, **values):
        return t(lang, key, **values)

    page.goto(f"{address}/{lang}/weak?run=first")
    expect(page.locator("#headline")).to_contain_text("judge")
    expect(page.locator("#attempts article").first).to_be_visible()
    expect(page.locator("#grouped")).to_contain_text(say("weak_column_margin"))
    expect(page.locator("#plot canvas, #plot svg").first).to_be_visible()
    shoot(page, lang, "weak-1")
    page.locator("#spoken").get_by_text(say("kind_en"), exact=True).click()
    expect(page.locator("#headline")).to_contain_text(say("kind_en"))
    page.locator("#save-weak").click()
    link = page.locator("#saved a")
    expect(link).to_be_visible()
    asked = query(link)
    assert asked["fork"] == ["first"]
    assert load_prompts(asked["prompts"][0]).name == "weak-first-en"
    page.get_by_role("button", name=say("weak_prompts")).click()
    expect(page.locator("#all-prompts")).to_contain_text(say("weak_column_who"))
    page.screenshot(path=SHOTS / f"{lang}-weak-2.png", full_page=True)
