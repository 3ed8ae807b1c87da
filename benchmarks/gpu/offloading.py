"""Smaller cards, imitated by a limit on torch's memory: which plan is chosen, whether it draws, what it takes."""

from __future__ import annotations

import dataclasses
import time

import torch

from pipelines.errors import M2N2Error
from pipelines.generation.devices import GIB
from pipelines.generation.live_pipeline import LivePipeline

from .bench import GB, Bench, recipe
from .evaluation import draw

LIMITS = (8, 6, 24, 12, 16)  # GiB; by what they tell, should time run out
STEPS = 2
COLUMNS = (
    "GiB of the card",
    "offload",
    "VAE",
    "batch",
    "sources",
    "GB planned",
    "GB at the peak",
    "built in s",
    "drawn in s",
    "result",
)


def run(bench: Bench) -> None:
    """Draw one picture under each limit; at least as many seconds must be left as the last one took."""
    bench.report.begin(f"Offloading under a limit: one picture, {STEPS} steps", COLUMNS)
    sources = bench.sources(2)
    slowest = 0.0
    for limit in LIMITS if bench.cuda else LIMITS[:1]:
        if bench.left < slowest:
            bench.report.note(f"No time was left for {limit} GiB.")
            break
        began = time.perf_counter()
        _measure(bench, sources, limit)
        slowest = max(slowest, time.perf_counter() - began)


def _measure(bench: Bench, sources: dict, limit: int) -> None:
    machine = bench.machine
    if bench.cuda:
        torch.cuda.empty_cache()
        room = min(limit * GIB, torch.cuda.mem_get_info(bench.device)[1])
        torch.cuda.set_per_process_memory_fraction(room / torch.cuda.mem_get_info(bench.device)[1])
        machine = dataclasses.replace(machine, memory=room)
    live, built, drawn, result = None, 0.0, 0.0, "drawn"
    bench.forget_peak()
    began = time.perf_counter()
    try:
        settings = bench.settings(steps=STEPS, batch=1)
        live = LivePipeline(recipe(sources, 0.5), sources, settings=settings, machine=machine)
        bench.synchronize()
        built, began = time.perf_counter() - began, time.perf_counter()
        if not draw(live, bench, steps=STEPS, batch=1):
            result = "drawn, one colour"
        drawn = bench.seconds(lambda: draw(live, bench, steps=STEPS, batch=1))
    except (M2N2Error, RuntimeError) as error:
        result = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
    finally:
        peak = torch.cuda.max_memory_reserved(bench.device) if bench.cuda else 0
        plan = live.plan if live else None
        if live:
            live.release()
        if bench.cuda:
            torch.cuda.set_per_process_memory_fraction(1.0)
            torch.cuda.empty_cache()
    planned: list[str | float] = [""] * 5
    if plan:
        planned = [plan.offload, plan.vae, plan.batch, "kept" if plan.resident else "read", plan.needs / GB]
    bench.report.row(limit, *planned, peak / GB, built, drawn, result)
