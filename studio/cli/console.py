"""How the command line shows things: tables, results, progress. Progress goes to stderr, and only to a terminal."""

from __future__ import annotations

import contextlib
import datetime
import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from eval.scorers import names as naming
from studio.evolution.calibration import INTERVAL

if TYPE_CHECKING:
    from studio.execution.preflight import Preflight

errors = Console(stderr=True)


def print_json(content: Any) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(content, ensure_ascii=False))


def print_preflight(preflight: Preflight) -> None:
    """Print what a run will need, and what of it there is."""
    console = Console(soft_wrap=True)
    for kind, size in preflight.needs.items():
        console.print(f"{kind}: {size / 1e9:.1f} GB, {preflight.available[kind] / 1e9:.1f} GB free")
    plan = preflight.plan
    console.print(f"pictures: {preflight.pictures}, {plan.batch} at a time in {str(plan.dtype).removeprefix('torch.')}")
    basis = "as in an earlier run" if preflight.basis == "earlier run" else "at the least, counted from operations"
    console.print(f"time: {datetime.timedelta(seconds=round(preflight.seconds))} {basis}")
    for sentence in preflight.warnings:
        console.print(f"[yellow]note:[/] {escape(sentence)}")


def print_results(run: dict[str, Any]) -> None:
    """Print where a run stands, and its held-out results where they are done; `run` is `summary.run_json`."""
    from studio.judging.steering_words import steering_notes  # here, not above: only where a run is shown

    console = Console(soft_wrap=True)
    console.print(f"run {run['run']}: {run['status']}, {run['evaluations']} of {run['of']} offspring")
    if run["pictures_spared"]:
        console.print(f"{run['pictures_spared']} pictures of children with little or no chance were not drawn")
    print_foresight(console, run)
    for note in steering_notes("en", run):
        console.print(note, markup=False, highlight=False)
    if "pool" in run:
        print_workers(console, run)
    if not run["results"]:
        return
    realism = run["realism"] or {}
    names = ["", "Japanese", "English", "consistency", *(["CMMD"] if realism else [])]
    columns = [Column(name, no_wrap=True) for name in names]
    table = Table(
        *columns,
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=f"held out, by {naming.label(run['reporter']['name'])}",
    )
    for name, row in run["results"].items():
        label = f"child ({run['child']})" if name == "child" else name
        cells = [_estimate(row[kind]) for kind in ("ja", "en", "consistency")]
        table.add_row(label, *cells, *([f"{realism[name]:z.3f}"] if name in realism else []))
    console.print(table)
    compared = run["comparisons"]
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


def print_workers(console: Console, run: dict[str, Any]) -> None:
    """Print what the workers of a run are about, what went wrong with them, and how far their scores are apart."""
    pool, kinds = run["pool"], run["kinds"]
    if pool["workers"]:
        table = Table("worker", "machine", "device", "draws", "evaluations", "per minute", "idle")
        for one in pool["workers"]:
            draws = f"{one['child']}, {one['prompts']}/{one['of']} prompts" if one["child"] else one["doing"]
            table.add_row(
                str(one["number"]),
                one["node"],
                f"{one['device']} {one['dtype']}",
                f"{draws} (leaves)" if one["leaving"] else draws,
                str(one["evaluations"]),
                "–" if one["per_minute"] is None else f"{one['per_minute']:.1f}",
                "–" if one["idle"] is None else f"{one['idle']:.0%}",
            )
        console.print(table)
    if pool["per_minute"] is not None:
        console.print(
            f"workers: {pool['evaluations']} evaluations, {pool['per_minute']:.1f} a minute, idle for "
            f"{pool['idle'] or 0:.0%} of their time, {pool['failed']} failures",
            highlight=False,
        )
    if pool["missing"]:
        console.print(f"{pool['missing']} more start as soon as a device is free", highlight=False)
    for one in pool["failures"]:
        when = datetime.datetime.fromtimestamp(one["when"]).strftime("%H:%M:%S")
        console.print(f"{when} worker {one['worker']}: {escape(one['reason'])}", highlight=False)
    for kind, difference in (kinds["differences"] if kinds else {}).items():
        console.print(
            f"scores on {escape(kind)} are up to {difference:.4f} from those on {escape(kinds['reference'])}; at most "
            f"{kinds['tolerance']:.4f} is allowed",
            highlight=False,
        )


