"""How the command line shows things: tables, results, progress. Progress goes to stderr, and only to a terminal."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

errors = Console(stderr=True)


def print_json(content: Any) -> None:
    """One JSON object on stdout."""
    print(json.dumps(content, ensure_ascii=False))


def print_results(found: dict[str, Any]) -> None:
    """Where a run stands, and its held-out results where they are done; `found` is `summary.run_json`."""
    console = Console(soft_wrap=True)
    console.print(f"run {found['run']}: {found['status']}, {found['evaluations']} of {found['of']} offspring")
    if not found["results"]:
        return
    columns = [Column(name, no_wrap=True) for name in ("", "Japanese", "English", "consistency")]
    table = Table(
        *columns,
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=f"held out, by {Path(found['reporter']['name']).name}",
    )
    for name, row in found["results"].items():
        label = f"child ({found['child']})" if name == "child" else name
        table.add_row(label, *(_estimate(row[kind]) for kind in ("ja", "en", "consistency")))
    console.print(table)
    compared = found["comparisons"]
    for key, other in (("child_minus_best_source", compared["best_source"]), ("child_minus_average", "average")):
        if key in compared:
            row = compared[key]
            console.print(
                f"child minus {other}: " + ", ".join(f"{kind} {_estimate(row[kind], sign='+')}" for kind in row)
            )
    if compared.get("gap_closed") is not None:
        console.print(
            f"best source per category: {compared['per_category_best']:.4f}; the child closes "
            f"{compared['gap_closed']:.0%} of the gap to it"
        )


def _estimate(estimate: dict[str, float], sign: str = "") -> str:
    return f"{estimate['mean']:{sign}.3f} [{estimate['low']:{sign}.3f}, {estimate['high']:{sign}.3f}]".replace(
        "[", "\\["
    )


@contextlib.contextmanager
def evolution_progress(total: int) -> Iterator[Callable[[Any], None]]:
    """A bar of offspring made; gives the callback that a run calls after each step."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        task = bar.add_task("sources", total=total)

        def watch(store: Any) -> None:
            everyone = store.individuals()
            best = max((one.mean("ja") or 0.0 for one in everyone if one.alive), default=0.0)
            done = sum(not one.is_source for one in everyone)
            phase = "held-out report" if store.get("status") == "reporting" else f"best Japanese {best:.4f}"
            bar.update(task, completed=done, description=phase)

        yield watch


@contextlib.contextmanager
def bytes_progress() -> Iterator[Callable[[int, int], None]]:
    """A bar of bytes written; gives the callback that an export calls."""
    columns = (TextColumn("writing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        task = bar.add_task("writing", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
