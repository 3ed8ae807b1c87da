"""Many workers at once, without a GPU: `python -m benchmarks.cluster [--parts driver busy search]`.

Workers are threads that sleep; the loop, the search and the database are the studio's own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from benchmarks.machine import machine

from .driver import driver_cost
from .kept_busy import share_of_ideal
from .search_cost import best_accuracy

# Seconds to rounds and workers. Over the first few rounds workers that begin together come to end one after the other.
LENGTHS = {0.1: (20, (1, 8, 64)), 1.0: (20, (1, 8, 64)), 10.0: (3, (8, 64)), 30.0: (2, (64,))}
SEEDS = range(5)


def driver() -> None:
    """Print what an evaluation costs the run's process."""
    for what, values in {
        "in_flight": (1, 64, 256, 1000),
        "archive": (20, 200, 2000),
        "captions": (64, 512, 4096),
    }.items():
        for value in values:
            cost = driver_cost(**({"in_flight": 1, "archive": 20, "captions": 64} | {what: value}))
            print(f"{what} {value}: {cost:.1f} ms", flush=True)


def busy() -> None:
    """Print how busy sleeping workers are kept."""
    for seconds, (rounds, counts) in LENGTHS.items():
        for workers in counts:
            alike, varied = (
                share_of_ideal(seconds=seconds, workers=workers, rounds=rounds, spread=spread) for spread in (0.0, 0.1)
            )
            print(f"{seconds:g} s, {workers} workers: {alike:.1%}; a tenth more or less: {varied:.1%}", flush=True)


def search() -> None:
    """Print what asking at once costs the search."""
    for evaluations in (200, 2000):
        for in_flight in (1, 4, 16, 64):
            found = np.array([best_accuracy(in_flight=in_flight, evaluations=evaluations, seed=seed) for seed in SEEDS])
            (train, test), (_, spread) = found.mean(axis=0), found.std(axis=0, ddof=1)
            print(
                f"{evaluations} evaluations, {in_flight} in flight: {train:.1%} in training, {test:.1%} ± {spread:.1%}"
            )


PARTS = {"driver": driver, "busy": busy, "search": search}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    print(machine())
    for name in parser.parse_args(arguments).parts:
        print(f"-- {name}")
        PARTS[name]()


if __name__ == "__main__":
    main()
