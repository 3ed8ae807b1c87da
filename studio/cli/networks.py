"""What `m2n2 evolve`, `show`, `export` and `merge` do for runs and recipes of any network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from pipelines.recipes.recipe import Recipe, load_recipe
from pipelines.recipes.statement import LicenceStatement
from studio.exporting.network_export import write_network
from studio.licences.ledger import ledger_of_sources
from studio.networks.config import load
from studio.networks.task import AnyStore, carry_out, create, open_any
from studio.runs.individual import Individual
from studio.runs.status import current_status
from studio.runs.summary import calibration_json

from . import console


def evolve(
    run_yaml: Path | None, changes: Mapping[str, Any], out: Path, as_json: bool, *, accept: str | None, reread: bool
) -> None:
    """Start the run that a file asks for, in `out`; without a file, go on with the one that is there.

    `changes` replace fields of the file; of a run that goes on they hold another budget at most, as `evaluations`.
    `accept` and `reread` are those of `carry_out`.
    """
    if run_yaml:
        config = load(run_yaml, changes)
        console.print_clashes(ledger_of_sources(config.open_sources().values()).sentences("en"))
        store = create(out, config)
    else:
        store = open_any(out)
        if "evaluations" in changes:
            from studio.execution.control import extend  # here, not above: it imports what draws

            extend(store, changes["evaluations"])
    with _progress(store.config.evaluations) as watch:
        carry_out(store, watch, accept=accept, reread=reread)
    _say(store, as_json, individuals=False)
    store.close()


def show(run: Path, as_json: bool) -> None:
    """Print the archive, and what the report found."""
    store = open_any(run)
    _say(store, as_json, individuals=True)
    store.close()


def export(run: Path, individual: str, out: Path, statement: LicenceStatement | None, as_json: bool) -> None:
    """Write an individual as a folder like its host's."""
    store = open_any(run)
    recipe = store.individual(individual).recipe
    store.close()
    write(recipe, Path(), out, statement, as_json)


def merge(recipe: Path, out: Path, statement: LicenceStatement | None, as_json: bool) -> None:
    """Write what a recipe file describes as a folder like its host's."""
    write(load_recipe(recipe), recipe.parent, out, statement, as_json)


def write(recipe: Recipe, relative_to: Path, out: Path, statement: LicenceStatement | None, as_json: bool) -> None:
    """Weave a recipe, whose relative places are relative to a folder, into a folder, and say where it is."""
    with console.ends_tidily(), console.bytes_progress() as progress:
        written = write_network(recipe, out, relative_to=relative_to, statement=statement, progress=progress)
    if as_json:
        console.print_json({"path": str(written.path), **written.hashes})
    else:
        print(written.path)


def run_json(store: AnyStore) -> dict[str, Any]:
    """Return the run, everyone ever evaluated in it, and the report where it is done, as JSON."""
    everyone, state = store.individuals(), store.state
    return {
        "run": str(store.folder),
        "status": current_status(store, state),
        "done": store.count(),
        "of": store.config.evaluations,
        "error": state.error,
        "accepted": state.accepted,
        **calibration_json(everyone, ("score",)),
        "individuals": [_individual(one) for one in everyone],
        **{key: getattr(state, key) for key in ("child", "items", "results", "comparisons", "failed_rows", "scorer")},
    }


def _individual(individual: Individual) -> dict[str, Any]:
    return {
        "id": individual.id,
        "parents": None if individual.is_source else [individual.mother, individual.father],
        "alive": individual.alive,
        "score": individual.mean("score"),
        "shares": individual.recipe.shares,
        "recipe": individual.recipe.model_dump(mode="json", exclude_none=True),
        "error": individual.error,
    }


def _say(store: AnyStore, as_json: bool, *, individuals: bool) -> None:
    summary = run_json(store)
    if as_json:
        console.print_json(summary)
        return
    out = Console(soft_wrap=True)
    if individuals:
        table = Table("id", "score", "parents", title=f"{store.folder} (what it was bred on)")
        for entry in sorted(
            (entry for entry in summary["individuals"] if entry["alive"]), key=lambda entry: -entry["score"]
        ):
            table.add_row(entry["id"], f"{entry['score']:.4f}", " x ".join(entry["parents"] or []))
        out.print(table)
    out.print(
        f"run {store.folder}: {summary['status']}, {summary['done']} of {summary['of']} offspring", highlight=False
    )
    console.print_foresight(out, summary)
    failures = [entry for entry in summary["individuals"] if entry["error"]]
    if failures:
        out.print(f"{len(failures)} failed, the last one: {failures[-1]['error']}", markup=False, highlight=False)
    if not summary["results"]:
        return
    table = Table("", *(Column(name, no_wrap=True) for name in ("reported", "child minus it")), box=None)
    for name, row in summary["results"].items():
        paired = summary["comparisons"].get(name)
        label = f"child ({summary['child']})" if name == "child" else name
        table.add_row(label, _estimate(row), _estimate(paired, "+") if paired else "")
    out.print(table)


def _estimate(estimate: Mapping[str, float], sign: str = "") -> str:
    return escape(f"{estimate['mean']:{sign}.3f} [{estimate['low']:{sign}.3f}, {estimate['high']:{sign}.3f}]")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[AnyStore], None]]:
    """Draw a bar of offspring made; yields the callback that a run calls after each step."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    is_terminal = console.errors.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=console.errors, disable=not is_terminal) as bar:
        task = bar.add_task("sources", total=total)

        def watch(store: AnyStore) -> None:
            if is_terminal:
                best = max((one.mean("score") or 0.0 for one in store.individuals() if one.alive), default=0.0)
                bar.update(task, completed=store.count(), description=f"best {best:.4f}")

        yield watch
