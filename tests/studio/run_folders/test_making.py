"""A run's folder is there as a whole or not at all, wherever its process is killed."""

import os
import signal
import sys
import warnings

import pytest
import torch

from pipelines.storage.unfinished import leftovers
from studio.errors import RunError
from studio.networks.config import AnyConfig
from studio.networks.task import create, open_any
from studio.run_folders.listing import list_runs
from studio.run_folders.making import new_run_folder, remove_unfinished
from tests.networks import network

MOMENTS = ("open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "sqlite3.connect")


@pytest.fixture
def config(tmp_path):
    for name in ("left", "right"):
        network(tmp_path / name, {"first": torch.ones(4)})
    (tmp_path / "score.py").write_text("def score(weights):\n    return [0.5]\n")
    sources = (str(tmp_path / "left"), str(tmp_path / "right"))
    return AnyConfig(sources=sources, scorer=f"{tmp_path / 'score.py'}:score", archive=2)


def killed_at(moment, work):
    """Do some work in a process that is killed when it touches the folder of the runs for the nth time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if not child:
        left = [moment]

        def count(event, arguments):
            if event in MOMENTS and "runs" in str(arguments[0]):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_is_there_as_a_whole_or_not_at_all(config, tmp_path):
    folder, moment, left = tmp_path / "runs" / "mine", 0, 0
    while not folder.exists():
        moment += 1
        killed = killed_at(moment, lambda: create(folder, config))
        assert folder.exists() or killed
        left += len(leftovers(folder.parent))  # who makes a run removes what died before
        assert list_runs(folder.parent).unreadable == ()
        assert [place.name for place in (tmp_path / "runs").glob("[!.]*")] == (["mine"] if folder.exists() else [])
    assert moment > 10
    assert open_any(folder).state.status == "new"
    assert left > 5
    create(folder.with_name("another"), config)
    assert sorted(place.name for place in (tmp_path / "runs").iterdir()) == ["another", "mine"]


def test_a_folder_that_is_being_filled_is_left_alone(tmp_path):
    with new_run_folder(tmp_path / "first") as hidden:
        assert remove_unfinished(tmp_path) == []
        (hidden / "here").touch()
    assert [place.name for place in (tmp_path / "first").iterdir()] == ["here"]


def test_what_fails_leaves_nothing_and_what_is_there_stays(tmp_path):
    with pytest.raises(ZeroDivisionError), new_run_folder(tmp_path / "run"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "run").mkdir()
    with new_run_folder(tmp_path / "run") as hidden:  # an empty folder will do
        (hidden / "here").touch()
    with pytest.raises(RunError, match="is not empty"), new_run_folder(tmp_path / "run"):
        pass
    late = new_run_folder(tmp_path / "late")
    late.__enter__()
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "somebody").touch()
    with pytest.raises(RunError, match="is not empty"):
        late.__exit__(None, None, None)
    assert sorted(place.name for place in tmp_path.iterdir()) == ["late", "run"]
