"""What only lends changes nothing of what is bred: the same offspring, with a weight of nothing for the lender."""

import shutil

import numpy as np
import pytest

import assets
from pipelines.checkpoints.sources import open_source
from studio.breeding.initial_population import carried_over, initial_offspring, source_recipes
from studio.breeding.variation import RecipeCrossover
from studio.runs.config import embedded


@pytest.fixture(scope="module")
def fix(tmp_path_factory):
    """A VAE alone."""
    return shutil.copytree(assets.sources()[-1] / "vae", tmp_path_factory.mktemp("lenders") / "fix")


@pytest.fixture(scope="module")
def with_fix(family, fix):
    return {**family, "fix": open_source(fix)}


def lent(fix, **changes):
    return embedded(host={"default": "ja", "vae": str(fix)}, **changes)


def weights(recipe):
    return [
        (name, one.stop, one.weights) for name, chromosome in recipe.chromosomes.items() for one in chromosome.segments
    ]


def assert_same_but_for_the_lender(recipe, alone):
    assert [name for name, *_ in weights(recipe)] == [name for name, *_ in weights(alone)]
    for (*place, row), (*as_alone, row_alone) in zip(weights(recipe), weights(alone), strict=True):
        assert (place, row) == (as_alone, (*row_alone, 0.0))
    assert recipe.host == {**alone.host, "vae": "fix"}
    assert [source.name for source in recipe.sources] == [*(source.name for source in alone.sources), "fix"]
    assert set(recipe.sources[-1].sha256) == {"vae"}


@pytest.mark.parametrize(
    "options", [{}, {"angle": "tensor"}, {"breeding": {"together": True}}], ids=["chromosome", "tensor", "genome"]
)
def test_offspring_are_those_of_the_same_seed(family, with_fix, fix, options):
    """With every angle, of parents that were crossed before."""
    made = []
    for config, sources in ((lent(fix, **options), with_fix), (embedded(**options), family)):
        first = source_recipes(config, sources)
        assert list(first) == list(family)
        crossover, rng = RecipeCrossover(config, sources, first["ja"]), np.random.default_rng(7)
        child = crossover(first["ja"], first["real"], rng)
        made.append((crossover(child, first["base"], rng, number=2), crossover.compatibility(child, first["flat"])))
    (child, fits), (alone, fits_alone) = made
    assert_same_but_for_the_lender(child, alone)
    assert fits == fits_alone


def test_merges_by_hand_and_archives_go_over(family, with_fix, fix):
    """Also from a run without the lender, and from one with it to one without."""
    changes = {"breeding": {"merges": True, "task_arithmetic": "base"}}
    config, without = lent(fix, **changes), embedded(**changes)
    merges, alone = initial_offspring(config, with_fix), initial_offspring(without, family)
    assert len(merges) == len(alone) > 5
    for one, other in zip(merges, alone, strict=True):
        assert_same_but_for_the_lender(one, other)
        assert one.lineage == other.lineage
    there = carried_over(alone[0], config, with_fix, name="0001")
    assert weights(there) == weights(merges[0])
    assert there.host == merges[0].host
    back = carried_over(merges[0], without, family, name="0001")
    assert (weights(back), back.host) == (weights(alone[0]), alone[0].host)


def test_a_whole_checkpoint_that_only_lends_is_nobody_in_the_search(family, fix, tmp_path):
    """Though it has a UNet, that of a source even."""
    whole = shutil.copytree(assets.sources()[0], tmp_path / "whole")
    config = embedded(host={"default": str(whole)})
    sources = {**family, "whole": open_source(whole)}
    first = source_recipes(config, sources)
    assert list(first) == list(family)
    assert first["ja"].host == {"default": "whole", "unet": next(iter(family))}
    assert set(first["ja"].weighted_sources("unet")) == {"ja"}
    again = carried_over(first["ja"], config, sources, name="0001")
    assert weights(again) == weights(first["ja"])
    assert {again.lineage.mother, again.lineage.father} <= set(family)
