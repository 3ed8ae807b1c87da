"""A run is removed as a whole, unless a process carries it; a process killed on the way leaves no half of one."""

import shutil

import pytest

from pipelines.storage.unfinished import leftovers
from studio.errors import RunError
from studio.jobs.process import hold_lock
from studio.run_folders.listing import list_runs
from studio.run_folders.making import remove_unfinished
from studio.run_folders.removing import remove_run, run_size


@pytest.fixture
def runs(tmp_path):
    """Two folders that are listed as runs, with files of 3 and 4 bytes."""
    for name in ("spring", "autumn"):
        (tmp_path / name / "images").mkdir(parents=True)
        (tmp_path / name / "run.yaml").write_text("abc")
        (tmp_path / name / "images" / "one.png").write_text("abcd")
    return tmp_path


def names(runs):
    listing = list_runs(runs)
    return {*listing.names, *(run.name for run in listing.unreadable)}


def test_it_goes_with_all_that_is_in_it_and_others_stay(runs):
    assert run_size(runs / "spring") == 7
    remove_run(runs / "spring")
    assert [path.name for path in runs.iterdir()] == ["autumn"]
    assert names(runs) == {"autumn"}


def test_one_that_a_process_carries_stays(runs):
    with hold_lock(runs / "spring" / "run.lock", "held"), pytest.raises(RunError, match="spring is going on"):
        remove_run(runs / "spring")
    assert (runs / "spring" / "images" / "one.png").read_text() == "abcd"


def test_a_process_killed_on_the_way_leaves_what_the_next_run_removes(runs, monkeypatch):
    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove_run(runs / "spring")
    monkeypatch.undo()
    assert names(runs) == {"autumn"}
    assert [one.name for one in leftovers(runs)] == ["spring"]
    remove_unfinished(runs)
    assert [path.name for path in runs.iterdir()] == ["autumn"]
