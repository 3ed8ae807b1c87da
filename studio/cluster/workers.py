"""The workers of a run on a cluster: what each machine is told, who hands out sources, and the pool."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.checkpoints.source_expression import parse_source
from pipelines.checkpoints.source_uri import operand_places
from pipelines.checkpoints.sources import Source
from pipelines.storage.files import read_sha256
from studio.breeding.initial_population import source_recipes
from studio.conditions.record import recorded_source
from studio.environment import package_versions
from studio.jobs.worker_count import RayWorkers
from studio.runs.config import RunConfig
from studio.workers.worker_calibration import WorkerCalibration
from studio.workers.worker_pool import PoolOpener, WorkerPool

from .connection import cluster_nodes, room
from .node_source import WantedSource
from .node_worker import NodeJob, open_node_worker
from .offer import PIECE_BYTES, RayOffer, SourceServer, offered_files
from .ray_slot import ray_pool

logger = logging.getLogger(__name__)


def cluster_workers(
    config: RunConfig, workers: RayWorkers, sources: Mapping[str, Source], files: Mapping[str, Path]
) -> PoolOpener:
    """Return what opens the workers of a run on the cluster that this process has joined.

    Args:
        config: the run.
        workers: how many, and what each takes; nothing left open.
        sources: opened, by name.
        files: what else workers read, by what the run calls it.
    """

    def opened(scorer: Mapping[str, Any], calibration: WorkerCalibration) -> WorkerPool:
        job = NodeJob(
            config=config,
            scorer=scorer,
            threads=workers.cpus or 1,
            sources=wanted_sources(config, sources),
            files={str(path): read_sha256(path) for path in files.values() if path.is_file()},
            versions=package_versions(),
        )
        here = room(cluster_nodes(), gpus=workers.gpus or 0, cpus=workers.cpus or 1)
        if here < (workers.ray or 1):
            logger.warning("the cluster has room for %d of %s workers; the others wait for more", here, workers.ray)
        offer = started_offer([file.path for wanted in job.sources for file in wanted.files])
        return ray_pool(partial(open_node_worker, job, offer), workers, calibration=calibration)

    return opened


def wanted_sources(config: RunConfig, sources: Mapping[str, Source]) -> tuple[WantedSource, ...]:
    """Say what other machines are to have, of sources that are opened here."""
    recipe = next(iter(source_recipes(config, sources).values()))
    return tuple(
        WantedSource(
            named=named,
            record=recorded_source(sources[named.name]),
            written=parse_source(sources[named.name].uri),
            operands=tuple(place.name for place in operand_places(sources[named.name].uri)),
            files=offered_files(sources[named.name]),
        )
        for named in recipe.sources
    )


def started_offer(files: Collection[str], piece: int = PIECE_BYTES) -> RayOffer:
    """Start what hands out files, so many bytes at once, on this machine of the cluster."""
    import ray  # an extra: who has no cluster has no Ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    server = ray.remote(SourceServer).options(num_cpus=0, scheduling_strategy=here)
    return RayOffer(server.remote(files, piece), piece)
