"""What the winners of searches are made of: how much of each source, over all places of their chromosomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.markdown import markdown_table

from .figures import Runs
from .table import METHODS
from .task import Rows

EXPLAINED = """\
How much of each source is in what a search would ship: its weight, averaged over the places of each chromosome and over
the chromosomes; means over seeds, and in the last row the most that any winner has.
"""

QUARTERS = 4
BY_QUARTER = ("halves", "cma-es-quarters", "m2n2")
EXPLAINED_QUARTERS = """\
How much of each source is in each quarter of a chromosome, from the first layers to the last: means over seeds. Halves
by hand is the answer that is known.
"""


def source_shares(winner: Mapping[str, Rows], sources: int) -> np.ndarray:
    """The mean weight of each source over all places of a chromosome, averaged over chromosomes: float64 [sources].

    Args:
        winner: segments of each chromosome, as a run's file holds them.
        sources: how many there are.
    """
    return np.mean([shares_within(segments, sources, parts=1)[0] for segments in winner.values()], axis=0)


def shares_within(segments: Rows, sources: int, *, parts: int) -> np.ndarray:
    """The mean weight of each source over the places of each part of a chromosome: float64 [parts, sources].

    Args:
        segments: of the chromosome, as a run's file holds them.
        sources: how many there are.
        parts: how many equal parts, from the first layers to the last.
    """
    stops = np.array([0, *(stop for stop, _ in segments)])
    weights = np.array([row for _, row in segments]).reshape(-1, sources)
    totals = np.vstack([np.zeros(sources), (np.diff(stops)[:, np.newaxis] * weights).cumsum(axis=0)])
    edges = np.linspace(0, stops[-1], parts + 1)
    at_edges = np.stack([np.interp(edges, stops, total) for total in totals.T], axis=1)
    return np.diff(at_edges, axis=0) * parts / stops[-1]


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
        *markdown_table(["method", *sources], [[title, *_shown(row)] for title, row in rows.items()]),
    ]


def shares_by_quarter(found: Runs, sources: Sequence[str]) -> list[str]:
    """A part of the page, in Markdown: what a quarter of the network turns out to hold; nothing without its methods."""
    rows = [
        [METHODS[method].title, chromosome, str(quarter), *_shown(row)]
        for method in BY_QUARTER
        if method in found
        for chromosome, table in _by_quarter([run["winner"] for run in found[method].values()], len(sources)).items()
        for quarter, row in enumerate(table, start=1)
    ]
    if not rows:
        return []
    return [
        "",
        "## what a quarter holds",
        "",
        EXPLAINED_QUARTERS,
        *markdown_table(["method", "chromosome", "quarter", *sources], rows),
    ]


def _shown(row: np.ndarray) -> list[str]:
    return [f"{share:.2f}" for share in row]


def _by_quarter(winners: Sequence[Mapping[str, Rows]], sources: int) -> dict[str, np.ndarray]:
    """Means over winners by chromosome: float64 [quarters, sources]."""
    return {
        name: np.mean([shares_within(winner[name], sources, parts=QUARTERS) for winner in winners], axis=0)
        for name in winners[0]
    }
