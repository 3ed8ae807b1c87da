"""What searches draw until they are as good as M2N2 is in the end, and how much better they are at equal pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.markdown import markdown_table
from benchmarks.progress import evaluations_to

from .figures import Run, Runs
from .statistics import interval, over_seeds
from .table import METHODS

AFTER = (20, 40, 80)  # evaluations after which judges are compared, beside the last
FEWEST = 2  # seeds that an interval takes

EXPLAINED = """\
Pictures that a search draws, those of the sources among them, until the judge gives what it would ship {level:.4f}:
the mean of what M2N2 has after {evaluations} evaluations. Median over seeds, in brackets the least and the most; a
seed that never gets there counts as more than all. Then the judge's score over M2N2's with the same seeds at equal
pictures, with 95 % intervals over seeds.
"""


def thrift(found: Runs, title: str = "pictures") -> list[str]:
    """A part of the page, in Markdown: the searches one below the other; nothing without runs of M2N2."""
    reference = found.get("m2n2")
    if not reference:
        return []
    level = round(float(np.mean([run["curve"][-1] for run in reference.values()])), 4)
    first = next(iter(reference.values()))
    last = first["evaluations"]
    columns = [
        "method",
        "seeds",
        "pictures",
        *(f"over M2N2's after {count * first['niches']:,}" for count in (*AFTER, last)),
    ]
    rows = [
        [METHODS[method].title, str(len(runs)), _until(list(runs.values()), level), *_over(runs, reference, last)]
        for method, runs in found.items()
        if METHODS[method].group == "searches"
    ]
    return [
        "",
        f"## {title}",
        "",
        EXPLAINED.format(level=level, evaluations=last),
        *markdown_table(columns, rows),
    ]


def _until(runs: Sequence[Run], level: float) -> str:
    """Pictures until a level, over seeds."""
    beyond = f"more than {runs[0]['evaluations'] * runs[0]['niches']:,}"
    made = sorted((evaluations_to(run["curve"], level) or np.inf) * run["niches"] for run in runs)
    middle = made[len(made) // 2]  # of an even number the worse one

    def said(pictures: float) -> str:
        return beyond if np.isinf(pictures) else f"{pictures:,.0f}"

    return f"{said(middle)} ({said(made[0])} to {said(made[-1])})"


def _over(runs: dict[int, Run], reference: dict[int, Run], last: int) -> list[str]:
    """The judge's score over M2N2's, after some evaluations and in the end."""
    seeds = [seed for seed in runs if seed in reference]
    if runs is reference or len(seeds) < FEWEST:
        return [""] * (len(AFTER) + 1)
    cells = []
    for count in (*AFTER, last):
        both = [(runs[seed]["curve"], reference[seed]["curve"]) for seed in seeds]
        if any(len(curve) < count for pair in both for curve in pair):
            cells.append("")
            continue
        told = over_seeds([mine[count - 1] - theirs[count - 1] for mine, theirs in both])
        cells.append(interval(told, "+"))
    return cells


def raced(runs: Sequence[Run]) -> list[str]:
    """What racing has come to over all runs that raced, a paragraph for each method; nothing where none did."""
    by_method: dict[str, list[dict[str, int]]] = {}
    for run in runs:
        if "race" in run:
            by_method.setdefault(run["method"], []).append(run["race"])
    lines = []
    for method, races in by_method.items():
        total = {key: sum(race[key] for race in races) for key in races[0]}
        lines += [
            "",
            f"{METHODS[method].title}: of {total['children']} children that were raced {total['given_up']} were given "
            f"up; of {total['audited']} more that would have been, and were drawn to the end to see, {total['missed']} "
            "entered.",
        ]
    return lines
