"""Runs on the embedded family: the loop, its record, and that a killed run ends as if nothing had happened."""

import gc
import random
import signal
import sqlite3
import time
import weakref

import numpy as np
import pytest

from eval.scorers.clip import ClipScorer
from studio.analysis.lineage import lineage
from studio.errors import RunError
from studio.evolution.archive import Archive
from studio.execution import control
from studio.execution.creation import create_run
from studio.execution.lifecycle import stop_on_signal
from studio.execution.picture_task import STRIP
from studio.reports.drawings import depth_strip
from studio.runs.config import checked
from studio.runs.status import is_running, locked
from studio.runs.store import open_run
from studio.runs.summary import run_json, status
from tests.conftest import stop_with, without_report
from tests.processes import FORKED, command
from tests.studio.conftest import archive_of


@pytest.fixture
def finished(bred):
    return bred


def test_everyone_is_recorded(finished, small_config):
    everyone = finished.individuals()
    assert [one.id for one in everyone] == ["base", "ja", "flat", "real", "0001", "0002", "0003", "0004"]
    assert sum(one.alive for one in everyone) == small_config.archive
    for one in everyone:
        assert one.scores["ja"].shape == (5, 1)
        assert ("en" in one.scores) == ("consistency" in one.scores) == one.entered
        assert all(((values >= 0) & (values <= 1)).all() for values in one.scores.values())


def test_the_archive_is_what_replaying_the_scores_gives(finished, small_config):
    archive = Archive(small_config.archive, alpha=small_config.alpha)
    for one in finished.individuals():
        archive.insert(one.id, one.scores["ja"].mean(axis=1))
    assert list(archive.ids) == [one.id for one in finished.individuals() if one.alive]


def test_pictures_are_kept_with_their_data(finished):
    from PIL import Image

    for one in finished.individuals():
        assert len(finished.images(one.id)) == (10 if one.entered else STRIP)
    picture = Image.open(finished.images("ja")[0])
    assert '"individual": "ja"' in picture.text["m2n2"]
    assert picture.size == (64, 64)


def test_results_compare_the_child_with_every_source(finished):
    found = run_json(finished)
    assert list(found["results"]) == ["base", "ja", "flat", "real", "average", "child"]
    for row in found["results"].values():
        for estimate in row.values():
            assert estimate["low"] <= estimate["mean"] <= estimate["high"]
    best = max(found["results"][name]["ja"]["mean"] for name in ("base", "ja", "flat", "real"))
    gap = found["results"]["child"]["ja"]["mean"] - best
    assert found["comparisons"]["child_minus_best_source"]["ja"]["mean"] == pytest.approx(gap)
    assert found["comparisons"]["per_category_best"] >= best
    assert found["as_shipped"]["ja"] == found["results"]["ja"]  # the host's own text encoders are what the run uses
    assert found["as_shipped"]["flat"] != found["results"]["flat"]


def test_status_and_lineage(finished):
    assert status(finished)["status"] == "done"
    assert (status(finished)["done"], status(finished)["of"]) == (4, 4)
    ancestors = [one.id for one in lineage(finished, "0004")]
    assert ancestors[0] == "0004"
    assert set(ancestors) <= {"base", "ja", "flat", "real", "0001", "0002", "0003", "0004"}
    with pytest.raises(RunError, match="no individual '9999'. Alive in it: "):
        lineage(finished, "9999")


def test_a_run_moves_as_a_whole(finished, tmp_path):
    moved = finished.folder.rename(tmp_path / "moved")
    try:
        assert archive_of(open_run(moved)) == archive_of(finished)
    finally:
        moved.rename(finished.folder)


def test_stop_and_resume_equal_the_uninterrupted_run(finished, small_config, tmp_path):
    store = create_run(tmp_path / "run", small_config)

    control.carry_out(store, stop_with(5))
    assert status(store)["status"] == "stopped"
    assert len(store.individuals()) == 5
    control.carry_out(store)
    assert archive_of(store) == archive_of(finished)


@pytest.mark.slow
def test_four_kills_change_nothing(finished, small_config, tmp_path):
    """SIGKILL at four random moments: all ends as the uninterrupted run's, bit for bit. `make soak` has more."""
    store = create_run(tmp_path / "run", small_config)
    moments = random.Random(11)
    resume = ["evolve", "--resume", "--out", store.folder]
    for _ in range(4):
        process = FORKED.Process(target=command, args=(resume,))
        process.start()
        while not is_running(store) and process.is_alive():
            time.sleep(0.05)
        time.sleep(moments.uniform(0, 3))
        process.kill()
        process.join()
        assert process.exitcode in (-signal.SIGKILL, 0)
        assert status(store)["status"] in ("new", "interrupted", "done")
    process = FORKED.Process(target=command, args=(resume,))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert archive_of(store) == archive_of(finished)


def test_one_process_at_a_time(finished):
    with locked(finished):
        assert is_running(finished)
        with pytest.raises(RunError, match="another process"):
            control.carry_out(finished)
    assert not is_running(finished)


