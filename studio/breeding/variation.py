"""The crossover that the search breeds with: split points and mixing ratios drawn, two recipes made one."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from pipelines.architectures.keys import MODEL, TEXT_ENCODERS, Layout, canonical_order, component_of
from pipelines.checkpoints.sources import Source
from pipelines.recipes.crossover import (
    AngleScope,
    CrossoverParameters,
    chromosome_cosine,
    cross_recipes,
    genome_cosine,
)
from pipelines.recipes.gram import compute_gram
from pipelines.recipes.lineage import Lineage
from pipelines.recipes.recipe import Recipe
from studio.errors import ConfigError
from studio.evolution.niches import roulette

from .settings import BreedingSettings

N = TypeVar("N", int, float)
MET = 512  # pairs of parents whose angles are kept: about those of an archive of 20
BINS = 10  # stretches of a chromosome that `guided` tells apart


def bred_layouts(config: BreedingSettings, sources: Mapping[str, Source], recipe: Recipe) -> dict[str, Layout]:
    """Return the chromosomes that are bred, by name: those that recipes like this one have, but for frozen ones.

    Raises:
        ConfigError: every chromosome is frozen.
    """
    every = next(iter(config.bred(sources).values())).layouts(recipe.merged_components, recipe.patterns)
    layouts = {name: layout for name, layout in every.items() if name not in config.frozen}
    if not layouts:
        raise ConfigError("Every chromosome is frozen. Expected one at least to breed; shorten frozen.")
    return layouts


class RecipeCrossover:
    """Crossover of recipes over one set of sources, with what it has learned of where to split.

    Args:
        config: how to breed.
        sources: opened, by name.
        recipe: any that has the components and chromosomes of those to come.

    Raises:
        ConfigError: every chromosome is frozen.
    """

    def __init__(self, config: BreedingSettings, sources: Mapping[str, Source], recipe: Recipe) -> None:
        bred, self.layouts = config.bred(sources), bred_layouts(config, sources, recipe)
        self._bred = [number for number, name in enumerate(sources) if name in bred]  # places among a recipe's sources
        self.grams = {
            name: compute_gram(list(bred.values()), layout).widened(self._bred, len(sources))
            for name, layout in self.layouts.items()
        }
        self.config = config
        # What a seed means: chromosomes draw in this order, those of a lone network in that of its patterns.
        self._drawn = list(self.layouts) if recipe.merged_components == (MODEL,) else sorted(self.layouts)
        self._alive = len(bred)  # sources and those that entered, as far as there was room
        self._met: dict[tuple[int, int], tuple[Recipe, Recipe, dict[str, float]]] = {}
        # tries and successes per chromosome and bin: one of two, before anything is known
        self._paid = {name: np.array([[2.0, 1.0]] * BINS) for name in self.layouts}

    def __call__(
        self, mother: Recipe, father: Recipe, rng: np.random.Generator, *, number: int = 1, better: str | None = None
    ) -> Recipe:
        """One child; per chromosome, split s ~ uniform integer over its length and ratio w ~ U(0, 1) (M2N2, section 3).

        What `config.breeding` asks for changes where splits fall and how ratios are drawn.

        Args:
            mother: whose weights ratio 0 keeps.
            father: whose weights ratio 1 keeps.
            rng: the only randomness.
            number: how many offspring there are with this one; its name is `f"{number:04d}"`.
            better: name of the parent with the better mean score, near which `step` below 1 stays; the mother's if
                left out.
        """
        how = self.config.breeding
        genes = self._one_for_all(number, rng) if how.together else self._apart(number, rng)
        if how.step < 1 and better == father.name != mother.name:
            genes = {
                name: CrossoverParameters(one.split_points, tuple(1 - w for w in one.ratios))
                for name, one in genes.items()
            }
        return self.crossed(mother, father, genes, number=number)

    def crossed(
        self, mother: Recipe, father: Recipe, genes: Mapping[str, CrossoverParameters], *, number: int
    ) -> Recipe:
        """The child of given split points and mixing ratios.

        Args:
            mother: whose weights ratio 0 keeps, and those of a chromosome that is left out.
            father: whose weights ratio 1 keeps.
            genes: by chromosome that is bred.
            number: how many offspring there are with this one; its name is `f"{number:04d}"`.
        """
        lineage = Lineage(
            mother=mother.name,
            father=father.name,
            splits={name: _one_or_all(drawn.split_points) for name, drawn in genes.items() if drawn.split_points},
            ratios={
                name: drawn.ratios[0] if drawn.is_single else _one_or_all(drawn.ratios) for name, drawn in genes.items()
            },
            seed=self.config.seed,
        )
        child = cross_recipes(
            mother,
            father,
            genes,
            grams=self.grams,
            layouts=self.layouts,
            lineage=lineage,
            angle=self._angle(mother, father),
        )
        return child.model_copy(update={"name": f"{number:04d}"})

    def _angle(self, mother: Recipe, father: Recipe) -> AngleScope | dict[str, float]:
        """The angle between two parents, as cosines by chromosome; of those that met lately it is known."""
        scope: AngleScope = "genome" if self.config.breeding.together else self.config.angle
        if scope == "tensor":
            return scope
        pair = id(mother), id(father)  # theirs as long as they are held
        if pair not in self._met:
            if len(self._met) >= MET:
                del self._met[next(iter(self._met))]
            if scope == "genome":
                cosines = dict.fromkeys(self.layouts, genome_cosine(mother, father, self.grams))
            else:
                cosines = {
                    name: chromosome_cosine(
                        mother.chromosomes[name], father.chromosomes[name], self.grams[name], 0, layout.size
                    )
                    for name, layout in self.layouts.items()
                }
            self._met[pair] = mother, father, cosines
        return self._met[pair][2]

    def learn(self, lineage: Lineage | None, entered: bool) -> None:
        """Note where an offspring was split and whether that paid; told of all of them, in order.

        As long as the archive has room everyone enters, which says nothing about where to split.
        """
        if not self.config.breeding.guided:
            return
        if self._alive < self.config.archive:
            self._alive += entered
            return
        for name, splits in (lineage.splits if lineage else {}).items():
            for split in (splits,) if isinstance(splits, int) else splits:
                self._paid[name][split * BINS // self.layouts[name].size] += (1.0, float(entered))

    def compatibility(self, mother: Recipe, father: Recipe) -> float:
        """How well two mates fit, by the angle between them: exp(-strength * angle / mean angle of two sources)."""
        if self._mean_angle == 0:
            return 1.0
        angle = math.acos(min(1.0, max(-1.0, genome_cosine(mother, father, self.grams))))
        return math.exp(-self.config.breeding.compatibility * angle / self._mean_angle)

    @functools.cached_property
    def _mean_angle(self) -> float:
        """Mean angle between two sources over all chromosomes, in radians."""
        total = np.sum([self.grams[name].between(0, layout.size) for name, layout in self.layouts.items()], axis=0)
        total = total[np.ix_(self._bred, self._bred)]
        norms = np.sqrt(np.diag(total))
        cosines = np.clip(total / np.outer(norms, norms), -1.0, 1.0)
        return float(np.arccos(cosines[np.triu_indices(len(norms), 1)]).mean())

    def _apart(self, number: int, rng: np.random.Generator) -> dict[str, CrossoverParameters]:
        genes: dict[str, CrossoverParameters] = {}
        for name in self._drawn:
            size = self.layouts[name].size
            splits = sorted(self._split(name, size, rng) for _ in range(self._split_points(number)))
            if self.config.breeding.step < 1:
                genes[name] = CrossoverParameters(
                    tuple(splits), tuple(self._ratio(rng) for _ in range(len(splits) + 1))
                )
            elif self.config.breeding.one_ratio and genes:
                genes[name] = CrossoverParameters.mirrored(splits, next(iter(genes.values())).ratios[0])
            else:
                genes[name] = CrossoverParameters.mirrored(splits, self._ratio(rng))
        return genes

    def _one_for_all(self, number: int, rng: np.random.Generator) -> dict[str, CrossoverParameters]:
        """Split points in the whole of all chromosomes, in the order data flows, as split points of each."""
        total = sum(size for _, size in self._flow)
        splits = sorted(int(rng.integers(total)) for _ in range(self._split_points(number)))
        ratio = self._ratio(rng)
        own: dict[str, list[int]] = {name: [] for name in self.layouts}
        for split in splits:
            passed, before = 0, dict.fromkeys(self.layouts, 0)
            for name, size in self._flow:
                before[name] += min(size, max(0, split - passed))
                passed += size
            for name, count in before.items():
                own[name].append(count)
        return {name: CrossoverParameters.mirrored(found, ratio) for name, found in own.items()}

    @functools.cached_property
    def _flow(self) -> list[tuple[str, int]]:
        """(chromosome, elements) of every tensor in the order data flows: text encoders, then the UNet."""
        found = []
        for component in (*TEXT_ENCODERS, "unet"):
            owners = {
                key: layout
                for layout in self.layouts.values()
                if component_of(layout.chromosome) == component
                for key in layout.names
            }
            for key in canonical_order(component, owners):
                start, stop = owners[key].spans[key]
                found.append((owners[key].chromosome, stop - start))
        return found

    def _split_points(self, number: int) -> int:
        how = self.config.breeding
        if not how.split_growth:
            return how.split_points
        return min(how.split_points, 1 + (number - 1) // how.split_growth)

    def _split(self, name: str, size: int, rng: np.random.Generator) -> int:
        if not self.config.breeding.guided:
            return int(rng.integers(size))
        tries, successes = self._paid[name].T
        stretch = roulette(successes / tries, rng)
        return int(size * (stretch + rng.random()) / BINS)

    def _ratio(self, rng: np.random.Generator) -> float:
        how = self.config.breeding
        drawn = float(rng.random()) if how.beta == 1 else float(rng.beta(how.beta, how.beta))
        return drawn * how.step


def _one_or_all(values: tuple[N, ...]) -> N | tuple[N, ...]:
    return values[0] if len(values) == 1 else values
