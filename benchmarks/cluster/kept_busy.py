"""How busy workers are kept: the time that evaluations would take if nothing else did, over the time that they took."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .stand_in import StandIn, carry, new_run

CAPTIONS = 64


def share_of_ideal(*, seconds: float, workers: int, rounds: int, spread: float = 0.0) -> float:
    """Return how much of `workers` sleeping threads' time was evaluations, once each of them has ended its first.

    Args:
        seconds: that an evaluation takes.
        workers: how many there are, and so how many offspring are in flight.
        rounds: evaluations for each worker, two at least.
        spread: share of the seconds that an evaluation takes more or less. The oldest is waited for.
    """
    commits: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        store = new_run(Path(folder) / "run", archive=20)
        carry(store, StandIn(CAPTIONS), in_flight=1, evaluations=20)  # sources, and an archive that is full
        with ThreadPoolExecutor(workers) as threads:
            carry(
                store,
                StandIn(CAPTIONS, seconds, spread),
                in_flight=workers,
                evaluations=20 + rounds * workers,
                executor=threads,
                watch=lambda run: commits.extend([time.perf_counter()] * (run.count() - 20 - len(commits))),
            )
        store.close()
    return (rounds - 1) * seconds / (commits[-1] - commits[workers - 1])
