"""Intervals and verdicts of the search benchmark, by hand."""

import numpy as np
import pytest

from benchmarks.search_report import Summary, crossed_bootstrap, summarise
from eval.metrics import Estimate, paired_bootstrap


def test_intervals_cover_seeds_and_prompts():
    flat = crossed_bootstrap([[0.5, 0.5], [0.5, 0.5]])
    assert (flat.mean, flat.low, flat.high) == pytest.approx((0.5, 0.5, 0.5))
    by_prompt = crossed_bootstrap([[0, 1], [0, 1]])  # of two prompts both, one or the other: means 0, 1/2, 1/2, 1
    assert (by_prompt.mean, by_prompt.low, by_prompt.high) == (0.5, 0, 1)
    by_seed = crossed_bootstrap([[0, 0], [1, 1]])
    assert (by_seed.mean, by_seed.low, by_seed.high) == (0.5, 0, 1)
    one_seed = np.random.default_rng(0).random(96)
    ours, usual = crossed_bootstrap([one_seed]), paired_bootstrap(one_seed, np.zeros(96))
    assert (ours.low, ours.high) == pytest.approx((usual.low, usual.high), abs=0.003)


def made(ja, en=0.3):
    held_out = {"ja": [ja, ja + 0.1], "en": [en, en], "consistency": [0.5, 0.5]}
    return {"curve": [0.2, ja], "held_out": held_out, "cmmd": 1.0, "cost": 1}


@pytest.mark.parametrize(
    ("ja", "en", "verdict"),
    [
        (0.4, 0.3, "wins"),
        (0.4, 0.2, "wins in Japanese alone"),
        (0.3, 0.9, "even"),
        (0.2, 0.9, "loses"),
    ],
)
def test_verdicts(ja, en, verdict):
    reference = {0: made(0.3), 1: made(0.3)}
    found = summarise("beta", {0: made(ja, en), 1: made(ja, en)}, reference)
    assert found.verdict == verdict
    assert found.over["ja"].mean == pytest.approx(ja - 0.3)
    assert summarise("m2n2", reference, reference).verdict == ""


def test_differences_pair_the_seeds_that_both_have():
    reference = {0: made(0.3), 1: made(0.5), 2: made(0.7)}
    assert summarise("beta", {1: made(0.6)}, reference).over["ja"].mean == pytest.approx(0.1)
    assert summarise("average", {0: made(0.4)}, reference).over["ja"].mean == pytest.approx(-0.1)  # 0.4 for all three
    assert summarise("beta", {7: made(0.6)}, reference).over == {}


def test_verdict_needs_an_interval_apart_from_zero():
    unsure = {"ja": Estimate(0.1, -0.01, 0.2), "en": Estimate(0.1, 0.0, 0.2), "consistency": Estimate(0, 0, 0)}
    assert Summary("beta", 5, 0.3, None, unsure, (1.0, 1.0, 1.0), unsure).verdict == "even"


def test_judge_after_fifty_evaluations():
    one, two = ({**made(0.3), "curve": [start + 0.001 * n for n in range(60)]} for start in (0.2, 0.3))
    assert summarise("beta", {0: one, 1: two}, {}).early == pytest.approx((0.249 + 0.349) / 2)
    assert summarise("bilingual", {0: {**one, "cost": 2}}, {}).early == pytest.approx(0.224)  # 25 individuals
    assert summarise("ties", {0: {**one, "curve": [0.3] * 49}}, {}).early is None
