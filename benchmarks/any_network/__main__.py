"""Any network: two tiny language models bred with a scorer of one's own; families and evolutions of several seeds.

    python -m benchmarks.any_network

Per family: sources, their base, their average, and the best child of each evolution, as in the paper and with
foresight, on problems that nobody was trained or bred on, with 95 % bootstrap intervals over problems; and how many
offspring it takes until the best has what the paper's evolution of the same seed has in the end. Printed, and written
to `benchmarks/results/any_network.md`.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file

from benchmarks.machine import machine
from benchmarks.markdown import markdown_table
from benchmarks.progress import evaluations_to
from eval.metrics import Estimate, bootstrap_mean, paired_bootstrap
from pipelines.storage.files import write_whole
from studio.networks.config import AnyConfig, load
from studio.networks.task import carry_out, create
from studio.runs.config import Breeding
from studio.runs.store import RunStore

from . import score
from .family import make

RESULTS = Path(__file__).parents[1] / "results"
FAMILIES = (3, 4, 5)  # how a family is trained was chosen on 0, 1 and 2
SEEDS = (0, 1, 2)  # of evolutions over each family
AHEAD = {"foresight": 0.75, "nudges": True}  # of the children that are said to have looked ahead
SEARCHES = {"child": {}, "child ahead": AHEAD}  # what their breeding changes
COLUMNS = ("family", "network", "sums", "spelling", "union", "over the better parent", "over the average")


def shown(estimate: Estimate, sign: str = "") -> str:
    return f"{estimate.mean:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def table(family: int, rows: Mapping[str, np.ndarray]) -> Iterator[list[str]]:
    """A family's rows of the table: each task, their union, and what a child gains; scores are float [problems]."""
    sums = len(score.TASKS["sums"]["unseen"])
    better = max(score.TASKS, key=lambda name: rows[name].mean())
    for name, row in rows.items():
        parts = [shown(bootstrap_mean(part)) for part in (row[:sums], row[sums:], row)]
        gains = ["", ""]
        if name.startswith("child"):
            gains = [shown(paired_bootstrap(row, rows[other]), "+") for other in (better, "average")]
        yield [str(family), name, *parts, *gains]


def best_so_far(store: RunStore[AnyConfig]) -> list[float]:
    """The best mean fitness after each offspring."""
    scores = [(one.is_source, one.mean("score") or 0.0) for one in store.individuals()]
    best = np.maximum.accumulate([score for _, score in scores])
    return [float(value) for value, (is_source, _) in zip(best, scores, strict=True) if not is_source]


def evolved(family: int) -> tuple[dict[str, np.ndarray], dict[int, dict[str, int | None]]]:
    """Train a family and breed it.

    Returns:
        Scores on unseen problems by network, children last; and by seed and search the offspring until the fitness that
        the paper's evolution has in the end.
    """
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        config = load(make(Path(folder), seed=family))
        trained = time.monotonic()
        rows = {"base": np.array(score.unseen(load_file(Path(folder) / "base" / "model.safetensors")))}
        children, until = {}, {}
        for seed in SEEDS:
            curves = {}
            for search, breeding in SEARCHES.items():
                asked = config.model_copy(update={"seed": seed, "breeding": Breeding.model_validate(breeding)})
                store = create(Path(folder) / f"{search}-{seed}", asked)
                carry_out(store)
                found = {name: np.array(row) for name, row in (store.state.items or {}).items()}
                curves[search] = best_so_far(store)
                store.close()
                children[f"{search} {seed}"] = found.pop("child")
                rows |= found
            until[seed] = {search: evaluations_to(curve, curves["child"][-1]) for search, curve in curves.items()}
        print(
            f"family {family}: trained in {trained - started:.0f} s; an evolution of {config.evaluations} offspring "
            f"took {(time.monotonic() - trained) / len(SEEDS) / len(SEARCHES):.0f} s",
            flush=True,
        )
        return rows | children, until


def main() -> None:
    """Print the table, and write it."""
    found, until = [], ["| family | seed | child | child ahead |", "| --- | --- | --- | --- |"]
    for family in FAMILIES:
        rows, needed = evolved(family)
        found += table(family, rows)
        for seed, by_search in needed.items():
            cells = (str(made or "more") for made in by_search.values())
            until.append(f"| {family} | {seed} | {' | '.join(cells)} |")
    printed = Table(*COLUMNS)
    for row in found:
        printed.add_row(*(cell.replace("[", r"\[") for cell in row))
    Console(width=170).print(printed)
    lines = [
        "# any_network",
        "",
        f"Share of {score.UNSEEN} unseen problems of each task that are solved, and of all of them together, with 95 %",
        "bootstrap intervals over problems; differences are paired by problem. "
        "The two parents are named for their task; a child ahead was bred with foresight and nudges.",
        "",
        *markdown_table(COLUMNS, found),
        "",
        "Offspring until the best has the fitness that the paper's evolution has in the end:",
        "",
        *until,
        "",
        f"Machine: {machine()}, {torch.get_num_threads()} thread(s). torch {torch.__version__}.",
    ]
    write_whole(RESULTS / "any_network.md", ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
