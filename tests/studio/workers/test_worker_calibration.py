"""Workers on devices of several kinds: compared by what they score of the same, and refused where that is too far."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from eval.prompts.prompt_set import load_prompts
from studio.breeding.initial_population import source_recipes
from studio.errors import RunError
from studio.evaluation.evaluator import DrawingConditions
from studio.evaluation.open_scorer import open_scorer
from studio.evaluation.worker import EvaluationRequest
from studio.jobs.worker_account import WorkerIdentity
from studio.jobs.worker_kinds import KindsCompared
from studio.runs.inputs import open_run_sources
from studio.runs.noise import Noise
from studio.workers import process_slot
from studio.workers.process_slot import process_pool
from studio.workers.worker_calibration import TOLERANCE, WorkerCalibration
from tests.half_workers import HALF, WHOLE, open_whole_or_half
from tests.processes import FORKED
from tests.stand_in_workers import Devices

HERE, THERE = WorkerIdentity("a", "H100", "bfloat16"), WorkerIdentity("b", "T4", "float16")


def scored(*rows):
    return SimpleNamespace(scores=SimpleNamespace(scores=np.array(rows)))


def never(request):
    pytest.fail("drew, and need not")


def test_the_first_of_each_kind_draws_and_the_largest_difference_decides():
    kept = []
    calibration = WorkerCalibration(None, None, kept.append, tolerance=0.01)
    calibration.check(HERE, lambda request: scored([0.5], [0.25]))
    calibration.check(HERE, never)
    calibration.check(THERE, lambda request: scored([0.505], [0.2425]))
    calibration.check(THERE, never)
    assert kept[-1].reference == "H100, bfloat16"
    assert kept[-1].differences == {"T4, float16": pytest.approx(0.0075)}
    half = WorkerIdentity("c", "H100", "float16")
    for evaluate in (lambda request: scored([0.5], [0.2625]), never):  # refused again, and not drawn again
        with pytest.raises(RunError, match=r"on c draws with H100, float16: .* up to 0.0125 from those of H100,"):
            calibration.check(half, evaluate)
    with pytest.raises(RunError, match="up to nan"):
        calibration.check(WorkerIdentity("d", "broken", "float16"), lambda request: scored([0.5], [np.nan]))
    resumed = WorkerCalibration(None, KindsCompared.model_validate(kept[-1].model_dump()), kept.append)
    resumed.check(THERE, never)


@pytest.mark.slow
def test_a_worker_in_half_precision_is_measured_and_refused_where_less_is_allowed(
    small_config, fewer_prompts, monkeypatch
):
    """Two real workers, of which one draws in bfloat16."""
    monkeypatch.setattr(process_slot, "PROCESSES", FORKED)
    sources = open_run_sources(small_config)
    recipe = next(iter(source_recipes(small_config, sources).values()))
    conditions = DrawingConditions(small_config.pictures, Noise(1))
    request = EvaluationRequest(recipe, load_prompts(fewer_prompts), "ja", conditions)
    opener = partial(open_whole_or_half, small_config, open_scorer(small_config.scorer).identity)
    for tolerance, workers in ((TOLERANCE, 2), (1e-9, 1)):
        kept = []
        calibration = WorkerCalibration(request, None, kept.append, tolerance=tolerance)
        with (
            closing(process_pool(opener, [WHOLE], devices=Devices(HALF), calibration=calibration)) as pool,
            ThreadPoolExecutor(2) as threads,
        ):
            pool.evaluate(request)
            pool.resize(2)
            list(threads.map(pool.evaluate, [request, request]))
            assert kept[-1].reference.endswith("float32")
            ((kind, difference),) = kept[-1].differences.items()
            assert kind.endswith("bfloat16")
            assert 0 < difference < TOLERANCE
            assert len(pool.status.workers) == workers
            assert ["calibration prompts" in one.reason for one in pool.status.failures] == [True] * (2 - workers)
