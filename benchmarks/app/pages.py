"""How long a page takes in a browser, with a run of 500 individuals and 20,000 pictures beside a run of 24 and 960.

    python -m benchmarks.app.pages

A page is opened in Chromium at a laptop's size, from the address to the moment its content is there: once in a browser
that has never been here, then from page to page, as people do, with Gradio's own files in the browser's cache: the
median of three visits. An empty page of Gradio is timed the same way: nothing here can be faster.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from studio.access.door import Door, open_door
from studio.ui.common.frame import PAGES, page_link
from studio.ui.server.app import build_app

from .synthetic_run import make

TOKEN = secrets.token_urlsafe(32)
KEY = {"Authorization": f"Bearer {TOKEN}"}  # what whoever opened the studio may send in place of a cookie
VISITS = 3
SETTLE = 1000  # ms, for what comes after the content
RUNS = {"small": (24, 960), "large": (500, 20_000)}  # individuals, pictures
# What a page shows one after the other: by page, selectors; every page has a heading.
HEADING, PICTURE = "h1", "first picture"
CONTENT = {
    "evolve": (PICTURE, HEADING, "#newest img", "#tree svg"),
    "archive": (PICTURE, HEADING, "#title h2"),
    "compare": (HEADING, "input[aria-label=Run]"),
}
# A picture can be seen, of what the page begins with or of the page itself.
PICTURE_SHOWN = """() => performance.getEntriesByName("first-picture").length
  || [...document.querySelectorAll(".picture img")].some((one) => one.complete && one.naturalWidth)"""


def visits(browser: Browser, address: str, content: Sequence[str]) -> list[list[float]]:
    """Seconds until each part of a page is there: in a browser that has never been here, then in the same again."""
    found = []
    with browser.new_context(
        viewport={"width": 1280, "height": 720}, locale="en-GB", extra_http_headers=KEY
    ) as context:
        for _ in range(1 + VISITS):
            tab = context.new_page()
            started = time.perf_counter()
            tab.goto(address, wait_until="commit")
            found.append([])
            for part in content:
                if part == PICTURE:
                    tab.wait_for_function(PICTURE_SHOWN)
                else:
                    tab.locator(part).first.wait_for()
                found[-1].append(time.perf_counter() - started)
            tab.wait_for_timeout(SETTLE)
            tab.close()
    return found


#: Programs that are a Chromium; the first draws no window of its own, and starts in less than half of the time.
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Where a Chromium is on this machine; `None` where there is none."""
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)


def door_of(runs: Path) -> Door:
    """The door of a studio that opens to `TOKEN`."""
    return replace(open_door(runs, "127.0.0.1"), token=TOKEN)


@contextlib.contextmanager
def served(runs: Path, allowed: Sequence[Path] = (), door: Door | None = None) -> Iterator[str]:
    """The studio over a folder of runs, with further folders that its pages may read; gives its address.

    Browsers come in with `KEY` among their headers.
    """
    with _listening(build_app(runs, door or door_of(runs), allowed)) as address:
        yield address


def _empty_page() -> FastAPI:
    """What Gradio needs for a heading."""
    with gr.Blocks() as page:
        gr.HTML("<h1>nothing</h1>")
    return gr.mount_gradio_app(FastAPI(), page, path="/en", ssr_mode=False)


@contextlib.contextmanager
def _listening(app: FastAPI) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def main() -> None:
    """Make the runs, visit every page, print the table."""
    table = Table("page", "until", "run", "first visit, s", f"later ones, median of {VISITS}, s", title=machine())
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        for name, (individuals, pictures) in RUNS.items():
            make(runs / name, individuals=individuals, pictures=pictures).close()
        with served(runs) as address, _listening(_empty_page()) as empty, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--headless", "--no-sandbox"])
            asked = [("nothing", "", f"{empty}/en/", (HEADING,))] + [
                (page, name, address + page_link("en", page, run=name, id="0001"), CONTENT.get(page, (HEADING,)))
                for page in PAGES
                for name in RUNS
            ]
            for page, name, link, parts in asked:
                first, *later = visits(browser, link, parts)
                for part, one, others in zip(parts, first, zip(*later, strict=True), strict=True):
                    table.add_row(page, part, name, f"{one:.2f}", f"{statistics.median(others):.2f}")
            browser.close()
    Console().print(table)


if __name__ == "__main__":
    main()
