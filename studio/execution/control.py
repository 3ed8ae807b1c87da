"""Start, extend and end runs, whatever they breed; carry one that draws pictures to its end."""

from __future__ import annotations

from pathlib import Path

from studio.breeding.m2n2 import M2N2
from studio.errors import RunError
from studio.evaluation.picture_task import PictureTask
from studio.jobs.process import spawn
from studio.runs.inputs import open_run_sources
from studio.runs.status import is_running
from studio.runs.store import C, RunStore, now

from .lifecycle import carry
from .loop import Loop, Watch, recorded
from .preflight import measured_rate, preflight


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
    carry(store, lambda: _work(store, watch))
    watch(store)


def _work(store: RunStore, watch: Watch) -> None:
    config, sources = store.config, open_run_sources(store.config)
    if store.state.search is None:  # a run that is resumed needs less than it did
        rate = measured_rate(store.folder.parent, config)
        preflight(config, sources, folder=store.folder, rate=rate).check()
    task = PictureTask(store, sources)
    past = recorded(store, task.niches)
    search = M2N2(config, sources, noise_rotation=config.noise_rotation, past=past)
    Loop(store, search, task, evaluations=config.evaluations, watch=watch).run()


def start(store: RunStore[C]) -> None:
    """Carry a run out in a process of its own, which outlives this one; its output goes to the run's `run.log`.

    Raises:
        RunError: a process carries it already.
    """
    if is_running(store):
        raise RunError(f"{store.folder} is being carried out by another process; watch it, or stop it first.")
    spawn(["evolve", "--resume", "--out", str(store.folder.resolve())], store.folder / "run.log")


def extend(store: RunStore[C], evaluations: int) -> None:
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


def finish(store: RunStore[C]) -> None:
    """Ask the process that carries a run to make no more offspring, and to report on those there are."""
    store.update(finish=True)


def default_folder(root: Path) -> Path:
    """A new run's folder under `root`, named after the time."""
    return root / now().astimezone().strftime("%Y-%m-%d-%H%M%S")
