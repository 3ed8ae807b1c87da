"""A worker of a run, opened on another machine than the run's: it must be able to give the same bits."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.storage.files import read_sha256
from studio.environment import describe_machine, package_versions
from studio.errors import RunError
from studio.runs.config import RunConfig

from .node_source import Say, WantedSource, open_on_node
from .offer import Offer

if TYPE_CHECKING:
    from studio.evaluation.worker import OpenedWorker


@dataclass(frozen=True)
class NodeJob:
    """What a machine is told of a run.

    Attributes:
        config: the run.
        scorer: identity of the one that the run scores with.
        threads: how many torch sums with.
        sources: in the order in which the run has them.
        files: SHA-256 of what else is read there, by path: adapters for few steps, reference pictures.
        versions: of the packages that compute, as the run's own process has them.
    """

    config: RunConfig
    scorer: Mapping[str, Any]
    threads: int
    sources: tuple[WantedSource, ...]
    files: Mapping[str, str]
    versions: Mapping[str, str]


def open_node_worker(job: NodeJob, offer: Offer, say: Say) -> OpenedWorker:
    """Open a worker of a run on this machine.

    Args:
        job: the run.
        offer: who hands out the files of its sources.
        say: told what is being done, as a sign of life.

    Raises:
        RunError: packages or files are others here than where the run is.
        ScorerError: the scorer is another one.
        M2N2Error: sources, pipeline or scorer cannot be opened.
    """
    from studio.evaluation.run_worker import open_worker_over

    _check_versions(job.versions, package_versions())
    _check_files(job.files)
    sources = {wanted.named.name: open_on_node(wanted, offer, say) for wanted in job.sources}
    say("opens its pipeline")
    worker = open_worker_over(job.config, sources, job.scorer, job.threads)
    say(f"is open on {describe_machine()['device']}")
    return worker


def _check_versions(expected: Mapping[str, str], found: Mapping[str, str]) -> None:
    for package, version in expected.items():
        if found.get(package) != version:
            raise RunError(
                "{node} has {package} {found}. Expected {version}, as the run's own process has it: scores would "
                "differ. Install the same on every machine of the cluster.",
                node=socket.gethostname(),
                package=package,
                found=found.get(package, "-"),
                version=version,
            )


def _check_files(files: Mapping[str, str]) -> None:
    for path, expected in files.items():
        found = read_sha256(Path(path)) if Path(path).is_file() else "-"
        if found != expected:
            raise RunError(
                "{path} on {node}: expected a file with sha256 {expected}, found {found}. Copy it there under the same "
                "path, or put it on a disk that all machines share.",
                path=path,
                node=socket.gethostname(),
                expected=expected,
                found=found,
            )
