"""How many workers a cluster has room for, and what a person hears where there is none."""

import socket
import sys

import pytest

from studio.cluster.connection import fitted, joined_cluster
from studio.errors import ConfigError, RunError
from studio.execution.creation import create_run
from studio.jobs.worker_count import RayWorkers

EIGHT_GPUS = {"CPU": 96.0, "GPU": 8.0}
NO_GPU = {"CPU": 16.0}


@pytest.mark.parametrize(
    ("asked", "nodes", "found"),
    [
        ({}, [EIGHT_GPUS, EIGHT_GPUS], (16, 1, 8)),
        ({}, [EIGHT_GPUS, NO_GPU], (8, 1, 8)),  # the machine of the run itself, say
        ({}, [{"CPU": 12.0, "GPU": 4.0}, EIGHT_GPUS], (12, 1, 3)),
        ({"gpus": 0.5}, [{"CPU": 12.0, "GPU": 4.0}], (8, 0.5, 1)),
        ({"gpus": 0.4}, [{"CPU": 99.0, "GPU": 1.0}], (2, 0.4, 8)),  # a share lies on one GPU
        ({"gpus": 3}, [EIGHT_GPUS], (2, 3, 8)),
        ({"cpus": 24}, [EIGHT_GPUS], (4, 1, 24)),
        ({}, [NO_GPU, {"CPU": 4.0}], (20, 0, 1)),
        ({"cpus": 3}, [NO_GPU, {"CPU": 4.0}], (6, 0, 3)),
        ({"ray": 100}, [NO_GPU], (100, 0, 1)),  # those that find no room wait for machines
    ],
)
def test_what_is_left_open_is_taken_from_the_cluster(asked, nodes, found):
    workers = fitted(RayWorkers(**asked), nodes)
    assert (workers.ray, workers.gpus, workers.cpus) == found


def test_a_cluster_without_room_is_said_so():
    with pytest.raises(RunError, match=r"has 1 machines, and none has 1 GPUs and 200 CPUs for a worker"):
        fitted(RayWorkers(cpus=200), [EIGHT_GPUS])


def test_a_run_file_says_it_as_a_word_or_in_full(small_config):
    def workers(value):
        return small_config.changed({"workers": value}).workers

    assert workers("ray") == RayWorkers()
    assert workers("ray:8") == workers({"ray": 8}) == RayWorkers(ray=8)
    assert workers({"ray": None, "gpus": 0.5, "cpus": 2}) == RayWorkers(gpus=0.5, cpus=2)
    for wrong in ({"ray": 0}, {"ray": 2, "gpus": 1.5}, {"ray": 2, "colour": 1}, {"ray": 2, "cpus": 0}):
        with pytest.raises(ConfigError, match="at workers: expected ray with a whole number of workers"):
            workers(wrong)
    for wrong in ("ray:", "ray:0x", "rays", {"gpus": 1}):
        with pytest.raises(ConfigError, match="at workers: expected a whole number of workers"):
            workers(wrong)
    with pytest.raises(ConfigError, match="expected workers: 1 beside it"):
        small_config.changed({"workers": "ray:2", "early_rejection": True})
    assert small_config.changed({"workers": "ray:1", "early_rejection": True}).workers.ray == 1


def test_who_has_no_ray_hears_how_to_install_it(small_config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(
        RunError, match=r"need Ray, which is not installed here\. .*pip install 'm2n2-studio\[cluster\]'"
    ):
        create_run(tmp_path / "run", small_config.changed({"workers": "ray"}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["ray://head:10001", "head", ":6379", "head:six"])
def test_what_is_no_address_of_a_head_is_refused(address):
    pytest.importorskip("ray")
    with pytest.raises(RunError, match=rf"{address} is not the address of a cluster's head\. Expected HOST:PORT"):  # noqa: SIM117
        with joined_cluster(address):
            pass


def test_who_finds_nobody_hears_how_to_start_a_cluster(monkeypatch, tmp_path):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # this machine is part of no cluster
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        for address in (None, f"127.0.0.1:{nobody.getsockname()[1]}"):
            with pytest.raises(RunError, match=r"cannot be joined: .*start it with `ray start --head`, join it"):  # noqa: SIM117
                with joined_cluster(address):
                    pass
