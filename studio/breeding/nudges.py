"""Nudges: one of the best of those alive with a little more of one source in one stretch of the network.

Crossover with a mate moves everything at once, and a blend of the sources forgets what was found. A nudge keeps what a
good individual is and changes one thing about it; by the model of all scores so far (`foresight`) the one of many
that promises most is told. So a search goes uphill without leaving what the model knows.

It is the crossover of M2N2 (`variation`), with a source for a father, a ratio above 0 in one stretch alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.recipes.crossover import CrossoverParameters
from pipelines.recipes.recipe import Recipe
from studio.evolution.archive import Archive
from studio.evolution.offspring import Offspring

from .variation import RecipeCrossover

BEST = 3  # of those alive, by mean score, are nudged
FARTHEST = 0.6  # mixing ratio towards the source, at most
STRETCHES = ("beginning", "middle", "end")  # of the network, as equally likely ones


class Nudges:
    """Nudges of recipes over one set of sources.

    Args:
        crossover: over these sources.
        sources: a recipe of each.
    """

    def __init__(self, crossover: RecipeCrossover, sources: Sequence[Recipe]) -> None:
        self._crossover, self._sources = crossover, list(sources)

    def breed(
        self, archive: Archive, recipes: Mapping[str, Recipe], rng: np.random.Generator, number: int
    ) -> Offspring[Recipe]:
        """Nudge one of the best: all chromosomes or one of them, in a stretch that may begin or end the network.

        Args:
            archive: who is alive.
            recipes: of everyone alive, by id.
            rng: the only randomness.
            number: how many offspring there are with this one.
        """
        best = np.argsort(-archive.scores.mean(axis=1), kind="stable")[:BEST]
        mother = recipes[archive.ids[rng.choice(best)]]
        father = self._sources[rng.integers(len(self._sources))]
        names = list(self._crossover.layouts)
        chosen = names if rng.random() < 0.5 else [names[rng.integers(len(names))]]
        ratio, where = FARTHEST * float(rng.random()), STRETCHES[rng.integers(len(STRETCHES))]
        low, high = sorted(rng.random(2).tolist())
        genes = {}
        for name in chosen:
            first, last = (int(share * self._crossover.layouts[name].size) for share in (low, high))
            genes[name] = {
                "beginning": CrossoverParameters((last,), (ratio, 0.0)),
                "middle": CrossoverParameters((first, last), (0.0, ratio, 0.0)),
                "end": CrossoverParameters((first,), (0.0, ratio)),
            }[where]
        return Offspring(
            mother=mother.name,
            father=father.name,
            genome=self._crossover.crossed(mother, father, genes, number=number),
        )
