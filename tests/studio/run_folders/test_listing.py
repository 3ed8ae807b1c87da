"""Damage of one run hides no other: it is listed with its reason, and every page opens."""

import contextlib
import inspect
import os
import shutil
import sqlite3
from contextvars import copy_context
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from gradio.context import LocalContext

from benchmarks.app.pages import KEY, door_of
from studio.errors import RunError
from studio.execution.preflight import measured_rate
from studio.library.source_library import known_sources
from studio.library.source_strengths import source_strengths
from studio.run_folders.listing import list_runs
from studio.runs.config_file import load_config
from studio.ui.common.studio import Studio
from studio.ui.server.app import build_app


def without(name):
    return lambda folder: (folder / name).unlink()


def torn(name, at):
    return lambda folder: os.truncate(folder / name, int((folder / name).stat().st_size * at))


def written(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def half_made(folder):
    (folder / "run.db").unlink()
    (folder / "run.yaml").unlink()


def newer(folder):
    with contextlib.closing(sqlite3.connect(folder / "run.db")) as database, database:
        database.execute("UPDATE state SET value = '99' WHERE key = 'schema'")


DAMAGES = {
    "no run.db": (without("run.db"), "lacks run.db"),
    "no run.yaml": (without("run.yaml"), "lacks run.yaml"),
    "no prompts": (without("prompts.yaml"), "prompts.yaml"),
    "half made": (half_made, "was left half-made"),
    "torn run.yaml": (written("run.yaml", b"sources: [a, "), "run.yaml cannot be read"),
    "empty run.yaml": (written("run.yaml", b""), "run.yaml holds no settings"),
    "empty run.db": (written("run.db", b""), "copy both, or stop the run first"),
    "torn run.db": (torn("run.db", 0.5), "run.db cannot be read or written"),
    "no database": (written("run.db", b"no database" * 99), "file is not a database"),
    "newer": (newer, "was written in format 99"),
}


@pytest.fixture
def runs(sources_drawn, tmp_path):
    shutil.copytree(sources_drawn, tmp_path / "runs" / "whole")
    shutil.copytree(sources_drawn, tmp_path / "runs" / "hurt")
    return tmp_path / "runs"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_listed_with_its_reason_and_hides_no_other(runs, damage):
    assert sorted(list_runs(runs).names) == ["hurt", "whole"]
    hurt, reason = DAMAGES[damage]
    hurt(runs / "hurt")
    listing = list_runs(runs)
    assert listing.names == ("whole",)
    assert [one.name for one in listing.unreadable] == ["hurt"]
    assert reason in listing.reason("hurt")
    studio = Studio(runs)
    with pytest.raises(RunError) as refused, studio.run("hurt"):
        pass
    assert reason in str(refused.value)
    shutil.rmtree(runs / "hurt")
    assert list_runs(runs).unreadable == ()


def test_a_locked_run_is_passed_over_until_it_is_free(runs):
    with contextlib.closing(sqlite3.connect(runs / "hurt" / "run.db")) as database:
        database.execute("PRAGMA journal_mode=DELETE")
        database.execute("BEGIN EXCLUSIVE")
        assert list_runs(runs).names == ("whole",)
        assert "locked" in list_runs(runs).reason("hurt")
        database.rollback()
    assert sorted(list_runs(runs).names) == ["hurt", "whole"]


def test_a_folder_copied_without_its_log_says_so(runs):
    with contextlib.closing(sqlite3.connect(runs / "hurt" / "run.db")) as writing:
        rows = writing.execute("SELECT key, value FROM state").fetchall()
        writing.execute("DELETE FROM state")
        writing.commit()
        writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        writing.executemany("INSERT INTO state VALUES (?, ?)", rows)
        writing.commit()  # in run.db-wal alone
        shutil.copytree(runs / "hurt", runs / "copy", ignore=shutil.ignore_patterns("run.db-*"))
        assert sorted(list_runs(runs).names) == ["hurt", "whole"]
        assert "copy both, or stop the run first" in list_runs(runs).reason("copy")


@pytest.mark.parametrize("damage", ["no prompts", "torn run.db", "torn run.yaml", "empty run.db"])
def test_a_damaged_run_hides_nothing_that_others_tell(runs, damage):
    config = load_config(runs / "whole" / "run.yaml")
    strengths, rate = source_strengths(runs, known_sources(runs)), measured_rate(runs, config)
    DAMAGES[damage][0](runs / "hurt")
    os.utime(runs / "hurt" / "run.yaml")  # the one that is looked at first
    (runs / "gone").mkdir()
    (runs / "gone" / "run.yaml").symlink_to(runs / "nowhere")
    found = source_strengths(runs, known_sources(runs))
    assert {uri: one.scores for uri, one in found.items()} == {uri: one.scores for uri, one in strengths.items()}
    assert all(one.run == "whole" for one in found.values())
    assert measured_rate(runs, config) == rate


class Query(dict):
    """What is in an address, as starlette has it."""

    def getlist(self, key):
        return [self[key]] if key in self else []


def answers(loads):
    """What the pages show when they are opened with nothing, with a run and with a damaged one."""
    LocalContext.in_event_listener.set(True)
    shown = []
    for query in ({}, {"run": "whole"}, {"run": "no run.db"}):
        request = SimpleNamespace(query_params=Query(query), username=None, request=None)
        for event in loads:
            asks = {"request": request, "kept": {}}
            given = {name: asks[name] for name in inspect.signature(event.fn).parameters}
            shown.append((event.page, str(event.fn(**given))))
    return shown


def test_every_page_opens_among_damaged_runs(runs):
    for damage, (hurt, _) in DAMAGES.items():
        hurt(shutil.copytree(runs / "whole", runs / damage))
    shutil.rmtree(runs / "hurt" / "images")
    os.utime(runs / "hurt" / "run.yaml")  # the newest, which pages show by themselves
    client = TestClient(build_app(runs, door_of(runs)), "http://localhost", headers=KEY)
    mounted = [
        route.app.get_blocks() for route in client.app.routes if hasattr(getattr(route, "app", None), "get_blocks")
    ]
    loads = [
        event
        for event in mounted[0].fns.values()
        if event.fn is not None and "load" in {kind for _, kind in event.targets}
    ]
    # As under Gradio: components are what changes of them. In a context of its own, for it would hold for later tests.
    shown = copy_context().run(answers, loads)
    assert {page for page, _ in shown} >= {"archive", "compare", "judge", "weak", "export"}
    notices = [found for _, found in shown if "lacks run.db" in found]
    listed = [notice for notice in notices if "Runs that cannot be read" in notice]
    assert len(listed) == 3  # the first page names each with its reason
    for _, reason in DAMAGES.values():
        assert all(reason in notice for notice in listed)
    assert len(notices) == 8  # the other five that show runs say it of the one that was asked for
