"""Export and Monitor in a real Chromium: every step, cancel, recipe only; measured, damaged, gone back.

One language each; every page is seen in the other one with the first afternoon and the accessibility check.
"""

from __future__ import annotations

import re
import time
import zipfile

import pytest
from playwright.sync_api import expect

from pipelines.storage.unfinished import unfinished_path
from studio.exporting import export_plan
from studio.exporting.registry import open_export
from studio.i18n import t
from studio.jobs.device_queue import acquire_device
from studio.licences import catalogue
from studio.monitoring.scheduler import is_measuring
from tests.studio.ui.browser import LOADING, LOCALES, SHOTS, enter, shoot, wait_for_pictures

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
]


def slow(export):
    """An export that takes as long as a large one."""

    def slowly(*arguments, progress, **options):
        return export(*arguments, progress=lambda *now: (time.sleep(0.2), progress(*now)), **options)

    return slowly


def test_what_lies_on_the_disk_is_verified_and_tidied(finished_address, finished, open_page):
    lang = "ja"
    with finished.run("first") as store:
        export_plan.plan_export(store, "0001", finished.exports / "kaede").write()
    left = unfinished_path(finished.exports / "cut.safetensors")
    left.write_bytes(b"half")
    page = open_page(LOCALES[lang])
    page.goto(f"{finished_address}/{lang}/export?run=first&id=0001")
    expect(page.locator("#leftovers")).to_contain_text(left.name)
    page.locator("#remove-leftovers").click()
    expect(page.locator("#remove-leftovers")).to_be_hidden()
    assert not left.exists()
    page.locator("#on-disk").get_by_role("button", name=t(lang, "on_disk")).click()
    expect(page.locator("#verify-which input")).to_have_value("kaede")
    page.locator("#verify").click()
    expect(page.locator("#verified")).to_contain_text(t(lang, "verify_same", name="kaede"), timeout=LOADING)
    shoot(page, lang, "export-6-verified")


def test_a_walk_through_every_step(finished_address, finished, monkeypatch, open_page):
    monkeypatch.delitem(catalogue.KNOWN_LICENCES, "apache-2.0")  # a licence to be read first
    lang, name = "en", "walk"
    page = open_page(LOCALES[lang])

    def say(key, **values):
        return t(lang, key, **values)

    enter(page, finished_address)
    # Who, and a name: a readable one is suggested, a bad one is refused while it is typed.
    page.goto(f"{finished_address}/{lang}/export?run=first&id=0001")
    title = page.get_by_label(say("title"), exact=True)
    expect(title).not_to_have_value("")
    expect(page.locator(".portrait img")).to_have_count(8)
    title.fill("a/b")
    expect(page.get_by_role("alert")).to_have_text(say("name_letters"))
    expect(page.locator("#next-1")).to_be_disabled()
    shoot(page, lang, "export-1-who")
    title.fill(name)
    expect(page.get_by_role("alert")).to_have_count(0)
    page.locator("#next-1").click()

    # Licences: every warning is ticked before it goes on; attribution is there.
    expect(page.locator("#read input").first).to_be_visible()
    expect(page.locator("#next-2")).to_be_disabled()
    ticks = page.locator("#read input")
    for number in range(ticks.count()):
        expect(page.locator("#next-2")).to_be_disabled()
        ticks.nth(number).check()
    expect(page.locator("#next-2")).to_be_enabled()
    expect(page.locator("#credit textarea")).to_have_value(re.compile("licensed under"))
    page.locator("#credit textarea").fill("- made by 美咲")
    shoot(page, lang, "export-2-licences")
    page.locator("#next-2").click()

    # Format and precision, with size and place.
    expect(page.locator("#facts")).to_contain_text(name)
    page.get_by_text(say("form_lora")).click()
    expect(page.locator("#base input")).to_have_value("ja")  # the host is the base that is offered
    expect(page.locator("#rank")).to_be_visible()
    expect(page.locator("#facts")).to_contain_text(f"{name}.safetensors")
    page.get_by_text(say("form_file")).click()
    expect(page.locator("#base")).to_be_hidden()
    expect(page.locator("#facts")).to_contain_text(f"{name}.safetensors")
    page.locator("#precision").get_by_text("fp32", exact=True).click()
    expect(page.locator("#facts")).to_contain_text("27.0 MB")
    shoot(page, lang, "export-3-format")
    page.locator("#next-3").click()

    # The preview: the card with its pictures, the header.
    expect(page.locator("#card h1")).to_have_text(name)
    expect(page.locator("#card")).to_contain_text("made by 美咲")
    expect(page.locator("#metadata")).to_contain_text("modelspec.title")
    expect(page.locator("#samples img")).to_have_count(6)
    wait_for_pictures(page.locator("#samples img"))
    shoot(page, lang, "export-4-preview")
    page.locator("#back-4").click()
    page.get_by_text(say("form_folder")).click()
    page.locator("#precision").get_by_text(say("precision_host"), exact=True).click()
    expect(page.locator("#facts")).not_to_contain_text(".safetensors")
    page.locator("#next-3").click()
    expect(page.locator("#card h1")).to_have_text(name)
    page.locator("#next-4").click()

    # Write: cancelled, nothing is left; then to the end.
    expect(page.locator("#place")).to_contain_text(name)
    before = sorted(finished.exports.iterdir()) if finished.exports.is_dir() else []
    with monkeypatch.context() as patch:
        patch.setattr(export_plan, "export_folder", slow(export_plan.export_folder))
        page.locator("#go").click()
        expect(page.locator("#finished")).to_contain_text("MB")
        page.screenshot(path=SHOTS / f"{lang}-export-5-writing.png")
        page.locator("#cancel").click()
        expect(page.locator("#finished")).to_contain_text(say("cancelled"))
    expect(page.locator("#cancel")).to_be_hidden()
    assert sorted(finished.exports.iterdir()) == before
    page.locator("#go").click()
    expect(page.locator("#finished")).to_contain_text("sha256", timeout=LOADING)
    assert (finished.exports / name / "birth.json").is_file()
    page.get_by_role("tab", name="ComfyUI").click()
    expect(page.locator("#comfyui")).to_contain_text("SDXL")
    page.get_by_role("tab", name="diffusers").click()
    page.locator("#use").click()
    expect(page.locator("#use")).to_have_text(say("is_in_use"))
    shoot(page, lang, "export-6-written")

    # Another one: the recipe alone.
    page.locator("#again").click()
    expect(title).not_to_have_value(name)
    title.fill(f"{name} recipe")
    page.locator("#next-1").click()
    expect(page.locator("#read input:checked")).to_have_count(ticks.count())  # of the same individual: read before
    page.locator("#next-2").click()
    page.get_by_text(say("form_recipe")).click()
    expect(page.locator("#facts")).to_contain_text(".recipe.zip")
    page.locator("#next-3").click()
    expect(page.locator("#card")).to_contain_text("rebuild.py")
    page.locator("#next-4").click()
    page.locator("#go").click()
    expect(page.locator("#finished")).to_contain_text(".recipe.zip", timeout=LOADING)
    with page.expect_download() as download:
        page.locator("#recipe").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "recipe.json" in archive.namelist()
    shoot(page, lang, "export-7-recipe")


