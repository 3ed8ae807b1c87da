"""Any network: two tiny language models bred with a scorer of one's own; families and evolutions of several seeds.

    python -m benchmarks.any_network

Per family: sources, their base, their average, and the best child of each evolution, on problems that nobody was
trained or bred on, with 95 % bootstrap intervals over problems. Printed, and written to
`benchmarks/results/any_network.md`.
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
from eval.metrics import Estimate, bootstrap_mean, paired_bootstrap
from pipelines.storage.files import write_whole
from studio.networks.config import load
from studio.networks.task import carry_out, create

from . import score
from .family import make

RESULTS = Path(__file__).parents[1] / "results"
FAMILIES = (3, 4, 5)  # how a family is trained was chosen on 0, 1 and 2
SEEDS = (0, 1, 2)  # of evolutions over each family
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


def evolved(family: int) -> dict[str, np.ndarray]:
    """Train a family and breed it; scores on unseen problems by network, children last."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        config = load(make(Path(folder), seed=family))
        trained = time.monotonic()
        rows = {"base": np.array(score.unseen(load_file(Path(folder) / "base" / "model.safetensors")))}
        children = {}
        for seed in SEEDS:
            store = create(Path(folder) / f"run-{seed}", config.model_copy(update={"seed": seed}))
            carry_out(store)
            found = {name: np.array(row) for name, row in (store.state.items or {}).items()}
            store.close()
            children[f"child {seed}"] = found.pop("child")
            rows |= found
        print(
            f"family {family}: trained in {trained - started:.0f} s; an evolution of {config.evaluations} offspring "
            f"took {(time.monotonic() - trained) / len(SEEDS):.0f} s",
            flush=True,
        )
        return rows | children


def main() -> None:
    """Print the table, and write it."""
    found = [row for family in FAMILIES for row in table(family, evolved(family))]
    printed = Table(*COLUMNS)
    for row in found:
        printed.add_row(*(cell.replace("[", r"\[") for cell in row))
    Console(width=170).print(printed)
    lines = [
        "# any_network",
        "",
        f"Share of {score.UNSEEN} unseen problems of each task that are solved, and of all of them together, with 95 %",
        "bootstrap intervals over problems; differences are paired by problem. "
        "The two parents are named for their task.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
        *(f"| {' | '.join(row)} |" for row in found),
        "",
        f"Machine: {machine()}, {torch.get_num_threads()} thread(s). torch {torch.__version__}.",
    ]
    write_whole(RESULTS / "any_network.md", ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
