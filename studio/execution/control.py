"""Start, extend and end runs, whatever they breed; carry one that draws pictures to its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from studio.breeding.m2n2 import M2N2
from studio.conditions.agreement import Agreement
from studio.conditions.record import kept_threads
from studio.errors import RunError
from studio.jobs.process import spawn
from studio.runs.inputs import open_run_sources
from studio.runs.status import is_running
from studio.runs.store import C, RunStore, now

from .lifecycle import carry
from .loop import Loop, SameThread, Watch, recorded
from .picture_task import PictureTask
from .preflight import measured_rate, preflight
from .steering import RunSteering
from .workers import process_count, run_workers, worker_count

READ_HERE = ("prompts", "held_out")  # of what a run reads beside its sources: workers are sent what is in them


def carry_out(
    store: RunStore,
    watch: Watch | None = None,
    *,
    accept: str | None = None,
    reread: bool = False,
    address: str | None = None,
) -> None:
    """Run to the end, from wherever the store stands.

    Args:
        store: a new, stopped or interrupted run.
        watch: called after each step; reads the store and shows it.
        accept: why it may go on though what it depends on has changed.
        reread: whether every byte of the sources is compared, whatever is known of their files.
        address: of the Ray cluster, if its workers are on one; see `joined_cluster`.

    Raises:
        RunError: another process carries this run already, what it depends on has changed, or no cluster answers.
        M2N2Error: the run cannot go on; the reason is in the store too.
    """
    watch = watch or (lambda _: None)
    agreement = Agreement(store, accept, reread=reread)

    def work(devices: Sequence[int | None]) -> None:
        with kept_threads(store):
            _work(store, watch, agreement, devices, address)

    carry(store, work, devices=process_count(store.config, gpus=False))
    watch(store)


def _work(
    store: RunStore, watch: Watch, agreement: Agreement, devices: Sequence[int | None], address: str | None
) -> None:
    config, sources = store.config, open_run_sources(store.config)
    files = _files(store)
    agreement.check(sources, files)
    if store.state.search is None:  # a run that is resumed needs less than it did
        rate = measured_rate(store.folder.parent, config)
        preflight(config, sources, folder=store.folder, rate=rate).check()
    workers = worker_count(config)
    with contextlib.ExitStack() as opened:
        drawn_with = {name: path for name, path in files.items() if name not in READ_HERE}
        open_workers = opened.enter_context(run_workers(config, sources, drawn_with, devices=devices, address=address))
        # Twice as many threads as workers: those who wait for a worker to draw what is only reported hold nobody up.
        executor = opened.enter_context(ThreadPoolExecutor(2 * workers)) if workers else SameThread()
        task = opened.enter_context(
            contextlib.closing(PictureTask(store, sources, agreement, open_workers=open_workers))
        )
        past = recorded(store, task.niches, sources)
        search = M2N2(
            config,
            sources,
            noise_rotation=config.noise_rotation,
            max_in_flight=workers or 1,
            past=past,
            steering=RunSteering(store),
        )
        Loop(
            store,
            search,
            task,
            sources=sources,
            evaluations=config.evaluations,
            watch=watch,
            executor=executor,
        ).run()


def _files(store: RunStore) -> dict[str, Path]:
    """What a run that draws pictures reads beside its sources, by what the run file calls it."""
    config = store.config
    files = {"prompts": Path(config.prompts), "held_out": Path(config.held_out)}
    if "image" in config.fitness:
        folder = files["prompts"].resolve().parent
        files |= {f"reference {number}": path for number, path in enumerate(store.prompts.niches.references(folder))}
    if config.pictures.speed_lora:
        files["speed_lora"] = Path(config.pictures.speed_lora)
    return files


def start(store: RunStore[C], accept: str | None = None) -> None:
    """Carry a run out in a process of its own, which outlives this one; its output goes to the run's `run.log`.

    Args:
        store: the run.
        accept: as of `carry_out`.

    Raises:
        RunError: a process carries it already.
    """
    if is_running(store):
        raise RunError(
            "{folder} is being carried out by another process; watch it, or stop it first.", folder=store.folder
        )
    store.update(called=time.time())
    stated = [] if accept is None else [f"--accept={accept}"]
    spawn(["evolve", "--resume", "--out", str(store.folder.resolve()), *stated], store.folder / "run.log")


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
        raise RunError(
            "{folder} is being carried out by another process; stop it before its budget changes.", folder=store.folder
        )
    if evaluations < made:
        raise RunError(
            "{folder} has made {made} offspring. Expected a budget of at least as many, found {evaluations}.",
            folder=store.folder,
            made=made,
            evaluations=evaluations,
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
