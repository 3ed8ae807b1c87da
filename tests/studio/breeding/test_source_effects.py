"""What more of a source in one half changes: three networks, of which one in its first half is known to help food."""

from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from pipelines.recipes.chromosome import Segment
from studio.breeding.expected_scores import ScoreExpectation
from studio.breeding.initial_population import average_recipe
from studio.breeding.source_effects import STEP, Effect, source_effects
from studio.networks.config import AnyConfig
from studio.runs.individual import Individual
from tests.networks import network

SIZE = 600  # elements
GAIN = 0.4  # of food, from nothing of the first source in the first half to nothing else
NOISE = 0.005  # of every score, one standard deviation
GROUPS = ("food", "food", "animals")


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Sixty blends, each half of its own; the third is the average."""
    rng, folder = torch.Generator().manual_seed(0), tmp_path_factory.mktemp("networks")
    for name in ("a", "b", "c"):
        network(folder / name, {"first": torch.randn(SIZE, generator=rng)})
    places = tuple(str(folder / name) for name in ("a", "b", "c"))
    config = AnyConfig(sources=places, scorer="score.py:score", archive=6, seed=3)
    sources, draw = config.open_sources(), np.random.default_rng(1)
    everyone = [scored(blend(config, sources, draw.dirichlet(np.ones(3), 2), f"{n}")) for n in range(60)]
    everyone.insert(2, scored(blend(config, sources, np.full((2, 3), 1 / 3), "average")))
    return ScoreExpectation(config, sources, everyone)


def blend(config, sources, halves, name):
    """A recipe with weights of its own in either half of its only chromosome."""
    recipe = average_recipe(config, sources)
    ((part, chromosome),) = recipe.chromosomes.items()
    segments = tuple(
        Segment(stop=stop, weights=tuple(map(float, weights)))
        for stop, weights in zip((SIZE // 2, SIZE), halves, strict=True)
    )
    chromosomes = {part: chromosome.model_copy(update={"segments": segments})}
    return recipe.model_copy(update={"name": name, "chromosomes": chromosomes})


def scored(recipe):
    """An individual: food grows with the first source's weight in the first half, animals with nothing."""
    chance = NOISE * np.random.default_rng(list(recipe.name.encode())).standard_normal((3, 1))
    ((first, *_), *_) = [segment.weights for part in recipe.chromosomes.values() for segment in part.segments]
    kept = {"ja": np.array([[0.2 + GAIN * first], [0.3 + GAIN * first], [0.5]]) + chance}
    return Individual(recipe.name, "a", "b", recipe, kept, True, True, 1.0, datetime(2026, 1, 1, tzinfo=UTC))


def test_first_halves_are_half_of_every_chromosome(learned):
    assert learned.first_half.sum() == len(learned.first_half) / 2
    assert learned.first_half[: len(learned.first_half) // 2].all()


def test_it_says_that_the_source_helps_food_in_the_first_half_and_nothing_else(learned):
    effects = source_effects(learned.model, learned.places[2], learned.sources, learned.first_half, GROUPS)
    assert [(one.source, one.half) for one in effects] == [
        (name, half) for name in "abc" for half in ("first", "second")
    ]
    told = {(one.source, one.half): one.groups for one in effects if one.groups}
    # A tenth of a in place of a tenth of all: two thirds of a tenth more. Of b or c: a third of a tenth less of a.
    by_hand = {("a", "first"): GAIN * STEP * 2 / 3, ("b", "first"): -GAIN * STEP / 3, ("c", "first"): -GAIN * STEP / 3}
    assert told.keys() == by_hand.keys()
    for place, gain in by_hand.items():
        assert list(told[place]) == ["food"]
        assert told[place]["food"].mean == pytest.approx(gain, abs=0.003)
    assert all(one.strongest[0] in (0, 1) for one in effects if one.half == "first")
    assert all(one.strongest is None for one in effects if one.half == "second")


def test_of_a_source_that_the_recipe_is_made_of_there_is_no_more(learned):
    whole = learned.sources["a"]
    effects = source_effects(learned.model, whole, learned.sources, learned.first_half, GROUPS)
    assert [(one.groups, one.strongest) for one in effects[:2]] == [({}, None), ({}, None)]


@pytest.mark.parametrize(
    ("mean", "half_width", "is_told"),
    [(0.02, 0.01, True), (-0.02, 0.01, True), (0.02, 0.03, False), (0.0004, 0.0, False), (0.0152, 0.0149, False)],
)
def test_an_effect_is_told_where_its_interval_holds_no_zero_also_as_it_is_printed(mean, half_width, is_told):
    assert Effect(mean, half_width).is_told is is_told
