"""What winners are made of, and differences between any two rows, by hand."""

import pytest
from numpy.testing import assert_allclose

from benchmarks.search.contrasts import contrast, contrasts
from benchmarks.search.shares import shares, shares_by_quarter, shares_within, source_shares

#: A quarter of the attention has both sources alike, the rest the second alone; the backbone has three to one.
WINNER = {"attention": [[1, [0.5, 0.5]], [4, [0.0, 1.0]]], "backbone": [[10, [0.75, 0.25]]]}


def run(ja, seed=0, winner=WINNER):
    return {"seed": seed, "winner": winner, "held_out": {"ja": [ja, ja + 0.1], "en": [0.3, 0.5], "consistency": [1, 1]}}


def test_shares_are_means_over_places_then_over_chromosomes():
    assert source_shares(WINNER, 2) == pytest.approx([(0.125 + 0.75) / 2, (0.875 + 0.25) / 2])


def test_the_page_ends_with_the_most_that_any_winner_has():
    other = {"attention": [[4, [1.0, 0.0]]], "backbone": [[10, [1.0, 0.0]]]}
    lines = shares({"m2n2": {0: run(0.4), 1: run(0.4, 1, other)}, "average": {0: run(0.3)}}, ["base", "ja"])
    assert lines[-2:] == ["| M2N2 | 0.72 | 0.28 |", "| the most of any | 1.00 | 0.56 |"]
    assert shares({"average": {0: run(0.3)}}, ["base", "ja"]) == []


def test_shares_of_parts_are_means_over_their_places():
    """The first part has two places of the first source, one of the second and one that is half of each."""
    segments = [[2, [1.0, 0.0]], [3, [0.0, 1.0]], [8, [0.5, 0.5]]]
    assert_allclose(shares_within(segments, 2, parts=2), [[(2 + 0.5) / 4, (1 + 0.5) / 4], [0.5, 0.5]])


def test_the_page_says_what_a_quarter_holds():
    lines = shares_by_quarter({"m2n2": {0: run(0.4)}, "cma-es": {0: run(0.4)}}, ["base", "ja"])
    assert lines[-8:-6] == ["| M2N2 | attention | 1 | 0.50 | 0.50 |", "| M2N2 | attention | 2 | 0.00 | 1.00 |"]
    assert lines[-1] == "| M2N2 | backbone | 4 | 0.75 | 0.25 |"
    assert shares_by_quarter({"cma-es": {0: run(0.4)}}, ["base", "ja"]) == []


def test_a_difference_is_paired_by_the_seeds_that_both_have():
    found = contrast({0: run(0.4), 1: run(0.5, 1)}, {1: run(0.45, 1), 2: run(0.2, 2)}, "ja")
    assert found is not None
    assert found.mean == pytest.approx(0.05)
    assert contrast({0: run(0.4)}, {1: run(0.4, 1), 2: run(0.4, 2)}, "ja") is None


def test_a_single_run_stands_for_all_seeds():
    found = contrast({0: run(0.4), 1: run(0.5, 1)}, {0: run(0.3)}, "ja")
    assert found is not None
    assert found.mean == pytest.approx(0.15)


def test_the_best_search_stands_beside_the_average_and_depth_beside_whole_chromosomes():
    runs = {
        "average": {0: run(0.3)},
        "m2n2": {0: run(0.4)},
        "cma-es": {0: run(0.41)},
        "cma-es-quarters": {0: run(0.45)},
    }
    rows = [line.split(" | ")[:3] for line in contrasts(runs)[6:]]
    assert [[one.strip("| ") for one in row] for row in rows] == [
        ["CMA-ES, quarters", "uniform average", "+0.150 [+0.150, +0.150]"],
        ["CMA-ES, quarters", "M2N2", "+0.050 [+0.050, +0.050]"],
        ["CMA-ES, quarters", "CMA-ES", "+0.040 [+0.040, +0.040]"],
    ]
