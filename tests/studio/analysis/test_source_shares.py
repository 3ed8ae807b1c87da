"""How much of a source is in a recipe: the same number for filter, tree and Weak spots."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.recipes.recipe import blend
from studio.analysis.selection import WallFilter, select_individuals
from studio.analysis.source_shares import mean_share, offspring_alive, source_shares
from studio.reports.drawings import COLOURS, family_tree
from studio.runs.individual import Individual
from studio.runs.store import now
from tests.studio.analysis.test_selection import PROMPTS


@pytest.fixture(scope="module")
def merged(family):
    """Gives a recipe over base, ja, flat and real from a row of weights for each chromosome."""

    def merge(attention, backbone):
        weights = {"attention": attention, "backbone": backbone}
        return blend(list(family.values()), weights, host={"default": "ja"}, name="0001")

    return merge


def test_the_parts_of_an_average_are_its_weights(merged):
    row = [0.5, 0.0, 0.0, 0.5]
    assert source_shares(merged(row, row)) == {"base": 0.5, "ja": 0.0, "flat": 0.0, "real": 0.5}


def test_task_arithmetic_holds_a_third_of_each(merged):
    row = [-1.0, 1.0, 1.0, 0.0]  # ja + flat - base
    assert source_shares(merged(row, row)) == {name: pytest.approx(1 / 3) for name in ("base", "ja", "flat")} | {
        "real": 0.0
    }


def test_chromosomes_count_by_their_size(merged, layouts):
    recipe = merged([0, 1, 0, 0], [0, 0, 0, 1])
    sizes = {name: layout.size for name, layout in layouts.items()}
    assert source_shares(recipe)["ja"] == pytest.approx(sizes["attention"] / sum(sizes.values()))


def test_nothing_is_made_of_weights_that_are_all_zero(merged):
    assert set(source_shares(merged([0] * 4, [0] * 4)).values()) == {0.0}


def test_filter_tree_and_weak_spots_agree_on_a_sum_of_differences(merged):
    row = [-1.0, 1.0, 1.0, 0.0]
    scores = {"ja": np.full((3, 1), 0.5)}
    child = Individual("0001", "ja", "flat", merged(row, row), scores, True, True, 1.0, now())
    parents = [
        replace(child, id=name, mother=None, father=None, recipe=merged(one, one))
        for name, one in (("ja", [0, 1, 0, 0]), ("flat", [0, 0, 1, 0]))
    ]
    everyone = [*parents, child]
    for source in ("base", "ja", "flat"):
        assert mean_share(offspring_alive(everyone), source) == pytest.approx(1 / 3)
        assert child in select_individuals(everyone, PROMPTS, WallFilter(source=source, share=0.33), {}, {})
    assert f"--of:{COLOURS[0]}" in family_tree("en", everyone, lambda id: id)  # three are as large; the first is base
