"""How many workers a run has, and on which devices of this machine, or on which cluster, they draw."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pipelines.checkpoints.sources import Source
from studio.cluster.connection import cluster_nodes, fitted, joined_cluster
from studio.jobs.device_queue import HeldDevices, device_count
from studio.jobs.worker_count import RayWorkers
from studio.runs.config import RunConfig
from studio.workers.process_slot import process_pool
from studio.workers.worker_calibration import WorkerCalibration
from studio.workers.worker_pool import PoolOpener, WorkerPool


def worker_count(config: RunConfig) -> int | None:
    """How many workers a run has, which is how many offspring are in flight; None where it draws in its own process.

    Where only a cluster could say how many, it is one.
    """
    if isinstance(config.workers, RayWorkers):
        return config.workers.ray or 1
    return device_count() if config.workers == "auto" else config.workers


def with_worker_count(config: RunConfig, address: str | None = None) -> RunConfig:
    """The same with numbers for what `workers` leaves open: another machine is to breed the same offspring.

    Args:
        config: the run.
        address: of the cluster, see `joined_cluster`; asked where a run on a cluster leaves something open.

    Raises:
        ConfigError: so many workers do not go with the other settings.
        RunError: no cluster answers, or it has no room for a worker.
    """
    workers = config.workers
    if isinstance(workers, RayWorkers) and None in (workers.ray, workers.gpus, workers.cpus):
        with joined_cluster(address):
            return config.changed({"workers": fitted(workers, cluster_nodes()).model_dump()})
    return config.changed({"workers": worker_count(config)}) if workers == "auto" else config


def process_count(config: RunConfig, *, gpus: bool) -> int:
    """How many processes of this machine draw: on GPUs no more than there are, for none has room for two.

    Args:
        config: the run; where its workers are on a cluster, its own process is the only one here.
        gpus: whether they draw on GPUs.
    """
    if isinstance(config.workers, RayWorkers):
        return 1
    workers = worker_count(config) or 1
    return min(workers, device_count()) if gpus else workers


def drawing_count(config: RunConfig) -> int:
    """How many devices a run draws on; workers that share one share what it computes."""
    count = worker_count(config) or 1
    return count if isinstance(config.workers, RayWorkers) else min(count, device_count())


def wanted_devices(config: RunConfig, wanted: int | None) -> int:
    """How many devices of this machine a run waits for before it goes on; further ones it takes as they come free.

    Args:
        config: the run.
        wanted: how many workers somebody wants it to go on with; None: as many as it has.
    """
    if isinstance(config.workers, RayWorkers):
        return 1
    count = worker_count(config) or 1
    return count if wanted is None else min(count, wanted)


def worker_devices(workers: int, held: Sequence[int | None]) -> Sequence[int | None]:
    """The device of each worker process.

    Args:
        workers: with how many the run goes on.
        held: what `acquire_device` gave for as many.

    Returns:
        As many as there are workers where the machine has one device, which they share; else the devices held, which
        may be fewer, see `process_count`.
    """
    return [None] * workers if None in held else list(held)


@contextlib.contextmanager
def run_workers(
    config: RunConfig,
    sources: Mapping[str, Source],
    files: Mapping[str, Path],
    *,
    devices: HeldDevices,
    wanted: int | None = None,
    address: str | None = None,
) -> Iterator[PoolOpener | None]:
    """Join the cluster that the workers of a run are on, if they are on one, and give what opens them.

    Args:
        config: the run, with all numbers of its `workers`.
        sources: opened, by name.
        files: what else workers read, by what the run calls it.
        devices: of this machine, that the run holds.
        wanted: how many workers somebody wants it to go on with; None: as many as it has.
        address: of the cluster, see `joined_cluster`.

    Yields:
        None where the run draws in its own process.

    Raises:
        RunError: no cluster answers.
    """
    if isinstance(config.workers, RayWorkers):
        from studio.cluster.workers import cluster_workers  # what draws is imported where it is opened

        with joined_cluster(address):
            yield cluster_workers(config, config.workers, sources, files)
    elif (count := worker_count(config)) is not None:
        yield _process_workers(config, devices, worker_devices(wanted or count, devices.numbers))
    else:
        yield None


def _process_workers(config: RunConfig, devices: HeldDevices, numbers: Sequence[int | None]) -> PoolOpener:
    """What opens workers in processes of this machine, which share its threads.

    However many there are, each has as many threads as it had when the run began: scores depend on them.
    """
    from studio.evaluation.run_worker import open_run_worker  # what draws is imported where it is opened

    threads = max(1, torch.get_num_threads() // process_count(config, gpus=None not in numbers))

    def opened(scorer: Mapping[str, Any], calibration: WorkerCalibration) -> WorkerPool:
        opener = partial(open_run_worker, config, scorer, threads)
        return process_pool(opener, numbers, devices=devices, calibration=calibration)

    return opened
