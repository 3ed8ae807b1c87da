"""Intervals and verdicts of the search benchmark, by hand."""

import numpy as np
import pytest

from benchmarks.progress import evaluations_to
from benchmarks.search.report import summarise, with_verdicts
from benchmarks.search.statistics import crossed, holm, over_seeds
from benchmarks.search.thrift import raced, thrift

SEEDS = range(5)


def test_intervals_by_hand():
    """Mean squares: seeds 2 * 0.125 = 0.25, prompts 2 * 0.125 = 0.25, rest 0; one degree of freedom times four."""
    found = crossed([[0.0, 0.5], [0.5, 1.0]])
    error = np.sqrt((0.25 + 0.25) / 4)
    assert found.mean == 0.5
    assert (found.low, found.high) == pytest.approx((0.5 - 2.776445 * error, 0.5 + 2.776445 * error))  # t of 4: 2.776
    assert found.p == pytest.approx(0.230200, abs=1e-6)  # t = sqrt(2), 4 degrees: 2 P(T > 1.414)


def test_of_one_seed_and_of_equal_seeds():
    row = np.random.default_rng(0).random(96)
    error = row.std(ddof=1) / np.sqrt(96)
    one, same = crossed([row]), crossed([row, row, row])
    assert one.high - one.mean == pytest.approx(1.985251 * error)  # t of 95
    assert same.high - same.mean == pytest.approx(1.959964 * error)  # seeds add nothing: the normal distribution
    assert crossed([[0.5, 0.5], [0.5, 0.5]]).p == 0.0
    assert crossed([[0.0, 0.0]]).p == 1.0


@pytest.mark.parametrize(("by_seed", "by_prompt"), [(0.02, 0.02), (0.02, 0.1), (0.005, 0.1)])
def test_five_seeds_cover_the_truth_as_often_as_they_say(by_seed, by_prompt):
    rng, hits, tables = np.random.default_rng(1), 0, 2000
    for _ in range(tables):
        table = rng.normal(0, by_seed, (5, 1)) + rng.normal(0, by_prompt, (1, 96)) + rng.normal(0, 0.05, (5, 96))
        found = crossed(table)
        hits += found.low < 0 < found.high
    assert 0.935 < hits / tables < 0.97  # a bootstrap of five seeds covers 0.87 to 0.93


def test_p_values_are_adjusted_for_their_number():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def made(ja, en=0.3):
    held_out = {"ja": [ja, ja + 0.1], "en": [en, en], "consistency": [0.5, 0.5]}
    return {"curve": [0.2, ja], "held_out": held_out, "cmmd": 1.0, "cost": 1}


def rows(ja, en=0.3, *, seeds=SEEDS):
    """Runs that differ from seed to seed by a thousandth."""
    return {seed: made(ja + 0.001 * (seed % 3), en) for seed in seeds}


@pytest.mark.parametrize(
    ("ja", "en", "verdict"),
    [
        (0.4, 0.3, "wins"),
        (0.4, 0.2, "wins in Japanese alone"),
        (0.299, 0.9, "undecided"),
        (0.2, 0.9, "loses"),
    ],
)
def test_verdicts(ja, en, verdict):
    reference = {seed: made(0.3 + 0.01 * seed) for seed in SEEDS}
    runs = {seed: made(ja + 0.012 * seed, en) for seed in SEEDS}  # 0.002 more from seed to seed, spread 0.003
    (found,) = with_verdicts([summarise("beta", runs, reference)])
    assert found.verdict == verdict
    assert found.over["ja"].mean == pytest.approx(ja - 0.3 + 0.004)
    assert summarise("m2n2", reference, reference).verdict == ""


def test_four_seeds_give_no_verdict():
    (found,) = with_verdicts([summarise("beta", rows(0.9, seeds=range(4)), rows(0.3))])
    assert found.verdict == "too few seeds"
    (once,) = with_verdicts([summarise("average", {0: made(0.9)}, rows(0.3))])  # no seed changes an average
    assert once.verdict == "wins"


