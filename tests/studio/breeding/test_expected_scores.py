"""What a run's scores say of recipes that nobody drew: three networks whose scores are a source's share."""

from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from studio.breeding.expected_scores import ScoreExpectation, is_quick
from studio.breeding.initial_population import average_recipe, source_recipes
from studio.evolution.foresight import FEWEST
from studio.networks.config import AnyConfig
from studio.runs.individual import Individual
from tests.networks import network

SIZE = 60  # elements
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of the first source in those that were scored, the rest is the second's


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    rng, folder = torch.Generator().manual_seed(0), tmp_path_factory.mktemp("networks")
    for name in ("a", "b", "c"):
        network(folder / name, {"first": torch.randn(SIZE, generator=rng)})
    places = tuple(str(folder / name) for name in ("a", "b", "c"))
    return AnyConfig(sources=places, scorer="score.py:score", archive=6, seed=3)


@pytest.fixture(scope="module")
def sources(config):
    return config.open_sources()


def blend(config, sources, share):
    """A recipe with a share of the first source and the rest of the second."""
    recipe, chromosomes = average_recipe(config, sources), {}
    for name, chromosome in recipe.chromosomes.items():
        (whole,) = chromosome.segments
        whole = whole.model_copy(update={"weights": (share, 1 - share, 0.0)})
        chromosomes[name] = chromosome.model_copy(update={"segments": (whole,)})
    return recipe.model_copy(update={"name": f"{share}", "chromosomes": chromosomes})


def scored(recipe, *scores):
    """An individual with scores of prompts from one noise each."""
    kept = {"ja": np.array(scores)[:, np.newaxis]} if scores else {}
    return Individual(recipe.name, "a", "b", recipe, kept, True, True, 1.0, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def everyone(config, sources):
    """Scored by their share of the first source: .2 to .8 for one prompt, .3 to .5 for the other."""
    return [scored(blend(config, sources, share), 0.2 + 0.6 * share, 0.3 + 0.2 * share) for share in SHARES]


def test_what_lies_between_is_expected_between(config, sources, everyone):
    learned = ScoreExpectation(config, sources, [*everyone, scored(blend(config, sources, 0.5))])
    assert len(learned.individuals) == len(SHARES)  # who failed teaches nothing
    half, tenth = (learned.of(blend(config, sources, share)) for share in (0.5, 0.1))
    assert half.mean == pytest.approx((0.5 + 0.4) / 2, abs=0.01)
    assert tenth.mean == pytest.approx((0.26 + 0.32) / 2, abs=0.01)
    assert 0 < half.deviation < 0.05


def test_what_is_far_from_all_that_was_scored_is_less_sure(config, sources, everyone):
    learned = ScoreExpectation(config, sources, everyone)
    third = source_recipes(config, sources)["c"]
    assert learned.of(third).deviation > 3 * learned.of(blend(config, sources, 0.5)).deviation


def test_too_few_say_nothing_and_neither_do_other_sources(config, sources, everyone, tmp_path):
    assert ScoreExpectation(config, sources, everyone[: FEWEST - 1]).of(everyone[0].recipe) is None
    network(tmp_path / "d", {"first": torch.ones(SIZE)})
    others = config.model_copy(update={"sources": (*config.sources[:2], str(tmp_path / "d"))})
    strange = blend(others, others.open_sources(), 0.5)
    assert ScoreExpectation(config, sources, everyone).of(strange) is None


def test_it_is_quick_once_the_sources_were_bred_from(config, sources, everyone, tmp_path, monkeypatch):
    monkeypatch.setenv("M2N2_CACHE", str(tmp_path))
    assert not is_quick(config, sources)
    ScoreExpectation(config, sources, everyone)
    assert is_quick(config, sources)
