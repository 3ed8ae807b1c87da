"""A run's process joins a Ray cluster, and finds out how many workers that has room for."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studio.errors import RunError
from studio.jobs.worker_count import RayWorkers

_ANSWER_SECONDS = 10.0
_MOST_CPUS = 8  # for a worker with a GPU: what it does beside it gains nothing from more


@contextlib.contextmanager
def joined_cluster(address: str | None = None) -> Iterator[None]:
    """Be part of a Ray cluster; inside of another such context, of that one's.

    Args:
        address: HOST:PORT of its head; RAY_ADDRESS, or the cluster that this machine is part of, if left out.

    Raises:
        RunError: Ray is not installed, or no cluster answers.
    """
    ray = _ray()
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "auto"
    # Else it prints the end of each worker to stdout, where a command prints its answer; the pool tells it in the log.
    ray._private.worker._worker_logs_enabled = False
    with _kept_signals():
        try:
            if address != "auto":
                _check_answers(address)
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
        except (OSError, RuntimeError, ValueError) as error:  # others than these are faults of this program
            raise RunError(
                "The Ray cluster at {address} cannot be joined: {reason}. Expected one that this machine is part of: "
                "start it with `ray start --head`, join it with `ray start --address=HOST:PORT`, or name it with "
                "--address.",
                address=address,
                reason=str(error).strip().partition("\n")[0].rstrip("."),
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


def cluster_nodes() -> list[Mapping[str, float]]:
    """What each machine of the cluster has that this process has joined: `CPU` and `GPU`, where it has any."""
    return [node["Resources"] for node in _ray().nodes() if node["Alive"]]


def fitted(workers: RayWorkers, nodes: Sequence[Mapping[str, float]]) -> RayWorkers:
    """Fill in what a run file leaves open.

    Args:
        workers: as the run file has them.
        nodes: `CPU` and `GPU` of each machine of the cluster.

    Returns:
        A GPU for each worker where there are any; as many CPUs as each machine has per worker, 8 at most, or one where
        there is no GPU; and as many workers as fit.

    Raises:
        RunError: none fits.
    """
    gpus = workers.gpus
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU") for node in nodes) else 0.0
    cpus = workers.cpus
    if cpus is None:
        shared = [(int(node.get("CPU", 0)), _shares(node, gpus)) for node in nodes] if gpus else []
        cpus = max(1, min([_MOST_CPUS, *(have // count for have, count in shared if count)])) if shared else 1
    count = workers.ray or room(nodes, gpus=gpus, cpus=cpus)
    if not count:
        raise RunError(
            "The cluster has {nodes} machines, and none has {gpus:g} GPUs and {cpus} CPUs for a worker. Expected one "
            "at least: ask for less, or say how many workers there are to be, and they wait for machines to join.",
            nodes=len(nodes),
            gpus=gpus,
            cpus=cpus,
        )
    return RayWorkers(ray=count, gpus=gpus, cpus=cpus)


def room(nodes: Sequence[Mapping[str, float]], *, gpus: float, cpus: int) -> int:
    """How many workers have room on the machines of a cluster, if each takes so many GPUs and CPUs of one machine."""
    by_cpu = [int(node.get("CPU", 0)) // cpus for node in nodes]
    return sum(min(_shares(node, gpus), count) if gpus else count for node, count in zip(nodes, by_cpu, strict=True))


def _shares(node: Mapping[str, float], gpus: float) -> int:
    """How many workers the GPUs of a machine have room for; no share of one lies on two GPUs."""
    whole = node.get("GPU", 0)
    return int(whole // gpus) if gpus >= 1 else int(whole) * int(1 / gpus)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise RunError(
            "Workers on a cluster need Ray, which is not installed here. Install it: "
            "pip install 'm2n2-studio[cluster]'; or ask for --workers auto, which needs none."
        ) from None
    return ray


def _check_answers(address: str) -> None:
    """Refuse an address where nobody answers: Ray would try for minutes.

    Raises:
        RunError: it is none of a cluster's head.
        OSError: nobody answers.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise RunError(
            "{address} is not the address of a cluster's head. Expected HOST:PORT, on a machine that is part of the "
            "cluster: results come through its object store.",
            address=address,
        )
    socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_SECONDS).close()


@contextlib.contextmanager
def _kept_signals() -> Iterator[None]:
    """Keep what this process does at a signal: Ray's own handler would end a run where it is asked to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
