"""How many workers a run has, and on which devices of this machine they draw."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from studio.evaluation.process_slot import process_pool
from studio.evaluation.run_worker import open_run_worker
from studio.evaluation.worker_pool import PoolOpener
from studio.jobs.device_queue import device_count
from studio.runs.config import RunConfig


def worker_count(config: RunConfig) -> int | None:
    """How many workers a run has, which is how many offspring are in flight; None where it draws in its own process."""
    return device_count() if config.workers == "auto" else config.workers


def with_worker_count(config: RunConfig) -> RunConfig:
    """The same with a number in place of `workers: auto`: another machine is to breed the same offspring.

    Raises:
        ConfigError: so many workers do not go with the other settings.
    """
    return config.changed({"workers": worker_count(config)}) if config.workers == "auto" else config


def process_count(workers: int, *, gpus: bool) -> int:
    """How many processes draw for so many workers: on GPUs no more than there are, for none has room for two."""
    return min(workers, device_count()) if gpus else workers


def worker_devices(workers: int, held: Sequence[int | None]) -> Sequence[int | None]:
    """The device of each worker process.

    Args:
        workers: how many the run has.
        held: what `acquire_device` gave for as many.

    Returns:
        As many as there are workers where the machine has one device, which they share; else the devices held, which
        may be fewer, see `process_count`.
    """
    return [None] * workers if None in held else list(held)


def process_workers(config: RunConfig, devices: Sequence[int | None]) -> PoolOpener:
    """What opens workers in processes of this machine, which share its threads."""
    threads = max(1, torch.get_num_threads() // len(devices))
    return lambda scorer: process_pool(partial(open_run_worker, config, scorer, threads), devices)
