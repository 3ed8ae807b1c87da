"""Foresight beside plain M2N2 where there are fewer or more sources, and fewer or more prompts.

    python -m benchmarks.search.sizes [--seeds 3] [--evaluations 80] [--jobs 2]

The judge's best, on the prompts that compete, after a quarter, half and all of the evaluations; and how many
evaluations each takes until M2N2's last, on the mean over seeds. Sources are the first of the embedded family; beyond
its six, mixtures of them that people might have made. What is there in `results/sizes.json` is not run again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import assets
from benchmarks.machine import machine
from benchmarks.markdown import markdown_table
from benchmarks.progress import evaluations_to
from pipelines.storage.files import write_whole
from studio.runs.config import embedded
from studio.runs.inputs import RunPrompts

from .run import one_thread
from .table import METHODS
from .task import Bench, rounded

RESULTS = Path(__file__).parents[1] / "results"
COMPARED = ("m2n2", "nudges")
PROMPTS = 33  # where it is the number of sources that changes
SOURCES = 4  # where it is the number of prompts
#: Beyond the family's six: a LoRA at half its strength, and on another source than it was trained on.
MORE = ("half = {base} + 0.5 * {glossy}", "shiny = {flat} + 0.8 * {glossy}")


@dataclass(frozen=True)
class Size:
    """How large a question is."""

    sources: int
    prompts: int


SIZES = tuple(Size(sources, PROMPTS) for sources in (2, 4, 6, 8)) + tuple(Size(SOURCES, n) for n in (16, 65))


@dataclass(frozen=True)
class Job:
    """One search."""

    size: Size
    method: str
    seed: int


def family(count: int) -> list[str]:
    """The first sources of the embedded family, as a run file writes them, and mixtures of theirs."""
    places = {name: str(assets.FAMILY / name) for name in ("base", "flat")}
    glossy = str(assets.FAMILY / "glossy.safetensors")
    return [*assets.all_sources(), *(one.format(**places, glossy=glossy) for one in MORE)][:count]


def search(job: Job, evaluations: int) -> dict[str, Any]:
    """Carry out one search: the judge's best after each evaluation, float [evaluations]."""
    sources, entry = family(job.size.sources), METHODS[job.method]
    bench = Bench(niches=RunPrompts(embedded()).niches.subset(job.size.prompts), sources=sources)
    config, curve = entry.config(job.seed, bench.pictures, sources), []
    with tempfile.TemporaryDirectory() as folder:
        method = entry.begin(config, bench.sources, bench.niches, Path(folder))
        while len(curve) < evaluations and (asked := method.ask()) is not None:
            method.tell(asked, bench.scores(asked.recipe, method.sources, config, asked.rotation))
            best = method.best()
            curve.append(float(best[1].mean()) if best else 0.0)
    return {**asdict(job), "curve": rounded(curve), "machine": machine()}


def table(runs: list[dict[str, Any]], evaluations: int) -> str:
    """What was found, in Markdown."""
    marks = [evaluations // 4, evaluations // 2, evaluations]
    columns = ["sources", "prompts", "method", "seeds", *(f"after {mark}" for mark in marks), "until M2N2's last"]
    rows = []
    for size in SIZES:
        curves = {
            method: [one["curve"] for one in runs if one["size"] == asdict(size) and one["method"] == method]
            for method in COMPARED
        }
        if not all(curves.values()):
            continue
        level = float(np.mean([curve[-1] for curve in curves["m2n2"]]))
        for method, found in curves.items():
            means = [f"{np.mean([curve[mark - 1] for curve in found]):.3f}" for mark in marks]
            until = sorted(evaluations_to(curve, level) or evaluations + 1 for curve in found)
            said = ", ".join(str(made) if made <= evaluations else f"more than {evaluations}" for made in until)
            rows.append([str(size.sources), str(size.prompts), METHODS[method].title, str(len(found)), *means, said])
    machines = sorted({one["machine"] for one in runs})
    return "\n".join([*markdown_table(columns, rows), "", *(f"Machine: {one}." for one in machines)]) + "\n"


def main() -> None:
    """Complete the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--evaluations", type=int, default=80)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="searches at a time, one thread each")
    asked = parser.parse_args()
    file = RESULTS / "sizes.json"
    runs = json.loads(file.read_text("utf-8")) if file.exists() else []
    done = {(one["size"]["sources"], one["size"]["prompts"], one["method"], one["seed"]) for one in runs}
    jobs = [Job(size, method, seed) for seed in range(asked.seeds) for size in SIZES for method in COMPARED]
    left = [job for job in jobs if (job.size.sources, job.size.prompts, job.method, job.seed) not in done]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(asked.jobs, mp_context=context, initializer=one_thread) as pool:
        for found in pool.map(search, left, [asked.evaluations] * len(left)):
            runs.append(found)
            write_whole(file, (json.dumps(runs, separators=(",", ":")) + "\n").encode())
    text = table(runs, asked.evaluations)
    write_whole(RESULTS / "sizes.md", text.encode())
    print(text)


if __name__ == "__main__":
    main()