def test_one_of_many_needs_more_to_win():
    reference = {seed: made(0.3) for seed in SEEDS}
    runs = {seed: made(0.3 + [0.01, 0.03, 0.05, 0.03, 0.01][seed]) for seed in SEEDS}
    one = summarise("beta", runs, reference)
    assert one.over["ja"].p == pytest.approx(0.02548, abs=1e-5)  # mean 0.026, standard error 0.00748, t of 4
    assert [found.verdict for found in with_verdicts([one])] == ["wins"]
    others = [summarise("step", reference, reference)] * 2
    assert [found.verdict for found in with_verdicts([one, *others])] == ["undecided"] * 3  # three times 0.025


def test_differences_pair_the_seeds_that_both_have():
    reference = {0: made(0.3), 1: made(0.5), 2: made(0.7)}
    assert summarise("beta", {1: made(0.6)}, reference).over["ja"].mean == pytest.approx(0.1)
    assert summarise("average", {0: made(0.4)}, reference).over["ja"].mean == pytest.approx(-0.1)  # 0.4 for all three
    assert summarise("beta", {7: made(0.6)}, reference).over == {}


def test_judge_after_fifty_evaluations():
    one, two = ({**made(0.3), "curve": [start + 0.001 * n for n in range(60)]} for start in (0.2, 0.3))
    assert summarise("beta", {0: one, 1: two}, {}).early == pytest.approx((0.249 + 0.349) / 2)
    assert summarise("bilingual", {0: {**one, "cost": 2}}, {}).early == pytest.approx(0.224)  # 25 individuals
    assert summarise("ties", {0: {**one, "curve": [0.3] * 49}}, {}).early is None
    assert summarise("rotation", {0: one}, {}).judge is None  # its noise changes
    assert summarise("references", {0: one}, {}).judge is None  # its fitness is another


def test_an_interval_over_seeds_by_hand():
    found = over_seeds([0.1, 0.2, 0.3])
    assert found.mean == pytest.approx(0.2)
    assert found.high - found.mean == pytest.approx(4.302653 * 0.1 / np.sqrt(3))  # t of 2 degrees of freedom
    assert over_seeds([0.1, 0.1]).p == 0.0


def test_pictures_until_a_score():
    assert evaluations_to([0.1, 0.3, 0.4], 0.3) == 2
    assert evaluations_to([0.1, 0.3, 0.4], 0.5) is None

    def runs(*curves):
        return {seed: {"curve": curve, "niches": 10, "evaluations": 3} for seed, curve in enumerate(curves)}

    found = {
        "m2n2": runs([0.1, 0.2, 0.3], [0.1, 0.4, 0.5], [0.1, 0.1, 0.4]),  # 0.4 on the mean, in the end
        "cma-es": runs([0.4, 0.4, 0.4], [0.1, 0.4, 0.6], [0.1, 0.2, 0.8]),
        "average": runs([0.1]),
        "random": runs([0.1, 0.2, 0.3]),
    }
    lines = [line for line in thrift(found) if line.startswith("|")]
    assert lines[2:] == [
        "| M2N2 | 3 | 30 (20 to more than 30) |  |  |  |  |",
        "| CMA-ES | 3 | 20 (10 to 30) |  |  |  | +0.200 [-0.230, +0.630] |",
        "| random weights | 1 | more than 30 (more than 30 to more than 30) |  |  |  |  |",
    ]
    assert thrift({"average": found["average"]}) == []
    assert thrift(found, "elsewhere")[1] == "## elsewhere"


def test_what_racing_has_come_to_is_added_up_over_runs():
    race = {"children": 100, "entered": 50, "given_up": 40, "audited": 2, "missed": 1}
    lines = raced([{"method": "racing", "race": race}, {"method": "racing", "race": race}, {"method": "m2n2"}])
    assert lines[1:] == [
        "foresight with nudges, raced: of 200 children that were raced 80 were given up; of 4 more that would have "
        "been, and were drawn to the end to see, 2 entered."
    ]
    assert raced([{"method": "m2n2"}]) == []
