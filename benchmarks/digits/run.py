"""The paper's own experiment (M2N2, arXiv 2508.16204, section 4.1), with the evolution code that the studio runs.

    python -m benchmarks.digits [--setting pretrained|scratch|both] [--methods m2n2 ga ...] [--runs 10] [--jobs 2]
    python -m benchmarks.digits --report
    python -m benchmarks.digits --speed

Networks that read digits are evolved, from two random ones or from two specialists, without a gradient. The reported
network is the member with the best accuracy on the training pictures. A run is a small file under
`benchmarks/results/digits/`, written when it is finished; a run that is there is not repeated, so the table can be
completed over several sittings. In the end `digits.md` and `digits.png` beside that folder are made from all runs.

Where this is not the reference code, although the rules are the paper's:

- The studio's archive subtracts the worst score of the archive per niche before competition. With scores of 0 and 1,
  niches that everybody solves then hand out nothing, where they would give all the same: who leaves the archive and who
  attracts whom stay as they were; the mother is drawn with more weight on what not everybody can do.
- Of several equally unfit the newest leaves, in the reference the one in the first slot; and two parents are always two
  different individuals, where the reference draws both with replacement when there is no attraction (without mutation,
  one that mates with itself has itself as a child): a row of its own follows it there.
- CMA-ES has a diagonal covariance, not a full one. Random numbers are numpy's, with 65,536 values of the noise of a
  mutation; only the two specialists are drawn as in the reference (`digits_task`).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.machine import machine
from pipelines.storage.files import write_whole
from studio.evolution.niches import coverage, entropy

from .methods import METHODS, Method
from .report import PUBLISHED, WITHOUT_LUCK, report
from .task import Pictures, Solved, Weights, digits, new_weights, specialists

RESULTS = Path(__file__).parents[1] / "results"
FIRST_SEED = 42
POINTS = 100  # of a curve, beside its beginning
PACKAGES = ("numpy", "torch", "scikit-learn", "cma", "ribs")


@dataclass(frozen=True)
class Setting:
    """What a search begins with: two random networks and mutation, or two specialists and none."""

    evaluations: int
    pretrained: bool

    def begin(self, method: str, seed: int) -> Method:
        """A new search."""
        train, _ = digits()
        rng = np.random.default_rng(seed)
        founders = list(specialists()) if self.pretrained else [new_weights(rng), new_weights(rng)]
        return METHODS[method](train, founders, rng, not self.pretrained)


SETTINGS = {"pretrained": Setting(10_000, True), "scratch": Setting(50_000, False)}


@dataclass(frozen=True)
class Job:
    """One run: what, how and with which random numbers."""

    setting: str
    method: str
    seed: int

    def path(self, folder: Path) -> Path:
        """Where its result is."""
        return folder / "digits" / f"{self.setting}-{self.method}-{self.seed}.json"


def advance(method: Method, evaluations: int, points: int = POINTS) -> Iterator[int]:
    """Carry a search on, and stop at each point of its curve; gives the evaluations made so far."""
    for point in range(points + 1):
        while method.evaluations < evaluations * point // points:
            method.step()
        yield method.evaluations


@threadpool_limits.wrap(limits=1)
def run(job: Job, evaluations: int | None = None, points: int = POINTS) -> dict[str, Any]:
    """Carry out one run, of as many evaluations as its setting has unless told; the result that JSON can hold.

    With one thread whatever the machine has: another order of additions can tip an answer, and then every later one.
    """
    setting = SETTINGS[job.setting]
    evaluations = evaluations or setting.evaluations
    train, test = digits()
    started = time.perf_counter()
    method = setting.begin(job.method, job.seed)
    curve: dict[str, list[float]] = {name: [] for name in ("evaluations", "test", "train", "coverage", "entropy")}
    for made in advance(method, evaluations, points):
        best, solved = method.best(), method.solved()
        accuracy = [float(pictures.solved(best).mean()) for pictures in (test, train)]
        for name, value in zip(curve, (made, *accuracy, coverage(solved), entropy(solved)), strict=True):
            curve[name].append(round(value, 4))
    return {
        "setting": job.setting,
        "method": job.method,
        "seed": job.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "machine": machine(),
        "versions": {name: version(name) for name in PACKAGES},
        "curve": curve,
    }


def carry_out(jobs: list[Job], workers: int, folder: Path = RESULTS) -> None:
    """Run what is not in `folder` yet; a line per finished run."""
    jobs = [job for job in jobs if not job.path(folder).exists()]
    total = sum(SETTINGS[job.setting].evaluations for job in jobs)
    started, done = time.perf_counter(), 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        running = {pool.submit(_run_and_write, job, folder): job for job in jobs}
        try:
            for number, future in enumerate(as_completed(running), 1):
                job, result = running[future], future.result()
                done += SETTINGS[job.setting].evaluations
                left = (time.perf_counter() - started) * (total - done) / done
                print(
                    f"[{number}/{len(jobs)}] {job.setting} {job.method} seed {job.seed}: "
                    f"test {result['curve']['test'][-1]:.1%}, {result['seconds']:.0f} s; {left / 60:.0f} min left",
                    file=sys.stderr,
                    flush=True,
                )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _run_and_write(job: Job, folder: Path) -> dict[str, Any]:
    result = run(job)
    write_whole(job.path(folder), (json.dumps(result, separators=(",", ":")) + "\n").encode())
    return result


class Recorder(Pictures):
    """Pictures that remember the networks they were shown."""

    def __init__(self, pictures: Pictures):
        super().__init__(pictures.pixels[:, :-1].numpy(), pictures.labels)
        self.shown: list[Weights] = []

    def solved(self, weights: Weights) -> Solved:
        """As `Pictures.solved`."""
        self.shown.append(weights)
        return super().solved(weights)


def speed() -> None:
    """Print how long a run of M2N2 takes beside a plain loop of the same forward passes; they take turns."""
    table = Table("threads", "M2N2 from scratch, s", "its forward passes alone, s", "share", "evaluations a second")
    train, evaluations = digits()[0], SETTINGS["scratch"].evaluations
    for threads in sorted({1, os.cpu_count() or 1}):
        with threadpool_limits(threads):
            rng, recorder, alone, spent = np.random.default_rng(FIRST_SEED), Recorder(train), 0.0, 0.0
            method = METHODS["m2n2"](recorder, [new_weights(rng), new_weights(rng)], rng, True)
            stops = advance(method, evaluations)
            for _ in range(POINTS + 1):
                recorder.shown.clear()
                begun = time.perf_counter()
                next(stops)
                ended = time.perf_counter()
                for weights in recorder.shown:
                    train.solved(weights)
                spent, alone = spent + ended - begun, alone + time.perf_counter() - ended
        table.add_row(
            str(threads), f"{spent:.1f}", f"{alone:.1f}", f"{alone / spent:.0%}", f"{evaluations / spent:.0f}"
        )
    Console(width=110).print(table)
    print(machine())


def main() -> None:
    """Complete the table, or print the speed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=[*SETTINGS, "both"], default="both")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--runs", type=int, default=10, help=f"with the seeds {FIRST_SEED} and on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time, one thread each")
    parser.add_argument("--report", action="store_true", help="make table and figure of the runs that are there")
    parser.add_argument("--speed", action="store_true", help="print the speed table and nothing else")
    asked = parser.parse_args()
    if asked.speed:
        speed()
        return
    jobs = [
        Job(setting, method, FIRST_SEED + number)
        for setting in (SETTINGS if asked.setting == "both" else [asked.setting])
        for number in range(asked.runs)
        for method in PUBLISHED[setting]
        if method in asked.methods and (number == 0 or method not in WITHOUT_LUCK)
    ]
    if not asked.report:
        carry_out(jobs, asked.jobs)
    report(RESULTS)


if __name__ == "__main__":
    main()