def test_watched_measured_damaged_and_gone_back(finished_address, finished, forked, open_page):
    lang, names = "ja", ["kept", "former"]
    for name in names:
        with finished.run("first") as store:
            export_plan.plan_export(store, "0001", finished.exports / name).write()
    page = open_page(LOCALES[lang])

    def say(key, **values):
        return t(lang, key, **values)

    # Measured again in a process of its own: the same bits.
    export = open_export(finished.exports / names[0])
    page.goto(f"{finished_address}/{lang}/monitor?export={names[0]}")
    expect(page.locator("#verdict")).to_contain_text(say("never_measured"))
    page.locator("#use").click()
    expect(page.locator("#use")).to_have_text(say("is_in_use"))
    page.locator("#go").click()
    expect(page.locator("#headline progress")).to_be_visible(timeout=LOADING)
    shoot(page, lang, "monitor-1-measuring")
    expect(page.locator("#verdict")).to_contain_text(say("drift_equal"), timeout=LOADING)
    expect(page.locator("#all")).to_contain_text(say("state_equal"))
    expect(page.locator("#headline")).not_to_contain_text("%")
    shoot(page, lang, "monitor-2-equal")

    # A damaged file is found.
    file = export.path / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    page.locator("#go").click()
    expect(page.locator("#verdict")).to_contain_text(say("drift_damaged"), timeout=LOADING)
    expect(page.locator("#verdict")).to_contain_text("unet/diffusion_pytorch_model.safetensors")
    shoot(page, lang, "monitor-3-damaged")

    # Back to a former one.
    page.goto(f"{finished_address}/{lang}/monitor?export={names[1]}")
    expect(page.locator("#verdict")).to_contain_text(say("never_measured"))
    page.locator("#use").click()
    expect(page.locator("#history")).to_contain_text(names[1])
    assert (finished.exports / "current").read_text("utf-8").strip() == names[1]
    page.screenshot(path=SHOTS / f"{lang}-monitor-4-former.png", full_page=True)

    # Cancelled, nothing is recorded. It waits for its turn meanwhile: a measurement takes no longer than a click.
    with acquire_device(lambda _: None):
        page.locator("#go").click()
        page.locator("#cancel").click()
        expect(page.locator("#headline")).to_contain_text(say("measure_stopped"), timeout=LOADING)
    assert not is_measuring(open_export(finished.exports / names[1]))
