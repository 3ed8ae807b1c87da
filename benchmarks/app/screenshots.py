"""The pictures of the README and of docs/: the pages over a finished run, in both languages.

    python -m benchmarks.app.screenshots RUNS/NAME

Takes them in Chromium at a laptop's width, of the child that the run's report is about, and writes them into docs/.
What Compare lacks is drawn first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from studio.analysis.selection import best_source
from studio.i18n import LANGUAGES, Lang, t
from studio.runs.store import open_run
from studio.ui.common.frame import page_link

from .pages import KEY, chromium, served

DOCS = Path(__file__).resolve().parents[2] / "docs"
WIDTH, HEIGHT = 1280, 900
TYPED = {"ja": "金継ぎの茶碗", "en": "a kintsugi tea bowl"}
RATERS = {"en": "Mika", "ja": "美香"}
LOCALES = {"en": "en-GB", "ja": "ja-JP"}
DRAWN = 120_000  # ms until Compare has drawn what it lacks


def take(page: Page, address: str, lang: Lang, run: Path) -> None:
    """Take every picture in one language.

    Args:
        page: of a browser that may come in.
        address: of the studio.
        lang: of the pages.
        run: the folder of the run.
    """
    store = open_run(run)
    child, source = store.state.child, best_source(store.individuals())
    prompt = store.prompts.niches.ids[0]
    store.close()
    if child is None or source is None:
        raise SystemExit(f"{run} has no report yet, so that there is no child to show. Let it come to its end.")

    def shoot(name: str, height: int = HEIGHT) -> None:
        page.set_viewport_size({"width": WIDTH, "height": height})
        page.wait_for_timeout(2_000)  # pictures fade in
        page.screenshot(path=DOCS / f"{name}-{lang}.png")
        page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    page.goto(address + page_link(lang, "new"))
    page.locator("#cards img").first.wait_for()
    page.locator(".tour-close").click()
    shoot("new-run")
    page.goto(address + page_link(lang, "evolve", run=run.name))
    page.locator("#tree svg").wait_for()
    shoot("evolve", height=2 * HEIGHT)
    page.goto(address + page_link(lang, "archive", run=run.name, id=child))
    page.locator("#title h2").wait_for()
    shoot("archive")
    models = ",".join([child, source.id, "average"])
    page.goto(address + page_link(lang, "compare", run=run.name, id=models, prompt=prompt, **TYPED))
    page.locator("#sheet table").wait_for()
    page.locator("#draw:enabled").click()
    page.get_by_role("button", name=t(lang, "all_drawn")).wait_for(timeout=DRAWN)
    shoot("compare", height=1350)
    page.goto(address + page_link(lang, "judge", run=run.name))
    page.wait_for_timeout(2_000)  # the page fills its fields once it is there
    page.locator("#your-name textarea, #your-name input").fill(RATERS[lang])
    page.locator("#go").click()
    page.locator('#question button[data-answer="left"]:enabled').wait_for()
    shoot("judge")
    page.goto(address + page_link(lang, "export", run=run.name, id=child))
    page.locator("#next-1:enabled").click()
    page.locator("#next-2:enabled").click()
    page.locator("#next-3:enabled").click()
    page.locator("#samples img").first.wait_for()
    shoot("export")


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a run with its report")
    run = parser.parse_args().run.resolve()
    with served(run.parent) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for lang in LANGUAGES:
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, locale=LOCALES[lang], extra_http_headers=KEY
            )
            take(page, address, lang, run)
        browser.close()


if __name__ == "__main__":
    main()
