"""A studio to visit, and a real Chromium to visit it with; the fixtures are in conftest."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from pathlib import Path

import uvicorn
from playwright.sync_api import expect, sync_playwright

from studio.ui.app import build_app

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
LOADING = 90_000  # ms until a process of its own has loaded its models, on a busy machine
LOCALES = {"en": "en-GB", "ja": "ja-JP"}


@contextlib.contextmanager
def served(studio):
    """A studio on a port of its own; gives its address."""
    server = uvicorn.Server(uvicorn.Config(build_app(studio.runs), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@contextlib.contextmanager
def chromium():
    """Opens pages at a laptop's size; whatever their console calls an error is a failure in the end."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert program, "Chromium was not found; `make test` installs it, or: apt-get install chromium"
    errors = []
    with (
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=program, args=FLAGS)) as browser,
    ):

        def opened(locale, **options):
            page = browser.new_page(viewport={"width": 1280, "height": 720}, locale=locale, **options)
            page.set_default_timeout(LOADING)
            page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            return page

        yield opened
    assert errors == [], errors


def shoot(page, lang, name):
    """Keep a screenshot to look at, and refuse a page that is wider than its window."""
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"{lang}-{name}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
