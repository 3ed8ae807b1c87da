"""A Ray cluster of two machines, both of them here: when the second is killed, another one joins in its place."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

SMALL = {"num_cpus": 2, "num_gpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
TOLD = "cluster.log"  # in the folder that is worked in: where the cluster is, and what is to be killed of it


class TwoMachines:
    """The cluster; one for all trials, as it takes long to start."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._folder = tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True)
        Path(self._folder.name, "ray").mkdir()
        self.environment = {
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "RAY_TMPDIR": self._folder.name,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "RAY_enable_metrics_collection": "0",
            "RAY_memory_monitor_refresh_ms": "0",
        }
        os.environ.update(self.environment)
        # Hooks of Ray's own are for the main thread, and machines are replaced in another.
        self._cluster: Any = Cluster(initialize_head=True, head_node_args=SMALL, shutdown_at_exit=False)
        self._add()
        self._work: Path | None = None
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._replace, daemon=True)
        self._watch.start()
        atexit.register(self.end)

    def lend(self, work: Path) -> None:
        """Tell whoever works in a folder where the cluster is, once it has both machines."""
        while self._is_gone():
            time.sleep(0.1)
        self._work = work
        self._tell()

    def end(self) -> None:
        """End the cluster."""
        self._ended.set()
        self._watch.join()
        self._cluster.shutdown()

    def _tell(self) -> None:
        if self._work is not None:
            machine = self._raylet.pid
            told = {"address": self._cluster.address, "machine": machine, "environment": self.environment}
            draft = self._work / f".{TOLD}"
            with contextlib.suppress(OSError):  # the folder may be made anew just now
                draft.write_text(json.dumps(told))
                draft.rename(self._work / TOLD)

    def _add(self) -> None:
        """Have a second machine join, and note the process that makes it part of the cluster."""
        self._second: Any = self._cluster.add_node(**SMALL)
        self._raylet: Any = self._second.all_processes["raylet"][0].process

    def _is_gone(self) -> bool:
        return self._raylet.poll() is not None

    def _replace(self) -> None:
        while not self._ended.wait(0.3):
            if self._is_gone():
                self._cluster.remove_node(self._second, allow_graceful=False)
                self._add()
                self._tell()


@functools.cache
def two_machines() -> TwoMachines:
    """The cluster, started when it is first needed."""
    return TwoMachines()


def told(work: Path) -> Any:
    """What those who work in a folder know of the cluster; None where there is none."""
    return json.loads((work / TOLD).read_text()) if (work / TOLD).is_file() else None


def workers_of(work: Path) -> list[int]:
    """The processes that have drawn in a folder and are alive, in the order in which they began."""
    asked = work / "asked.log"
    rows = asked.read_text().splitlines() if asked.is_file() else []
    return [pid for pid in dict.fromkeys(int(row.split()[0]) for row in rows) if psutil.pid_exists(pid)]
