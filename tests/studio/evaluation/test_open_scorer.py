"""Scorers opened by name: where they wait, and whether one is the same as before."""

import dataclasses

import pytest

from eval.scorers.clip import ClipScorer
from pipelines.generation.devices import best_device
from pipelines.generation.live_pipeline import LivePipeline
from studio.breeding.initial_population import source_recipes
from studio.evaluation.open_scorer import open_scorer, scorer_change, unpark_beside
from studio.runs.inputs import open_run_sources


@pytest.fixture(scope="module")
def scorer(small_config):
    return open_scorer(small_config.scorer)


def test_it_waits_beside_an_accelerator_until_the_plan_has_room(small_config, scorer):
    assert scorer.name == small_config.scorer
    assert scorer.parked == (best_device().type != "cpu")
    sources = open_run_sources(small_config)
    pipeline = LivePipeline(next(iter(source_recipes(small_config, sources).values())), sources)
    # "cpu:0" is another device than "cpu" to torch, and the same memory
    guest = ClipScorer(small_config.scorer, device="cpu:0", parked=True)
    pipeline.plan = dataclasses.replace(pipeline.plan, scorer="parked")
    unpark_beside(guest, pipeline)
    assert guest.parked
    pipeline.plan = dataclasses.replace(pipeline.plan, scorer="beside")
    unpark_beside(guest, pipeline)
    assert not guest.parked


def test_the_same_scorer_may_have_been_moved(scorer):
    assert scorer_change({**scorer.identity, "name": "local-dir:/elsewhere"}, scorer) is None
    assert scorer_change({}, scorer) is None
    assert scorer_change({"name": "unknown"}, scorer) is None


def test_another_scorer_is_told_by_what_differs(scorer):
    before = {**scorer.identity, "name": "judge", "context_length": 5}
    now = scorer.identity["context_length"]
    assert scorer_change(before, scorer) == f"was scored by judge with context_length 5; now that is {now}."
    assert scorer_change({"name": "judge", "dialect": "Kansai"}, scorer).endswith("now that is None.")


def test_another_device_may_compute_in_another_precision(scorer):
    before = {**scorer.identity, "autocast": "bfloat16"}
    assert "autocast" in scorer_change(before, scorer)
    assert scorer_change(before, scorer, same_device=False) is None