def print_foresight(console: Console, run: dict[str, Any]) -> None:
    """Print how what a run expected of its offspring compares with what was found, and what it gave up for it."""
    if (found := run.get("foresight")) is not None:
        r2 = "–" if found["r2"] is None else f"{found['r2']:.2f}"
        console.print(
            f"foresight: {found['individuals']} offspring, R² {r2}, "
            f"{found['coverage']:.0%} of their scores within the {INTERVAL:.0%} intervals",
            highlight=False,
        )
    if (raced := run.get("racing")) is not None:
        seen = (
            f", {raced['audited']} more drawn to the end to see: {raced['missed']} entered" if raced["audited"] else ""
        )
        console.print(
            f"racing: {raced['given_up']} offspring given up at a chance of {raced['chance']:.1%}{seen}",
            highlight=False,
        )


def _estimate(estimate: dict[str, float], sign: str = "") -> str:
    return f"{estimate['mean']:{sign}.3f} [{estimate['low']:{sign}.3f}, {estimate['high']:{sign}.3f}]".replace(
        "[", "\\["
    )


@contextlib.contextmanager
def evolution_progress(total: int) -> Iterator[Callable[[Any], None]]:
    """Draw a bar of offspring made; yields the callback that a run calls after each step."""
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
            phase = "held-out report" if store.state.status == "reporting" else f"best Japanese {best:.4f}"
            bar.update(task, completed=done, description=phase)

        yield watch


def print_warnings(warnings: Sequence[str]) -> None:
    """Print what should be read before anything is published, on stderr."""
    for warning in warnings:
        errors.print(f"[bold yellow]licence:[/] {escape(warning)}", soft_wrap=True, highlight=False)


def print_notes(notes: Sequence[str]) -> None:
    """Print what somebody may not expect of a result, on stderr."""
    for note in notes:
        errors.print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True, highlight=False)


def print_facts(sentences: Sequence[str]) -> None:
    """Print what a command found on its way, on stderr."""
    for sentence in sentences:
        errors.print(sentence, soft_wrap=True, highlight=False, markup=False)


def print_clashes(sentences: Sequence[str]) -> None:
    """Print which licences keep the weights of a merge from being exported, on stderr; nothing where none do."""
    print_warnings([f"{sentence} Exporting the weights of such a merge takes a reason." for sentence in sentences])


@contextlib.contextmanager
def ends_tidily() -> Iterator[None]:
    """End the block as Ctrl-C does when a terminal closes or on `kill`, which leaves nothing half-written behind."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def first_interrupt_stops() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C ask the block to stop, and every other end it; yields whether it is asked to."""
    asked = threading.Event()

    def ask(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def bytes_progress(doing: str = "writing") -> Iterator[Callable[[int, int], None]]:
    """Draw a bar of bytes; yields the callback that an export calls. Before it come the hashes of the sources."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        task = bar.add_task("checking the sources", total=None)

        def on_progress(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of, description=doing if done < of else "checking")

        yield on_progress


@contextlib.contextmanager
def stages_progress() -> Iterator[Callable[[str, int, int], None]]:
    """Draw a bar of what is in hand; yields the callback for stage, how far, and of how much."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        task = bar.add_task("files", total=None)

        def on_progress(stage: str, done: int, of: int) -> None:
            if bar.tasks[task].description != stage:
                bar.reset(task, description=stage)
            bar.update(task, completed=done, total=of)

        yield on_progress
