"""Runs that draw in processes of their own: what they are asked, what they give, what a lost process costs."""

import multiprocessing

import pytest

from studio.errors import ConfigError, RunError
from studio.execution import control, worker_watch, workers
from studio.execution.creation import create_run
from studio.execution.workers import process_count, wanted_devices, with_worker_count, worker_count, worker_devices
from studio.runs.status import ask_to_stop, locked, workers_wanted
from studio.runs.store import open_run
from studio.runs.summary import status
from studio.workers import process_slot
from tests.conftest import without_report
from tests.processes import FORKED
from tests.studio.conftest import archive_of


@pytest.fixture(autouse=True)
def forked_workers(monkeypatch):
    """Worker processes are forked from one that has imported what they need."""
    monkeypatch.setattr(process_slot, "PROCESSES", FORKED)


def pictures(store):
    """Every picture that a run kept, with its bytes."""
    return {
        file.relative_to(store.folder).as_posix(): file.read_bytes() for file in sorted(store.folder.rglob("*.png"))
    }


def test_one_worker_gives_what_the_runs_own_process_gives(bred, small_config, tmp_path):
    """Scores, archive, report and the bytes of every picture."""
    store = create_run(tmp_path / "run", small_config.changed({"workers": 1}))
    control.carry_out(store)
    assert archive_of(store) == archive_of(bred)
    assert pictures(store) == pictures(bred)
    assert multiprocessing.active_children() == []
    store.close()


def test_three_workers_give_the_same_again_killed_attached_let_go_and_stopped_on_the_way(
    small_config, tmp_path, monkeypatch, m2n2
):
    monkeypatch.setattr(worker_watch, "SECONDS", 0.05)
    seen = []
    config = small_config.changed({"workers": 3, "pictures.batch": 2})
    whole, troubled = (create_run(tmp_path / name, config) for name in ("whole", "troubled"))
    control.carry_out(whole, without_report)
    assert status(whole)["done"] == 4

    def kill(store):
        multiprocessing.active_children()[-1].kill()

    troubles = {
        1: lambda store: control.change_workers(store, 1),
        2: kill,
        4: lambda store: control.want_workers(store, 2),
        5: kill,
        6: ask_to_stop,
    }

    def trouble(store):
        everyone = len(store.individuals())
        seen.append(status(store).get("pool"))
        for number in [number for number in troubles if number <= everyone]:  # some are recorded at once
            troubles.pop(number)(store)

    control.carry_out(troubled, trouble)
    assert status(troubled)["status"] == "stopped"
    assert multiprocessing.active_children() == []
    assert max(len(pool["workers"]) for pool in seen if pool) == 4
    pool = status(troubled)["pool"]
    assert pool["workers"] == ()
    assert {one["reason"].partition(",")[0] for one in pool["failures"]} == {"It ended with exit code -9"}
    seen.clear()

    def look(store):
        seen.append(status(store).get("pool"))
        without_report(store)

    control.carry_out(open_run(troubled.folder), look)
    shown = next(pool["workers"] for pool in seen if pool["workers"])  # until they are seen, the last end is told
    assert [worker["number"] for worker in shown] == [1, 2]
    assert {worker["dtype"] for worker in shown} - {""} == {"float32"}  # none yet of one that still opens its sources
    assert {worker["of"] for worker in shown if worker["child"]} <= {5}
    assert "idle for" in m2n2("show", troubled.folder).stdout
    assert archive_of(troubled) == archive_of(whole)
    assert pictures(troubled) == pictures(whole)


def test_auto_is_a_worker_per_device_and_the_run_keeps_the_number(small_config, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "device_count", lambda: 4)
    asked = small_config.changed({"workers": "auto"})
    assert worker_count(asked) == 4
    assert with_worker_count(asked).workers == 4
    assert create_run(tmp_path / "run", asked).config.workers == 4
    assert with_worker_count(small_config) == small_config
    with pytest.raises(ConfigError, match="an archive that several workers change; expected workers: 1"):
        with_worker_count(asked.changed({"early_rejection": True}))


def test_gpus_draw_for_one_worker_each_and_a_lone_device_for_all(small_config, monkeypatch):
    monkeypatch.setattr(workers, "device_count", lambda: 2)
    several = [small_config.changed({"workers": count}) for count in (1, 2, 5)]
    assert [process_count(config, gpus=True) for config in several] == [1, 2, 2]
    assert process_count(several[-1], gpus=False) == 5
    assert process_count(small_config.changed({"workers": "ray:5"}), gpus=True) == 1
    assert list(worker_devices(3, [None])) == [None, None, None]
    assert list(worker_devices(5, [3, 1])) == [3, 1]


@pytest.mark.parametrize("count", [0, -1, 1.5, "many", True])
def test_workers_are_a_number_or_auto(small_config, count):
    with pytest.raises(
        ConfigError, match="at workers: expected a whole number of workers, 1 or more, auto, ray, or ray:N"
    ):
        small_config.changed({"workers": count})


def test_a_person_asks_for_workers_on_the_command_line(small_config, tmp_path, m2n2):
    small_config.save(tmp_path / "run.yaml")
    refused = m2n2("evolve", tmp_path / "run.yaml", "--workers", "none", "--out", tmp_path / "run")
    assert refused.returncode == 1
    assert "expected a whole number of workers, 1 or more, auto, ray, or ray:N" in refused.stderr
    refused = m2n2("evolve", "--resume", "--out", tmp_path / "run", "--workers", "auto")
    assert "With --resume, --workers is a number" in refused.stderr
    refused = m2n2("evolve", tmp_path / "run.yaml", "--address", "head:6379", "--out", tmp_path / "run")
    assert (refused.returncode, "--address goes with workers on a Ray cluster" in refused.stderr) == (2, True)
    assert not (tmp_path / "run").exists()
    done, alone = m2n2("evolve", tmp_path / "run.yaml", "--preflight", "--json", json_output=True)
    assert done.returncode == 0
    done, four = m2n2("evolve", tmp_path / "run.yaml", "--workers", 4, "--preflight", "--json", json_output=True)
    assert done.returncode == 0
    assert four["needs"]["memory"] > 3 * alone["needs"]["memory"]


def test_a_run_without_workers_keeps_its_process_and_one_with_some_needs_one(small_config, tmp_path, m2n2):
    alone, pair = (create_run(tmp_path / str(count), small_config.changed({"workers": count})) for count in (None, 2))
    refused = m2n2("evolve", "--resume", "--out", alone.folder, "--workers", 2)
    assert (refused.returncode, "draws in its own process" in refused.stderr) == (1, True)
    control.want_workers(pair, 1)
    with pytest.raises(RunError, match="needs a worker to go on. Expected 1 or more, found 0"):
        control.change_workers(pair, -1)
    assert workers_wanted(pair) == 1
    assert [wanted_devices(one.config, wanted) for one, wanted in ((alone, None), (pair, 1), (pair, 5))] == [1, 1, 2]
    with locked(pair):  # as by the process that carries it
        told = m2n2("evolve", "--resume", "--out", pair.folder, "--workers", 3)
    assert (told.returncode, "goes on with 3 workers" in told.stderr) == (0, True)
    assert workers_wanted(pair) == 3
