"""Many browsers at once: everybody watches a run that goes on and votes; how long answers take, and whether all arrive.

    python -m benchmarks.app.load [--clients 50] [--minutes 10]

The studio is a process of its own over an invented run that gains an offspring every few seconds. A client speaks what
a page speaks: it joins Gradio's queue and listens to its own stream. It looks at the run as often as the page does,
draws the run again when its state has changed, and votes now and then. What it prints: the time from asking to the
answer by kind, how many calls failed, whether every vote that was answered is on the disk, and the memory of the
studio's process over time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from studio.judging.votes import read_votes
from studio.runs.store import open_run
from studio.ui.judge.page import SITTING

from .synthetic_run import ALIVE, make

RUN = "watched"
LOOKS = 2.0  # seconds between two looks, as on the Evolve page
VOTES = 10.0  # seconds between two votes of one client
GROWS = 6.0  # seconds between two offspring
SETTLE = 60.0  # seconds that a call may take before it counts as lost
SAMPLES = 8  # of the memory, over the whole time


@dataclass
class Heard:
    """What all clients saw: seconds a call took, by kind; calls without an answer; whose votes were answered."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    votes: list[str] = field(default_factory=list)

    def took(self, kind: str, seconds: float) -> None:
        """Note the time of one call."""
        self.seconds.setdefault(kind, []).append(seconds)


class Pages:
    """The handlers of the English pages, found by what they listen to: page, kind of component, event."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.kinds = {one["id"]: one["type"] for one in config["components"]}
        self.handlers = config["dependencies"]
        self.pages = {id: name for name, page in config["page"].items() for id in page["dependencies"]}

    def handler(self, page: str, kind: str | None, event: str, inputs: int) -> int:
        """Return the number of a page's first handler that such a component sets off and that reads so many values."""
        return next(
            one["id"]
            for one in self.handlers
            if self.pages[one["id"]] == page
            and len(one["inputs"]) == inputs
            and any(named == event and self.kinds.get(id) == kind for id, named in one["targets"])
        )


class Client:
    """One browser: a session of its own, one call after the other."""

    def __init__(self, http: httpx.AsyncClient, name: str, heard: Heard) -> None:
        self.http, self.name, self.heard = http, name, heard

    async def call(
        self, kind: str, session: str, handler: int, data: list[Any], event: Any = None
    ) -> dict[str, Any] | None:
        """Call a handler and wait for its answer; `None` where none came."""
        started = time.perf_counter()
        asked = {"fn_index": handler, "data": data, "session_hash": session, "event_data": event, "trigger_id": None}
        try:
            async with asyncio.timeout(SETTLE):
                joined = await self.http.post("/en/gradio_api/queue/join", json=asked)
                joined.raise_for_status()
                answer = await self._answer(session, joined.json()["event_id"])
        except (TimeoutError, httpx.HTTPError) as error:
            self.heard.lost.append(f"{kind}: {error or type(error).__name__}")
            return None
        if not answer["success"]:
            self.heard.lost.append(f"{kind}: {answer['output']}")
            return None
        self.heard.took(kind, time.perf_counter() - started)
        return answer["output"]

    async def _answer(self, session: str, event: str) -> dict[str, Any]:
        """Listen as a page does: until the server says that nothing more comes of this session."""
        address, answer = f"/en/gradio_api/queue/data?session_hash={session}", None
        async with self.http.stream("GET", address) as stream:
            stream.raise_for_status()
            async for line in stream.aiter_lines():
                message = json.loads(line[6:]) if line.startswith("data: ") else {}
                if message.get("event_id") == event and message["msg"] == "process_completed":
                    answer = message
        if answer is None:
            raise httpx.RemoteProtocolError("the stream ended before the answer")
        return answer

    async def watch(self, pages: Pages, until: float, first: float) -> None:
        """Look at the run every few seconds, and draw it again once it has changed."""
        tick = pages.handler("", "timer", "tick", 2)
        draw = pages.handler("", "state", "change", 1)
        await asyncio.sleep(first)
        await self.call("open", f"{self.name}w", pages.handler("", None, "load", 0), [])
        while (due := time.perf_counter()) < until:
            answer = await self.call("look", f"{self.name}w", tick, [RUN, None])
            if answer and answer["changed_state_ids"]:  # the mark of the run's state
                await self.call("draw", f"{self.name}w", draw, [RUN])
            await asyncio.sleep(max(0.0, LOOKS - (time.perf_counter() - due)))

    async def vote(self, pages: Pages, until: float, first: float) -> None:
        """Answer one question after the other, and go on when a sitting is over."""
        start = pages.handler("judge", "button", "click", 4)
        answer = pages.handler("judge", "html", "answer", 2)
        more = pages.handler("judge", "button", "click", 1)
        session = f"{self.name}v"
        await asyncio.sleep(first)
        await self.call("open", session, pages.handler("judge", None, "load", 1), [{"name": "", "reads": "en"}])
        asked = await self.call("question", session, start, [RUN, self.name, "en", False])
        for number in itertools.count(1):
            if not asked or time.perf_counter() >= until:
                break
            await asyncio.sleep(VOTES)
            if await self.call("vote", session, answer, [None, None], {"choice": "left"}):
                self.heard.votes.append(self.name)
            if number % SITTING == 0:
                asked = await self.call("question", session, more, [None])


