"""Any network: two tiny language models bred with a scorer of one's own; families and evolutions of several seeds.

    python -m benchmarks.any_network

A table per family: sources, their base, their average, and the best child of each evolution, on problems that nobody
was trained or bred on, with 95 % bootstrap intervals over problems.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from eval.metrics import Estimate, bootstrap, paired_bootstrap
from studio.anynet.config import load
from studio.anynet.run import carry_out, create

from . import score
from .family import make

FAMILIES = (3, 4, 5)  # how a family is trained was chosen on 0, 1 and 2
SEEDS = (0, 1, 2)  # of evolutions over each family


def shown(estimate: Estimate, sign: str = "") -> str:
    return f"{estimate.mean:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def table(rows: dict[str, np.ndarray], best_parent: str) -> None:
    """Print rows of scores per problem, float [problems]: each task, their union, and what a child gains."""
    sums = len(score.TASKS["sums"]["unseen"])
    print(f"{'':10} {'sums':22} {'spelling':22} {'union':22} {'minus ' + best_parent:26} minus average")
    for name, row in rows.items():
        parts = [shown(bootstrap(part)) for part in (row[:sums], row[sums:], row)]
        gains = []
        if name.startswith("child"):
            gains = [shown(paired_bootstrap(row, rows[other]), "+") for other in (best_parent, "average")]
        print(f"{name:10} " + " ".join(f"{part:22}" for part in parts) + " " + " ".join(f"{one:26}" for one in gains))


def main() -> None:
    print(f"{score.UNSEEN} unseen problems of each task, torch {torch.__version__}, {torch.get_num_threads()} threads")
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            config = load(make(Path(folder), seed=family))
            trained = time.monotonic()
            rows = {"base": np.array(score.unseen(load_file(Path(folder) / "base" / "model.safetensors")))}
            for seed in SEEDS:
                store = create(Path(folder) / f"run-{seed}", config.model_copy(update={"seed": seed}))
                carry_out(store)
                found = {name: np.array(row) for name, row in store.get("items").items()}
                store.close()
                child = found.pop("child")
                rows |= found
                rows[f"child {seed}"] = child
            parents = list(score.TASKS)
            best = max(parents, key=lambda name: rows[name].mean())
            print(
                f"\nfamily {family}: trained in {trained - started:.0f} s; an evolution of {config.evaluations} "
                f"offspring took {(time.monotonic() - trained) / len(SEEDS):.0f} s"
            )
            table({name: rows[name] for name in sorted(rows, key=lambda name: name.startswith("child"))}, best)


if __name__ == "__main__":
    main()
