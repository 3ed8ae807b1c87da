"""Sources and recipes that several tests share; no fixtures, so that a machine with a bare torch can run them."""

from __future__ import annotations

import contextlib

import pytest

import assets
from pipelines.checkpoints.sources import open_source
from pipelines.recipes.chromosome import Chromosome, Segment


@contextlib.contextmanager
def own_sources(cache):
    """The embedded family opened for itself, for what is kept on a device stays there; with a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("M2N2_CACHE", str(cache))
        yield {path.name: open_source(path) for path in assets.sources()}


def split_inside_tensors(recipe, middle):
    """A recipe over four sources split at elements that no alignment suits, with a weight of 0 and sums above 1.

    Args:
        recipe: whose chromosomes are split.
        middle: weights of the second of three segments.
    """
    chromosomes = {
        name: Chromosome(
            size=whole.size,
            layout=whole.layout,
            segments=(
                Segment(stop=1003, weights=(0.25, 0.5, 0.0, 0.26)),
                Segment(stop=whole.size // 2 + 7, weights=middle),
                Segment(stop=whole.size, weights=(0.1, 0.2, 0.3, 0.4)),
            ),
        )
        for name, whole in recipe.chromosomes.items()
    }
    return recipe.model_copy(update={"chromosomes": chromosomes})
