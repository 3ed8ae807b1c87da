"""A studio to visit, and a real Chromium to visit it with; the fixtures are in conftest."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from benchmarks.app.pages import KEY, TOKEN, chromium
from studio.i18n import LANGUAGES

expect.set_options(timeout=30_000)
SHOTS = Path(__file__).resolve().parents[3] / "test-artefacts"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What Gradio's client says when a page is left, or closed, while it still listens to the server.
LEFT = ("AbortError: signal is aborted", "Connection errored out")
LOADING = 90_000  # ms until a process of its own has loaded its models, on a busy machine
LOCALES = {"en": "en-GB", "ja": "ja-JP"}


def walked_in(lang):
    """Both languages as parameters of a walk that is the same in each; the one that is not `lang` is left to soaks."""
    return [pytest.param(known, marks=() if known == lang else pytest.mark.soak) for known in LANGUAGES]


class Chrome:
    """One Chromium for all tests of a process, for it takes a second to start."""

    def __init__(self, browser):
        self._browser = browser
        self._loop = asyncio.get_running_loop()

    @contextlib.contextmanager
    def _loop_is(self, now, later):
        """Playwright's loop counts as the main thread's to the end; between tests that has others to build pages in."""
        asyncio._set_running_loop(now)
        try:
            yield
        finally:
            asyncio._set_running_loop(later)

    def idle(self):
        """While this lasts, Playwright's loop is not the main thread's."""
        return self._loop_is(None, self._loop)

    @contextlib.contextmanager
    def browsing(self, *expected):
        """Opens pages at a laptop's size; whatever else than expected their console calls an error fails in the end."""
        errors, pages = [], []

        def heard(said):
            if not any(known in said for known in (*LEFT, *expected)):
                errors.append(said)

        def opened(locale, **options):
            options = {"extra_http_headers": KEY} | options
            page = self._browser.new_page(viewport={"width": 1280, "height": 720}, locale=locale, **options)
            pages.append(page)
            page.set_default_timeout(LOADING)
            page.on("console", lambda said: heard(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: heard(str(error)))
            return page

        with self._loop_is(self._loop, None):
            try:
                yield opened
            finally:
                for page in pages:
                    page.close()
        assert errors == [], errors


@contextlib.contextmanager
def chrome_started():
    """A Chromium for as long as this lasts."""
    program = chromium()
    assert program, "Chromium was not found; `make test` installs it, or: apt-get install chromium-headless-shell"
    with (
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=program, args=FLAGS)) as browser,
    ):
        chrome = Chrome(browser)
        with chrome.idle():
            yield chrome


def enter(page, address):
    """Come in by the studio's link: for a download the browser itself asks, with its cookie and without the header."""
    page.goto(f"{address}/?token={TOKEN}")


def shoot(page, lang, name):
    """Keep a screenshot to look at, and refuse a page that is wider than its window."""
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{lang}-{name}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def wait_for_pictures(pictures):
    """Wait until every picture of a locator is read, so that its size can be asked."""
    for one in pictures.all():
        expect(one).not_to_have_js_property("naturalWidth", 0)


def type_into(field, text):
    """Type into a field as a person does: not in the moment it is drawn, after which Gradio sets its value once more.

    What is in a part that was folded is made when that is opened for the first time.
    """
    field.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 250)))")
    field.fill(text)
