"""Models that look alike are told from their scores, on tables that a reader can check by hand."""

import dataclasses

import numpy as np
import pytest

from pipelines.recipes.recipe import blend
from studio.analysis.look_alikes import LOOK_ALIKE, alive_alike, fold_look_alikes
from studio.runs.individual import Individual
from studio.runs.store import now

# The sources' distance is (0.4 + 0.4) / 2 = 0.4, so that 0.03 apart is the limit.
TABLE = {
    "cat": [0.6, 0.2],
    "dog": [0.2, 0.6],
    "best": [0.60, 0.50],
    "twin": [0.59, 0.49],  # 0.01 from the best
    "third": [0.55, 0.48],  # 0.035 from the best: told apart; 0.025 from the twin, who is not shown
    "near": [0.56, 0.47],  # 0.035 from the best, 0.025 from the twin, 0.01 from the third
}


@pytest.fixture(scope="module")
def models(family):
    recipe = blend(list(family.values()), {"attention": [0.25] * 4, "backbone": [0.25] * 4}, host={"default": "ja"})
    return {
        name: Individual(name, None, None, recipe, {"ja": np.array(row)[:, np.newaxis]}, True, True, 1.0, now())
        for name, row in TABLE.items()
    }


def looks(models, ordered, sources=("cat", "dog"), apart=()):
    found = fold_look_alikes([models[name] for name in ordered], [models[name] for name in sources], apart)
    return {look.shown.id: [one.id for one in look.folded] for look in found}


def test_each_joins_the_first_before_it_that_it_looks_like(models):
    assert pytest.approx(0.03) == LOOK_ALIKE * 0.4
    found = looks(models, ["best", "twin", "third", "near", "cat", "dog"])
    assert found == {"best": ["twin"], "third": ["near"], "cat": [], "dog": []}
    assert looks(models, ["twin", "third", "best"]) == {"twin": ["third", "best"]}


def test_who_is_to_be_seen_in_any_case_stands_for_itself(models):
    assert looks(models, ["best", "twin", "near"], apart={"twin"}) == {"best": [], "twin": ["near"]}


def test_a_run_has_settled_where_all_alive_look_alike(models):
    sources = [dataclasses.replace(models[name], mother=None, alive=False) for name in ("cat", "dog")]
    children = [dataclasses.replace(models[name], mother="cat", father="dog") for name in ("twin", "third", "best")]
    assert alive_alike([*sources, *children]) == 0  # the third is 0.035 from the best
    children[1] = dataclasses.replace(children[0], id="same")
    assert alive_alike([*sources, *children]) == alive_alike([*children, *sources][::-1]) == 3
    assert alive_alike([*sources, *children[:2]]) == 0  # two are too few to say so


def test_without_two_sources_nothing_is_folded(models):
    assert looks(models, ["best", "twin"], sources=["cat"]) == {"best": [], "twin": []}
    assert looks(models, []) == {}
