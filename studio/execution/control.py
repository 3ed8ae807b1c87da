"""Start, extend and end runs, whatever they breed; carry one that draws pictures to its end."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from studio.breeding.m2n2 import M2N2
from studio.conditions.agreement import Agreement
from studio.conditions.record import kept_threads
from studio.errors import RunError
from studio.jobs.device_queue import HeldDevices
from studio.jobs.process import spawn
from studio.runs.inputs import open_run_sources
from studio.runs.status import is_running, workers_wanted
from studio.runs.store import C, RunStore, now

from .lifecycle import carry
from .loop import Loop, recorded
from .picture_task import PictureTask
from .preflight import measured_rate, preflight
from .recording import Watch
from .steering import RunSteering
from .worker_watch import watched
from .workers import run_workers, wanted_devices, worker_count

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

    def work(devices: HeldDevices) -> None:
        with kept_threads(store):
            _work(store, watch, agreement, devices, address)

    carry(store, work, devices=wanted_devices(store.config, workers_wanted(store)))
    watch(store)


def _work(store: RunStore, watch: Watch, agreement: Agreement, devices: HeldDevices, address: str | None) -> None:
    config, sources = store.config, open_run_sources(store.config)
    files = _files(store)
    agreement.check(sources, files)
    if store.state.search is None:  # a run that is resumed needs less than it did
        rate = measured_rate(store.folder.parent, config)
        preflight(config, sources, folder=store.folder, rate=rate).check()
    workers = worker_count(config)
    with contextlib.ExitStack() as opened:
        drawn_with = {name: path for name, path in files.items() if name not in READ_HERE}
        wanted = workers_wanted(store)
        open_workers = opened.enter_context(
            run_workers(config, sources, drawn_with, devices=devices, wanted=wanted, address=address)
        )
        if open_workers is not None:
            open_workers = opened.enter_context(watched(store, open_workers))
        # Twice as many threads as workers: those who wait for a worker to draw what is only reported hold nobody up.
        executor = opened.enter_context(ThreadPoolExecutor(2 * workers)) if workers else None
        task = opened.enter_context(
            contextlib.closing(PictureTask(store, sources, agreement, open_workers=open_workers))
        )
        past = recorded(store, task.niches, sources)
        search = M2N2(
            config,
            sources,
            noise_rotation=config.noise_rotation,
            racing=config.racing,
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


def want_workers(store: RunStore, count: int) -> None:
    """Have a run go on with so many workers, now or when it is resumed; as many offspring are in flight as before.

    Args:
        store: the run.
        count: how many.

    Raises:
        RunError: it draws in its own process, or there is to be none.
    """
    if store.config.workers is None:
        raise RunError(
            "{folder} draws in its own process, one offspring after another, and keeps doing so. Start a new run for "
            "workers, such as with --fork and --workers.",
            folder=store.folder,
        )
    if count < 1:
        raise RunError(
            "{folder} needs a worker to go on. Expected 1 or more, found {count}; pause it to free the device.",
            folder=store.folder,
            count=count,
        )
    store.update(workers_wanted=count)


def change_workers(store: RunStore, by: int) -> int:
    """Have a run go on with more workers than are wanted now, or with fewer; returns how many.

    Raises:
        RunError: as of `want_workers`.
    """
    pool = store.state.pool
    at_work = sum(not worker.leaving for worker in pool.workers) + pool.missing if pool else 0
    count = (workers_wanted(store) or at_work or worker_count(store.config) or 0) + by
    want_workers(store, count)
    return count


def finish(store: RunStore[C]) -> None:
    """Ask the process that carries a run to make no more offspring, and to report on those there are."""
    store.update(finish=True)


def default_folder(root: Path) -> Path:
    """A new run's folder under `root`, named after the time."""
    return root / now().astimezone().strftime("%Y-%m-%d-%H%M%S")
