"""A compiled UNet under a thousand re-weaves: no block is compiled again, and pictures stay those of the plain one."""

from __future__ import annotations

import time

import numpy as np
from torch._dynamo.utils import counters

from pipelines.generation.live_pipeline import LivePipeline

from .bench import Bench, recipe
from .evaluation import draw

RE_WEAVES = 1000  # where there is no GPU, a tenth
DRAWN_EVERY = 50
COLUMNS = ("re-weaves", "ms each", "frames compiled before", "after", "grey levels off, mean", "at most")


def run(bench: Bench) -> None:
    """Compile, re-weave as often as the time allows, and compare with what runs uncompiled."""
    bench.report.begin("Compiled blocks under re-weaves", COLUMNS)
    sources = bench.sources(2)
    settings = bench.settings(steps=2, batch=1, compiled=True)
    live = LivePipeline(recipe(sources, 0.5), sources, settings=settings, machine=bench.machine)
    try:
        plain = bench.seconds(lambda: draw(live, bench, steps=2, batch=1))
        plain = bench.seconds(lambda: draw(live, bench, steps=2, batch=1))
        first = bench.seconds(lambda: draw(live, bench, steps=2, batch=1, compiled=True))
        again = bench.seconds(lambda: draw(live, bench, steps=2, batch=1, compiled=True))
        bench.report.note(
            f"A picture in 2 steps: {plain:.2f} s plain, {again:.2f} s compiled; compiling took {first:.1f} s."
        )
        live.weave(recipe(sources, 0.0))  # which brings the sources to the device
        compiled, spent, done = _frames(), 0.0, 0
        most = RE_WEAVES if bench.cuda else RE_WEAVES // 10
        while done < most and (bench.left > 4 or not done):
            done += 1
            began = time.perf_counter()
            live.weave(recipe(sources, done / (most + 1)))
            bench.synchronize()
            spent += time.perf_counter() - began
            if done % DRAWN_EVERY == 0:
                draw(live, bench, steps=2, batch=1, compiled=True)
        ours = draw(live, bench, steps=2, batch=1, compiled=True)
        theirs = draw(live, bench, steps=2, batch=1)
        off = np.abs(np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)) if ours and theirs else None
        bench.report.row(
            done, 1e3 * spent / done, compiled, _frames(),
            float(off.mean()) if off is not None else "none drawn", float(off.max()) if off is not None else "",
        )  # fmt: skip
    finally:
        live.release()


def _frames() -> int:
    """How many frames torch has compiled in this process."""
    return int(counters["stats"]["unique_graphs"])
