"""Small changes to the best of those alive: which weights change, by how much, and where."""

import numpy as np
import pytest

from pipelines.recipes.recipe import parse_recipe
from studio.breeding.initial_population import source_recipes
from studio.breeding.nudges import BEST, FARTHEST, Nudges
from studio.breeding.variation import RecipeCrossover
from studio.errors import ConfigError
from studio.evolution.archive import Archive
from studio.runs.config import checked, embedded

MEANS = (0.1, 0.6, 0.3, 0.5, 0.4)


@pytest.fixture(scope="module")
def config():
    return embedded(seed=1, archive=5, breeding={"foresight": 0.75, "nudges": True})


@pytest.fixture(scope="module")
def sources(config, family):
    return list(source_recipes(config, family).values())


@pytest.fixture(scope="module")
def crossover(config, family, sources):
    return RecipeCrossover(config, family, sources[0])


@pytest.fixture
def alive(sources, crossover):
    """Five individuals, from the worst to the best 0, 2, 4, 3, 1."""
    archive, recipes, rng = Archive(5), {}, np.random.default_rng(0)
    for number, mean in enumerate(MEANS):
        recipe = crossover(sources[number % 4], sources[(number + 1) % 4], rng, number=number)
        recipes[recipe.name] = recipe
        archive.insert(recipe.name, [mean, mean + 0.01 * number])
    return archive, recipes


def rows(recipe, name):
    """Weights at 1,000 places along a chromosome, float64 [places, sources]."""
    chromosome = recipe.chromosomes[name]
    stops = np.array([segment.stop for segment in chromosome.segments])
    weights = np.array([segment.weights for segment in chromosome.segments])
    return weights[np.searchsorted(stops, np.linspace(0, chromosome.size - 1, 1000), side="right")]


def test_a_nudge_moves_one_of_the_best_towards_one_source_in_one_stretch(config, family, sources, crossover, alive):
    archive, recipes = alive
    nudges, rng = Nudges(crossover, sources), np.random.default_rng(5)
    mothers, fathers, places, widths = set(), set(), set(), []
    for number in range(120):
        one = nudges.breed(archive, recipes, rng, number)
        assert one.genome.name == f"{number:04d}"
        assert (one.genome.lineage.mother, one.genome.lineage.father) == (one.mother, one.father)
        mothers.add(one.mother)
        fathers.add(one.father)
        at = [source.name for source in sources].index(one.father)
        for name in one.genome.chromosomes:
            before, after = rows(recipes[one.mother], name), rows(one.genome, name)
            changed = np.flatnonzero((np.abs(after - before) > 1e-9).any(axis=1))
            if not len(changed):
                continue
            assert len(changed) == changed[-1] - changed[0] + 1
            places.add((bool(changed[0] == 0), bool(changed[-1] == 999)))
            widths.append(len(changed))
            ahead = (before[:, at] < 1)[changed]
            assert (after[changed, at] > before[changed, at])[ahead].all()
            ratios = one.genome.lineage.ratios[name]
            assert 0 < max(ratios) < FARTHEST
            assert sorted(ratios)[:-1] == [0.0] * (len(ratios) - 1)
        assert parse_recipe(one.genome.to_json(), where="a nudge").digest == one.genome.digest
    assert mothers == {"0001", "0003", "0004"}
    assert len(mothers) == BEST
    assert fathers == {source.name for source in sources}
    assert {(True, False), (False, True), (False, False)} <= places
    assert 200 < np.mean(widths) < 800


def test_the_same_numbers_give_the_same_nudge(sources, crossover, alive):
    nudges = Nudges(crossover, sources)
    first, second = (nudges.breed(*alive, np.random.default_rng(9), 3) for _ in range(2))
    assert first.genome == second.genome


def test_nudges_are_nobodys_choice_without_foresight():
    with pytest.raises(ConfigError, match="nudges are chosen by foresight"):
        checked({**embedded().model_dump(), "breeding": {"nudges": True}})
