"""The searches of the benchmark, behind one interface: `studio.breeding.search_method`.

M2N2, its ablations, the genetic algorithm and the extensions are the studio's own search under other settings. Beside
it stand CMA-ES over one weight per source and chromosome, the recipe of EvoSDXL-JP; MAP-Elites and CycleQD on pyribs
archives with the same crossover; random weights; merges that need no search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cma
import numpy as np
from ribs.archives import GridArchive

from eval.prompts.prompt_set import PromptSet
from pipelines.checkpoints.sources import Source
from pipelines.recipes.recipe import Recipe, blend
from studio.breeding.initial_population import source_recipes
from studio.breeding.m2n2 import M2N2
from studio.breeding.search_method import Candidate, Told
from studio.breeding.variation import RecipeCrossover
from studio.evolution.early_rejection import cannot_enter, prompt_order
from studio.evolution.niches import Floats
from studio.runs.config import RunConfig

from .task import restored

CHROMOSOMES = ("attention", "backbone")
START, SIGMA = 0.5, 1 / 6  # of CMA-ES in the unit cube: those of Akiba et al., arXiv 2403.13187
GRID, HIGHEST = (5, 5), 0.5  # MAP-Elites: about as many cells as M2N2's archive has places; mean scores up to this
DESCRIPTORS = (("animals", "activities"), ("food", "travel"))  # categories whose mean scores are the two axes
TASKS = (*DESCRIPTORS, ("objects",))  # of CycleQD: each is quality in turn, the others are the axes


class BestEver:
    """Keeps the recipe with the best mean score, the oldest of several."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = sources
        self._best: tuple[Recipe, Floats] | None = None

    def tell(self, candidate: Candidate, scores: Floats | None) -> None:
        if scores is not None and (self._best is None or scores.mean() > self._best[1].mean()):
            self._best = candidate.recipe, scores

    def best(self) -> tuple[Recipe, Floats] | None:
        return self._best


class Listed(BestEver):
    """Recipes that are known beforehand, one after the other."""

    def __init__(self, sources: Mapping[str, Source], recipes: Sequence[Recipe]) -> None:
        super().__init__(sources)
        self._left = list(recipes)

    def ask(self) -> Candidate | None:
        return Candidate(self._left.pop(0)) if self._left else None


class RandomWeights(BestEver):
    """One weight per source and chromosome, uniform over all that are positive with a sum of 1: Dirichlet(1)."""

    def __init__(self, config: RunConfig, sources: Mapping[str, Source]) -> None:
        super().__init__(sources)
        self._config, self._rng = config, np.random.default_rng(config.seed)

    def ask(self) -> Candidate:
        rows = self._rng.dirichlet(np.ones(len(self.sources)), size=len(CHROMOSOMES))
        return Candidate(merge(self._config, self.sources, rows))


class Strategy(BestEver):
    """CMA-ES over one weight per source and chromosome, each chromosome's divided by their sum (EvoSDXL-JP).

    That recipe's linear merge, partition and normalisation are public, its search is not: range, start and step are
    those of the authors' merging of language models, the rest the defaults of the `cma` package.

    Args:
        config: of the run.
        sources: by name.
        parts: how many parts, as long as each other, a chromosome is cut into along the network, each with weights of
            its own; 1 in that recipe.
    """

    def __init__(self, config: RunConfig, sources: Mapping[str, Source], parts: int = 1) -> None:
        super().__init__(sources)
        rng = np.random.default_rng(config.seed)
        options: dict[str, Any] = {
            "bounds": [0, 1],
            "randn": lambda *shape: rng.standard_normal(shape),
            "seed": np.nan,  # the numbers come from rng; numpy's global generator is left alone
            "verbose": -9,
        }
        self._config = config
        self._shape = len(CHROMOSOMES), parts, len(sources)
        self._strategy = cma.CMAEvolutionStrategy([START] * math.prod(self._shape), SIGMA, options)
        self._generation: list[Floats] = []
        self._losses: list[float] = []

    def ask(self) -> Candidate:
        if len(self._losses) == len(self._generation):
            if self._generation:
                self._strategy.tell(self._generation, self._losses)
            self._generation, self._losses = self._strategy.ask(), []
        weights = self._generation[len(self._losses)].reshape(self._shape) + 1e-9  # never all zero
        return Candidate(in_parts(self._config, self.sources, weights / weights.sum(axis=-1, keepdims=True)))

    def tell(self, candidate: Candidate, scores: Floats | None) -> None:
        super().tell(candidate, scores)
        self._losses.append(0.0 if scores is None else -float(scores.mean()))  # no picture is the worst there is


