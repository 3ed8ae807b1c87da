"""How long a page takes in a browser, with a run of 500 individuals and 20,000 pictures beside a run of 24 and 960.

    python -m benchmarks.pages

A page is opened in Chromium at a laptop's size, from the address with nothing cached to the moment its content is
there: the median of three visits after a first one, which is given apart.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.table import Table

from studio.ui.app import build_app
from studio.ui.shared import PAGES, page_link

from .digits import machine
from .made_up import make

VISITS = 3
RUNS = {"small": (24, 960), "large": (500, 20_000)}  # individuals, pictures
# What is there when a page has all it shows of a run: by page, a selector.
CONTENT = {
    "evolve": "#tree svg",
    "archive": "#title h2",
    "compare": "input[aria-label=Run]",
}
HEADING = "h1"


def visit(browser: Browser, address: str, page: str) -> float:
    """Seconds until the content of a page is there, in a browser that has never been here."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB")
    try:
        tab = context.new_page()
        started = time.perf_counter()
        tab.goto(address, wait_until="commit")
        tab.locator(CONTENT.get(page, HEADING)).first.wait_for()
        return time.perf_counter() - started
    finally:
        context.close()


def chromium() -> str | None:
    """Where a Chromium is on this machine; `None` where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def served(runs: Path) -> Iterator[str]:
    """The studio over a folder of runs; gives its address."""
    server = uvicorn.Server(uvicorn.Config(build_app(runs), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def main() -> None:
    """Make the runs, visit every page, print the table."""
    table = Table("page", "run", "first visit, s", f"median of {VISITS}, s", title=machine())
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        for name, (individuals, pictures) in RUNS.items():
            make(runs / name, individuals=individuals, pictures=pictures).close()
        with served(runs) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--headless", "--no-sandbox"])
            for page in PAGES:
                for name in RUNS:
                    link = address + page_link("en", page, run=name, id="0001")
                    first, *others = [visit(browser, link, page) for _ in range(1 + VISITS)]
                    table.add_row(page, name, f"{first:.2f}", f"{statistics.median(others):.2f}")
            browser.close()
    Console().print(table)


if __name__ == "__main__":
    main()
