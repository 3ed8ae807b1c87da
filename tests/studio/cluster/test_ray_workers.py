"""Workers on a real Ray cluster of two machines, both of them here: what is lost runs again, and nothing is lost."""

import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import psutil
import pytest
import torch

from pipelines.errors import GenerationError
from studio.cluster.connection import cluster_nodes, fitted, joined_cluster
from studio.cluster.offer import OfferedFile
from studio.cluster.ray_slot import ray_pool
from studio.cluster.workers import started_offer
from studio.errors import RunError
from studio.execution import control
from studio.execution.creation import create_run
from studio.jobs.worker_count import RayWorkers
from studio.workers.worker_pool import Patience
from tests.conftest import without_report
from tests.stand_in_runs import carry
from tests.stand_in_workers import (
    asked,
    ends_at_once,
    ends_with_its_driver,
    log,
    open_stand_in,
    opens_at_the_second_time,
    worth,
)
from tests.studio.conftest import archive_of

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
SMALL = {"num_cpus": 2, "num_gpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


def short_folder():
    """A folder whose path leaves room for the names of sockets; Ray may still write its logs when it is removed."""
    return tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True)


@pytest.fixture(scope="module")
def cluster():
    """Two machines with a GPU each, which Ray takes our word for; the first is the run's own, and stays."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as environment, short_folder() as folder:
        for name, value in {
            "PYTHONPATH": str(ROOT),
            "RAY_TMPDIR": folder,  # logs, and which cluster this machine is part of
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # Ray warns of what it will do one day
            "RAY_enable_metrics_collection": "0",
            "RAY_memory_monitor_refresh_ms": "0",  # it ends workers where something else here takes much memory
        }.items():
            environment.setenv(name, value)
        Path(folder, "ray").mkdir()
        started = Cluster(initialize_head=True, head_node_args=SMALL)
        started.add_node(**SMALL)
        handler = signal.getsignal(signal.SIGTERM)
        with joined_cluster(started.address):
            assert signal.getsignal(signal.SIGTERM) is handler  # Ray's would end a run that is asked to stop
            yield started
        started.shutdown()


def pool_of(folder, count, **patience):
    """Workers of half a GPU, of which the cluster has room for four."""
    workers = RayWorkers(ray=count, gpus=0.5, cpus=1)
    return ray_pool(partial(open_stand_in, folder), workers, patience=Patience(**patience))


def test_what_a_worker_loses_or_breaks_runs_again_and_who_kills_three_is_set_aside(cluster, tmp_path):
    with closing(pool_of(tmp_path, 5)) as pool:  # one more than there is room for, which waits
        names, told = [f"{number:04d}" for number in range(12)], []
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda name: pool.evaluate(asked(name), told.append), names))
        assert found == [worth(name) for name in names]
        assert told == [1] * 12
        while len({worker for worker, _ in log(tmp_path)}) < 2:  # the first may have drawn all before another is there
            pool.evaluate(asked("again"), print)
        for name in ("breaks once", "kills once"):
            assert pool.evaluate(asked(name), print) == worth(name)
            (first, _), (second, _) = (row for row in log(tmp_path) if row[1] == name)
            assert first != second
        with pytest.raises(GenerationError, match=r"kills was set aside: 3 workers were lost .* ActorDiedError"):
            pool.evaluate(asked("kills"), print)
        with pytest.raises(GenerationError, match="came out with NaN"):
            pool.evaluate(asked("breaks"), print)


def test_a_worker_that_is_not_heard_of_is_given_up(cluster, tmp_path):
    with closing(pool_of(tmp_path, 2, first=4, least=1, factor=1)) as pool:
        assert pool.evaluate(asked("hangs once"), print) == worth("hangs once")
        (first, _), (second, _) = log(tmp_path)
        assert first != second
        psutil.wait_procs([psutil.Process(int(first))] if psutil.pid_exists(int(first)) else [], timeout=20)
        assert not psutil.pid_exists(int(first))


def test_a_machine_where_no_worker_opens_is_done_without_and_workers_are_not_started_for_ever(
    cluster, tmp_path, caplog
):
    workers = fitted(RayWorkers(), cluster_nodes())
    assert workers == RayWorkers(ray=2, gpus=1, cpus=2)
    with (
        closing(ray_pool(partial(opens_at_the_second_time, tmp_path), workers)) as pool,
        ThreadPoolExecutor(2) as threads,
    ):
        names = ["0001", "0002", "0003"]
        assert list(threads.map(lambda name: pool.evaluate(asked(name), print), names)) == list(map(worth, names))
    assert "a worker cannot be opened, the run goes on with the others: nothing to open here" in caplog.messages
    with (
        closing(ray_pool(ends_at_once, workers)) as pool,
        pytest.raises(RunError, match=r"3 workers in a row ended before they were open; .* ActorDiedError"),
    ):
        pool.evaluate(asked("0001"), print)


def carry_on_cluster(store, folder, watch=lambda store: None):
    """Carry a run of which nothing is drawn, with four workers on the cluster."""
    with ExitStack() as opened:
        threads = opened.enter_context(ThreadPoolExecutor(8))
        pool = opened.enter_context(closing(pool_of(folder, 4)))
        carry(store, 4, evaluate=lambda name: pool.evaluate(asked(name), print), executor=threads, watch=watch)


def test_a_run_loses_nothing_to_workers_that_die_and_machines_that_leave_and_join(cluster, pair_config, tmp_path):
    config = pair_config.changed({"evaluations": 14, "noise_rotation": 5, "breeding.merges": True})
    whole, troubled = (create_run(tmp_path / name, config) for name in ("whole", "troubled"))
    carry_on_cluster(whole, tmp_path)

    troubles = {
        4: lambda: os.kill(int(log(tmp_path)[-1][0]), signal.SIGKILL),
        8: lambda: cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False),
        10: lambda: cluster.add_node(**SMALL),
    }

    def trouble(store):
        for number in [number for number in troubles if number <= len(store.individuals())]:
            troubles.pop(number)()

    carry_on_cluster(troubled, tmp_path, trouble)
    assert archive_of(troubled) == archive_of(whole)
    assert len(whole.individuals()) == 16


def test_one_worker_gives_what_the_runs_own_process_gives(cluster, pair_config, fewer_prompts, tmp_path):
    """Scores, archive and the bytes of every picture."""
    config = pair_config.changed({"evaluations": 1, "prompts": str(fewer_prompts)})
    workers = {"ray": 1, "cpus": torch.get_num_threads()}
    alone, elsewhere = (
        create_run(tmp_path / name, one)
        for name, one in (("alone", config), ("elsewhere", config.changed({"workers": workers})))
    )
    assert elsewhere.config.workers == RayWorkers(ray=1, gpus=1, cpus=torch.get_num_threads())
    for store in (alone, elsewhere):
        control.carry_out(store, without_report)
    assert archive_of(elsewhere) == archive_of(alone)
    assert pictures(elsewhere) == pictures(alone)
    assert len(pictures(alone)) > 0


def pictures(store):
    """Every picture that a run kept, with its bytes."""
    return {file.relative_to(store.folder): file.read_bytes() for file in store.folder.rglob("*.png")}


def test_files_come_in_pieces_from_the_machine_of_the_run_and_others_do_not(cluster, tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(os.urandom(100_000))
    offer = started_offer([str(file)], 30_000)
    pieces = list(offer.pieces(OfferedFile(str(file), "0/weights", 100_000)))
    assert [len(piece) for piece in pieces] == [30_000, 30_000, 30_000, 10_000]
    assert b"".join(pieces) == file.read_bytes()
    with pytest.raises(OSError, match="PermissionError"):
        list(offer.pieces(OfferedFile("/etc/hostname", "0/hostname", 8)))


def test_workers_end_with_the_process_that_started_them(cluster, tmp_path):
    program = (
        "import functools, pathlib, sys\n"
        "from studio.cluster.connection import joined_cluster\n"
        "from studio.cluster.ray_slot import ray_pool\n"
        "from studio.jobs.worker_count import RayWorkers\n"
        "from tests.stand_in_workers import asked, open_stand_in\n"
        "with joined_cluster(sys.argv[2]):\n"
        "    opener = functools.partial(open_stand_in, pathlib.Path(sys.argv[1]))\n"
        "    ray_pool(opener, RayWorkers(ray=1, gpus=0, cpus=1)).evaluate(asked('waits'))"
    )
    ends_with_its_driver(program, tmp_path, cluster.address)
