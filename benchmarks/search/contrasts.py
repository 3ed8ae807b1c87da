"""Whether there is anything to find, and whether depth matters: differences between rows that are not M2N2's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.markdown import markdown_table

from .figures import Run, Runs
from .statistics import Tested, crossed, interval
from .table import METHODS

EXPLAINED = """\
Differences of the jury's scores, paired by seeds and prompts, with 95 % intervals over both that are adjusted for
nothing; where only one seed is in both, over prompts alone. The best search is the one with the highest mean in
Japanese.
"""
BESIDE_BEST = ("average", "random-20", "random", "m2n2", "cma-es")
DEPTH = ("cma-es-quarters", "cma-es")


def contrast(runs: dict[int, Run], other: dict[int, Run], kind: str) -> Tested | None:
    """The mean difference of two methods on the seeds that both have; a single run of `other` stands for all seeds.

    Args:
        runs: of one method, by seed.
        other: of the method beside it.
        kind: which of the jury's scores.
    """
    once = len(other) == 1
    pairs = [(run, other[min(other)] if once else other[seed]) for seed, run in runs.items() if once or seed in other]
    if not pairs:
        return None
    return crossed([minus(*pair, kind) for pair in pairs])


def minus(run: Run, other: Run, kind: str) -> NDArray[np.float64]:
    """The jury's scores of one run less those of another: float64 [prompts]."""
    return np.subtract(run["held_out"][kind], other["held_out"][kind])


def contrasts(found: Runs) -> list[str]:
    """A part of the page, in Markdown; nothing without a search."""
    searches = [method for method in found if METHODS[method].group == "searches"]
    if not searches:
        return []
    best = max(searches, key=lambda method: np.mean([run["held_out"]["ja"] for run in found[method].values()]))
    asked = dict.fromkeys([*((best, other) for other in BESIDE_BEST if other != best), DEPTH])  # each pair once
    rows = [_row(found, *pair) for pair in asked if set(pair) <= found.keys()]
    head = ["", "## what there is to find", "", EXPLAINED]
    return [*head, *markdown_table(["", "beside", "Japanese", "English"], filter(None, rows))]


def _row(found: Runs, method: str, other: str) -> Sequence[str]:
    ja, en = (contrast(found[method], found[other], kind) for kind in ("ja", "en"))
    if ja is None or en is None:
        return []
    return [METHODS[method].title, METHODS[other].title, interval(ja, "+"), interval(en, "+")]
