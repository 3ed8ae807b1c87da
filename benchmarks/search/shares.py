"""What the winners of searches are made of: how much of each source, over all places of their chromosomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .figures import Runs
from .table import METHODS
from .task import Rows

EXPLAINED = """\
How much of each source is in what a search would ship: its weight, averaged over the places of each chromosome and over
the chromosomes; means over seeds, and in the last row the most that any winner has.
"""


def source_shares(winner: Mapping[str, Rows], sources: int) -> np.ndarray:
    """The mean weight of each source over all places of a chromosome, averaged over chromosomes: float64 [sources].

    Args:
        winner: segments of each chromosome, as a run's file holds them.
        sources: how many there are.
    """
    means = []
    for segments in winner.values():
        stops = np.array([stop for stop, _ in segments])
        weights = np.array([row for _, row in segments]).reshape(-1, sources)
        means.append(np.diff(stops, prepend=0) @ weights / stops[-1])
    return np.mean(means, axis=0)


def shares(found: Runs, sources: Sequence[str]) -> list[str]:
    """A part of the page, in Markdown: the searches one below the other; nothing without a search."""
    each = {
        METHODS[method].title: [source_shares(run["winner"], len(sources)) for run in runs.values()]
        for method, runs in found.items()
        if METHODS[method].group == "searches"
    }
    if not each:
        return []
    most = np.max([one for rows in each.values() for one in rows], axis=0)
    rows = {title: np.mean(ones, axis=0) for title, ones in each.items()} | {"the most of any": most}
    return [
        "",
        "## what winners are made of",
        "",
        EXPLAINED,
        f"| method | {' | '.join(sources)} |",
        f"|{' --- |' * (len(sources) + 1)}",
        *(f"| {title} | {' | '.join(f'{share:.2f}' for share in row)} |" for title, row in rows.items()),
    ]