def test_a_run_ended_early_and_given_more_equals_the_one_that_had_it_at_once(finished, small_config, tmp_path):
    store = create_run(tmp_path / "run", small_config)
    control.carry_out(store, lambda store: control.finish(store) if store.count() == 2 else None)
    assert (status(store)["status"], status(store)["done"]) == ("done", 2)
    assert store.state.results["child"]["ja"]["mean"] > 0
    with pytest.raises(RunError, match="has made 2 offspring. Expected a budget of at least as many, found 1"):
        control.extend(store, 1)
    control.extend(store, 4)
    for key in ("results", "child", "realism", "report_keys"):  # those were of another child
        assert getattr(store.state, key) is None
    control.carry_out(open_run(store.folder))
    assert archive_of(store) == archive_of(finished)


def test_a_fork_begins_with_the_archive_of_its_run(finished, small_config, tmp_path):
    alive = [one for one in finished.individuals() if one.alive and not one.is_source]
    changed = {"start": str(finished.folder), "evaluations": len(alive) + 1, "seed": 9}
    store = create_run(tmp_path / "fork", checked({**small_config.model_dump(), **changed}))
    control.carry_out(store, without_report)
    first = store.individuals()[4:]
    assert [one.recipe.chromosomes for one in first[:-1]] == [one.recipe.chromosomes for one in alive]
    assert [one.scores["ja"].tobytes() for one in first[:-1]] == [one.scores["ja"].tobytes() for one in alive]


def test_the_scorer_of_fitness_is_gone_before_the_one_that_reports_is_opened(pair_config, tmp_path, monkeypatch):
    """The two need not fit into the memory together."""
    build, models, still_there = ClipScorer.__init__, [], []

    def counted(self, name, **options):
        gc.collect()
        still_there.append(sum(model() is not None for model in models))
        build(self, name, **options)
        models.append(weakref.ref(self._model))

    monkeypatch.setattr(ClipScorer, "__init__", counted)
    store = create_run(tmp_path / "run", pair_config.model_copy(update={"evaluations": 0}))
    control.carry_out(store)
    assert still_there == [0, 0]
    assert store.state.reporter["name"] == pair_config.reporter
    store.close()


def test_ctrl_c_amid_a_transaction_waits_for_nobody(small_config, tmp_path):
    """The handler runs between two lines of whatever the run does, here with the database locked by the run itself."""
    store = create_run(tmp_path / "run", small_config)
    store.update(stop=False)
    with stop_on_signal(store):
        with sqlite3.connect(store.folder / "run.db") as writing:
            writing.execute("BEGIN IMMEDIATE")
            signal.raise_signal(signal.SIGINT)
            assert not store.state.stop
        writing.close()
        deadline = time.monotonic() + 60
        while not store.state.stop and time.monotonic() < deadline:
            time.sleep(0.05)
    assert store.state.stop
    store.close()


def test_cross_attention_can_be_taken_from_one_source(pair_config, tmp_path):
    groups = {"self_attention": ["*.attn1.*"], "cross_attention": ["*.attn2.*"]}
    changes = {"chromosomes": groups, "frozen": {"cross_attention": "ja"}, "evaluations": 2}
    store = create_run(tmp_path / "run", checked({**pair_config.model_dump(), **changes}))
    control.carry_out(store)
    assert status(store)["status"] == "done"
    for one in store.individuals():
        assert one.recipe.shares["cross_attention"]["ja"] == 1
        assert set(one.recipe.chromosomes) == {"self_attention", "cross_attention", "rest"}
    assert "Cross-attention" in depth_strip("en", store.individual("0001"))
    store.close()


def test_text_encoders_can_be_merged_too(pair_config, tmp_path):
    config = pair_config.model_copy(update={"merge_text_encoders": True, "evaluations": 1})
    store = create_run(tmp_path / "run", config)
    control.carry_out(store, without_report)
    assert set(store.individual("0001").recipe.chromosomes) == {
        "attention",
        "backbone",
        "text_encoder",
        "text_encoder_2",
    }


def test_an_archive_of_two_hundred_takes_little_room(finished, small_config, tmp_path):
    """Deep recipes, 64 prompts: under 5 MB without pictures."""
    import dataclasses

    from pipelines.recipes.chromosome import Segment

    store = create_run(tmp_path / "run", small_config)
    one = finished.individual("0004")
    rng = np.random.default_rng(0)
    deep = {
        name: part.model_copy(
            update={
                "segments": tuple(
                    Segment(stop=int(stop), weights=tuple(rng.random(4)))
                    for stop in [*np.linspace(1, part.size - 1, 11).astype(int), part.size]
                )
            }
        )
        for name, part in one.recipe.chromosomes.items()
    }
    recipe = one.recipe.model_copy(update={"chromosomes": deep})
    scores = {kind: rng.random((64, 1)) for kind in ("ja", "en", "consistency")}
    for number in range(200):
        store.record([dataclasses.replace(one, id=f"{number:04d}", recipe=recipe, scores=scores)], {}, ["0000"])
    store.close()
    assert sum(file.stat().st_size for file in store.folder.glob("run.db*")) < 5_000_000
