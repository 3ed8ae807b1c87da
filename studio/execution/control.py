"""Start, extend and end runs; carry one to its end."""

from __future__ import annotations

from pathlib import Path

from studio.errors import RunError
from studio.execution.loop import Watch, _Run
from studio.jobs.process import spawn
from studio.runs.status import is_running
from studio.runs.store import RunStore, now

from .lifecycle import carry


def carry_out(store: RunStore, watch: Watch | None = None) -> None:
    """Run to the end, from wherever the store stands.

    Args:
        store: a new, stopped or interrupted run.
        watch: called after each step; reads the store and shows it.

    Raises:
        RunError: another process carries this run already.
        M2N2Error: the run cannot go on; the reason is in the store too.
    """
    watch = watch or (lambda _: None)
    carry(store, lambda: _Run(store, watch).go())
    watch(store)


def start(store: RunStore) -> None:
    """Carry a run out in a process of its own, which outlives this one; its output goes to the run's `run.log`.

    Raises:
        RunError: a process carries it already.
    """
    if is_running(store):
        raise RunError(f"{store.folder} is being carried out by another process; watch it, or stop it first.")
    spawn(["evolve", "--resume", "--out", str(store.folder.resolve())], store.folder / "run.log")


def extend(store: RunStore, evaluations: int) -> None:
    """Give a run that stands still another budget; resumed, it goes on as if it had had it from the beginning.

    Args:
        store: a run that no process carries.
        evaluations: offspring in all, at least those that are made.

    Raises:
        RunError: a process carries it, or more offspring are made already.
    """
    made = store.count()
    if is_running(store):
        raise RunError(f"{store.folder} is being carried out by another process; stop it before its budget changes.")
    if evaluations < made:
        raise RunError(
            f"{store.folder} has made {made} offspring. Expected a budget of at least as many, found {evaluations}."
        )
    store.change(evaluations=evaluations)
    store.clear_report()
    store.update(finish=False)


def finish(store: RunStore) -> None:
    """Ask the process that carries a run to make no more offspring, and to report on those there are."""
    store.update(finish=True)


def default_folder(root: Path) -> Path:
    """A new run's folder under `root`, named after the time."""
    return root / now().astimezone().strftime("%Y-%m-%d-%H%M%S")