class Rejection(M2N2):
    """M2N2, counting the pictures that early rejection would have spared.

    Everything is drawn all the same, in the batches of an early rejection: so it shows whether anybody would have been
    turned away who enters.

    Attributes:
        spared: pictures that need not have been drawn.
        wronged: individuals that were said to have no way in, and entered.
    """

    def __init__(self, config: RunConfig, sources: Mapping[str, Source]) -> None:
        super().__init__(config, sources)
        self.spared = self.wronged = 0
        self._batch = config.pictures.batch

    def tell(self, candidate: Candidate, scores: Floats | None) -> Told:
        spared = 0
        if candidate.role == "offspring" and scores is not None and self.archive.is_full:
            known = np.full(len(scores), np.nan)
            rounds = [slice(start, start + self._batch) for start in range(0, len(scores), self._batch)]
            for number in prompt_order(self.archive, rounds):
                known[rounds[number]] = scores[rounds[number]]
                if cannot_enter(self.archive, known):
                    spared = int(np.isnan(known).sum())
                    break
        told = super().tell(candidate, scores)
        self.spared += spared
        self.wronged += spared > 0 and told.entered
        return told


class Elites:
    """MAP-Elites (Mouret and Clune, arXiv 1504.04909): the best of every cell of a grid, on a pyribs archive.

    The cells are mean scores on two pairs of categories, DESCRIPTORS; parents are two elites at random, children come
    from the studio's crossover.
    """

    def __init__(self, config: RunConfig, sources: Mapping[str, Source], niches: PromptSet) -> None:
        self.sources = sources
        self._first = list(source_recipes(config, sources).values())
        self._crossover, self._made = RecipeCrossover(config, sources, self._first[0]), 0
        self._rng = np.random.default_rng(config.seed)
        self._axes = [np.isin(niches.categories, group) for group in DESCRIPTORS]
        self._grid = GridArchive(
            solution_dim=(),
            dims=GRID,
            ranges=[(0.0, HIGHEST)] * len(GRID),
            solution_dtype=object,
            extra_fields={"scores": ((len(niches),), np.float64)},
        )

    def ask(self) -> Candidate:
        if self._first:
            return Candidate(self._first.pop(0), "source")
        elites = self._grid.data("solution")
        mother, father = (elites[row] for row in self._rng.permutation(len(elites))[[0, -1]])
        self._made += 1
        return Candidate(self._crossover(mother, father, self._rng, number=self._made))

    def tell(self, candidate: Candidate, scores: Floats | None) -> None:
        if scores is not None:
            measures = [scores[axis].mean() for axis in self._axes]
            self._grid.add_single(candidate.recipe, scores.mean(), measures, scores=scores)

    def best(self) -> tuple[Recipe, Floats] | None:
        elite = self._grid.best_elite
        return None if elite is None else (elite["solution"], elite["scores"])


class CycleQD(BestEver):
    """CycleQD (Kuroki et al., arXiv 2410.14735): an archive per task, with it as quality and the others as axes.

    The task whose archive gives the parents changes with every child; whoever is scored is offered to all archives.
    Crossover is the studio's, so that only the search differs: theirs averages task vectors, and mutates along their
    singular vectors. Archives have as many cells as MAP-Elites's grid; parents are two elites at random.
    """

    def __init__(self, config: RunConfig, sources: Mapping[str, Source], niches: PromptSet) -> None:
        super().__init__(sources)
        self._first = list(source_recipes(config, sources).values())
        self._crossover, self._made = RecipeCrossover(config, sources, self._first[0]), 0
        self._rng = np.random.default_rng(config.seed)
        self._tasks = [np.isin(niches.categories, task) for task in TASKS]
        self._archives = [
            GridArchive(solution_dim=(), dims=GRID, ranges=[(0.0, HIGHEST)] * len(GRID), solution_dtype=object)
            for _ in TASKS
        ]

    def ask(self) -> Candidate:
        if self._first:
            return Candidate(self._first.pop(0), "source")
        elites = self._archives[self._made % len(TASKS)].data("solution")
        mother, father = (elites[row] for row in self._rng.permutation(len(elites))[[0, -1]])
        self._made += 1
        return Candidate(self._crossover(mother, father, self._rng, number=self._made))

    def tell(self, candidate: Candidate, scores: Floats | None) -> None:
        super().tell(candidate, scores)
        if scores is None:
            return
        means = [float(scores[task].mean()) for task in self._tasks]
        for number, archive in enumerate(self._archives):
            axes = means[:number] + means[number + 1 :]
            archive.add_single(candidate.recipe, means[number], axes)


def merge(config: RunConfig, sources: Mapping[str, Source], rows: Sequence[Floats] | Floats) -> Recipe:
    """The linear merge of one weight per source and chromosome, [chromosomes, sources]."""
    weights = {name: list(map(float, row)) for name, row in zip(CHROMOSOMES, rows, strict=True)}
    return blend(list(sources.values()), weights, host=config.host)


def in_parts(config: RunConfig, sources: Mapping[str, Source], weights: Floats) -> Recipe:
    """The merge of one weight per source, part and chromosome, [chromosomes, parts, sources]; parts are as long."""
    layouts = next(iter(sources.values())).components["unet"].layouts
    rows = {
        name: [(layouts[name].size * part // len(parts), list(map(float, row))) for part, row in enumerate(parts, 1)]
        for name, parts in zip(CHROMOSOMES, weights, strict=True)
    }
    return restored(rows, sources, config)