@contextlib.contextmanager
def studio_process(runs: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Open the studio in a process of its own; gives it with the address it printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "studio.cli.app", "studio", "--port", port, "--runs", str(runs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            printed = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+", printed)
            if found is None:
                raise RuntimeError(f"the studio printed no address, but: {printed!r}")
            yield psutil.Process(process.pid), found[0]
        finally:
            process.terminate()


def _grow(runs: Path, stop: threading.Event) -> None:
    """Give the run an offspring every few seconds, as a search that goes on would."""
    store = open_run(runs / RUN)
    everyone = store.individuals()
    alive = [one.id for one in everyone if one.alive][:ALIVE]
    for number in itertools.count(len(everyone)):
        if stop.wait(GROWS):
            break
        child = replace(everyone[-1], id=f"{number:04}", born=datetime.now(UTC), entered=False, alive=False)
        store.record([child], {}, alive)
    store.close()


async def _everybody(address: str, clients: int, seconds: float, memory: list[float], process: psutil.Process) -> Heard:
    heard, until = Heard(), time.perf_counter() + seconds
    async with contextlib.AsyncExitStack() as stack:
        browsers = []
        base = re.match(r"http://[^/\s]+", address)[0]  # type: ignore[index]  # the address was found by its scheme
        for number in range(clients):
            http = await stack.enter_async_context(
                httpx.AsyncClient(base_url=base, follow_redirects=True, timeout=SETTLE)
            )
            (await http.get(address)).raise_for_status()  # with the token, where one was printed
            browsers.append(Client(http, f"client{number:03}", heard))
        pages = Pages((await browsers[0].http.get("/en/config")).json())
        apart = np.random.default_rng(0).uniform(0, LOOKS, clients)
        jobs = [one.watch(pages, until, first) for one, first in zip(browsers, apart, strict=True)]
        jobs += [one.vote(pages, until, 2 * first) for one, first in zip(browsers, apart, strict=True)]

        async def weigh() -> None:
            while time.perf_counter() < until:
                memory.append(process.memory_info().rss / 1e6)
                await asyncio.sleep(seconds / SAMPLES)

        await asyncio.gather(*jobs, weigh())
        memory.append(process.memory_info().rss / 1e6)
    return heard


def measure(clients: int, minutes: float) -> None:
    """Let the clients work and print the tables."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        make(runs / RUN, individuals=60, pictures=2400).close()
        stop, memory = threading.Event(), []
        grower = threading.Thread(target=_grow, args=(runs, stop))
        with studio_process(runs) as (process, address):
            grower.start()
            try:
                heard = asyncio.run(_everybody(address, clients, 60 * minutes, memory, process))
            finally:
                stop.set()
                grower.join()
        kept = len(read_votes(runs / RUN))
    table = Table("call", "calls", "p50, s", "p95, s", "p99, s", "longest, s", title=f"{clients} clients, {machine()}")
    for kind, seconds in heard.seconds.items():
        shown = (f"{value:.2f}" for value in (*np.percentile(seconds, (50, 95, 99)), max(seconds)))
        table.add_row(kind, str(len(seconds)), *shown)
    console = Console()
    console.print(table)
    console.print(f"calls without an answer: {len(heard.lost)} {heard.lost[:3] or ''}")
    console.print(f"votes answered: {len(heard.votes)}; on the disk: {kept}")
    console.print(f"memory of the studio, MB: {', '.join(f'{one:.0f}' for one in memory)}")


def main() -> None:
    """Measure as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=2)
    asked = parser.parse_args()
    measure(asked.clients, asked.minutes)


if __name__ == "__main__":
    main()
