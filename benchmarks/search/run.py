"""Is M2N2 the best search on pictures? Its ablations, other searches, plain merges and extensions at equal evaluations.

    python -m benchmarks.search [--seeds 5] [--first-seed 0] [--evaluations 200] [--methods m2n2 cma-es ...] [--jobs 2]
    python -m benchmarks.search --report

On the embedded family. Fitness is the judge, on the Japanese captions of 33 of the 65 prompts of evolution: one batch.
What a search would ship in the end is reported by the jury, which is never fitness, on the 96 held-out prompts: scores
in Japanese and in English, consistency of the twins, and CMMD of the Japanese pictures to the prompts' reference
pictures. Every picture of a prompt begins with the same noise, whoever draws it.

An evaluation is the 33 pictures of one recipe. The sources count, whoever needs them scored; a second language counts
as another evaluation, and so does scoring somebody again. A search that races leaves pictures undrawn, and so has more
children for the same number of pictures.

A run is a small file under `benchmarks/results/search/`, written when it is finished; a run that is there is not
repeated, so the table can be completed over several sittings. Seeds come one after the other, so that a table that is
not complete is still fair. In the end `search.md`, `search.png` and `search-pictures.png` beside that folder are made
from all runs; for another number of evaluations they are called `search-400.md` and so on.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine
from pipelines.errors import GenerationError, M2N2Error
from pipelines.storage.files import write_whole
from studio.breeding.search_method import Candidate, SearchMethod
from studio.evaluation.fitness import RACE_ROUND
from studio.evolution.racing import RaceProgress
from studio.runs.config import RunConfig

from .methods import Rejection
from .report import report
from .table import METHODS
from .task import Bench, compact, rounded

RESULTS = Path(__file__).parents[1] / "results"
EVALUATIONS = 200
REPORT = 6  # evaluations that a report on the held-out prompts takes as long as
PACKAGES = ("numpy", "torch", "diffusers", "open_clip_torch", "cma", "ribs")


@dataclass
class RaceAccount:
    """What became of the children of a search that races.

    Attributes:
        children: that were raced.
        entered: of them.
        given_up: of them.
        audited: that would have been given up, and were drawn to the end.
        missed: of these that entered.
    """

    children: int = 0
    entered: int = 0
    given_up: int = 0
    audited: int = 0
    missed: int = 0

    def run(self, bench: Bench, method: SearchMethod, asked: Candidate, config: RunConfig) -> int:
        """Draw a child round by round and tell what came of it; how many pictures that took."""
        progress, known = RaceProgress(asked.race, RACE_ROUND), np.full(len(bench.niches), np.nan)
        self.children += 1
        while places := progress.next_round(known):
            found = bench.scores(asked.recipe, method.sources, config, asked.rotation, places)
            if found is None:
                method.tell(asked, None)
                return len(known)
            known[places] = found
        drawn = int((~np.isnan(known)).sum())
        if drawn < len(known):
            method.tell(asked, None, partial=known)
            self.given_up += 1
            return drawn
        entered = method.tell(asked, known).entered
        self.entered += entered
        if progress.end is not None:
            self.audited += 1
            self.missed += entered
        return drawn


@dataclass(frozen=True)
class Job:
    """One run: a search and its random seed."""

    method: str
    seed: int

    def path(self, folder: Path, evaluations: int) -> Path:
        """Where its result is."""
        return folder / "search" / f"{self.method}-{evaluations}-{self.seed}.json"


def run(bench: Bench, job: Job, evaluations: int = EVALUATIONS) -> dict[str, Any]:
    """Carry out one run; the result that JSON can hold."""
    started, entry = time.perf_counter(), METHODS[job.method]
    config = entry.config(job.seed, bench.pictures)
    cost, best = len(config.compete), None
    curve: list[float] = []
    pictures, race = 0, RaceAccount()
    with tempfile.TemporaryDirectory() as folder:
        method = entry.begin(config, bench.sources, bench.niches, Path(folder))
        while (len(curve) + 1) * cost <= evaluations and (asked := method.ask()) is not None:
            if asked.race is None:
                method.tell(asked, bench.scores(asked.recipe, method.sources, config, asked.rotation))
                pictures += len(bench.niches)
            else:
                pictures += race.run(bench, method, asked, config)
            best = method.best()
            score = float(best[1][: len(bench.niches)].mean()) if best else 0.0
            curve += [score] * (pictures // len(bench.niches) - len(curve))
        if best is None:
            raise GenerationError(
                "{method} drew nothing in {evaluations} evaluations. Expected a picture at least.",
                method=job.method,
                evaluations=len(curve),
            )
        searched = time.perf_counter()
        held_out, distance = bench.report(best[0], method.sources)
    result = {
        "method": job.method,
        "seed": job.seed,
        "evaluations": evaluations,
        "niches": len(bench.niches),
        "cost": cost,
        "curve": rounded(curve),
        "winner": compact(best[0]),
        "held_out": held_out,
        "cmmd": round(distance, 4),
        "seconds": [round(searched - started, 1), round(time.perf_counter() - searched, 1)],
        "machine": machine(),
        "versions": {name: version(name) for name in PACKAGES},
    }
    if isinstance(method, Rejection):
        result |= {"spared": method.spared, "drawn": len(curve) * len(bench.niches), "wronged": method.wronged}
    if config.racing:
        result["race"] = dataclasses.asdict(race)
    return result


def complete(bench: Bench, job: Job, evaluations: int = EVALUATIONS, folder: Path = RESULTS) -> dict[str, Any]:
    """Carry out one run and write its result."""
    result = run(bench, job, evaluations)
    write_whole(job.path(folder, evaluations), (json.dumps(result, separators=(",", ":")) + "\n").encode())
    return result


def carry_out(jobs: Sequence[Job], workers: int, evaluations: int = EVALUATIONS, folder: Path = RESULTS) -> None:
    """Run what is not in `folder` yet, each worker with one thread; a line per finished run."""
    jobs = [job for job in jobs if not job.path(folder, evaluations).exists()]
    work = {job: min(METHODS[job.method].most or evaluations, evaluations) + REPORT for job in jobs}
    started, done = time.perf_counter(), 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=one_thread) as pool:
        running = {pool.submit(_complete, job, evaluations, folder): job for job in jobs}
        try:
            for number, future in enumerate(as_completed(running), 1):
                job = running[future]
                done += work[job]
                left = (time.perf_counter() - started) * (sum(work.values()) - done) / done
                line = f"[{number}/{len(jobs)}] {job.method} seed {job.seed}: {_outcome(future)}"
                print(f"{line}; {left / 3600:.1f} h left", file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _outcome(future: Future[dict[str, Any]]) -> str:
    try:
        result = future.result()
    except M2N2Error as error:  # the others may well go on; this one is tried again next time
        return f"failed: {error}"
    ja, en = (np.mean(result["held_out"][language]) for language in ("ja", "en"))
    return f"judge {result['curve'][-1]:.3f}, jury {ja:.3f} ja {en:.3f} en, {sum(result['seconds']):.0f} s"


def one_thread() -> None:
    """Have this process calculate in one thread."""
    threadpool_limits(1)
    torch.set_num_threads(1)  # two processes of one thread do more in an hour than one of two


def _complete(job: Job, evaluations: int, folder: Path) -> dict[str, Any]:
    return complete(_bench(), job, evaluations, folder)


@functools.cache
def _bench() -> Bench:
    """The worker's own."""
    return Bench()


def main() -> None:
    """Complete the table, or only make it again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0, help="5 for the seeds that confirm what has won")
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time, one thread each")
    parser.add_argument("--report", action="store_true", help="make table and figures of the runs that are there")
    asked = parser.parse_args()
    one_thread()
    if not asked.report:
        jobs = [
            Job(method, seed)
            for seed in range(asked.first_seed, asked.first_seed + asked.seeds)
            for method, entry in METHODS.items()
            if method in asked.methods and (entry.seeds is None or seed < entry.seeds)
        ]
        carry_out(jobs, asked.jobs, asked.evaluations)
    name = "search" if asked.evaluations == EVALUATIONS else f"search-{asked.evaluations}"
    report(Bench(), RESULTS, asked.evaluations, name)


if __name__ == "__main__":
    main()
