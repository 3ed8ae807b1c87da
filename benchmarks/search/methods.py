"""The searches of the benchmark, behind one interface: each asks for recipes to be drawn and is told their scores.

M2N2, its ablations, the genetic algorithm and the extensions are the studio's own search and crossover under other
settings (`studio.config`). What stands beside them: CMA-ES over one weight per source and chromosome, the recipe of
EvoSDXL-JP; MAP-Elites on a pyribs archive with the same crossover; random weights; merges that need no search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import cma
import numpy as np
from ribs.archives import GridArchive

from eval.prompts.prompt_set import PromptSet
from pipelines.checkpoints.sources import Source
from pipelines.recipes.recipe import Recipe, blend
from studio.breeding.initial_population import hand_made, source_recipes, warm_up_parents
from studio.breeding.variation import Breeder
from studio.evolution.archive import Archive
from studio.evolution.early_rejection import cannot_enter, prompt_order
from studio.evolution.niches import Floats
from studio.evolution.search import Offspring, Search
from studio.runs.config import RunConfig

CHROMOSOMES = ("attention", "backbone")
START, SIGMA = 0.5, 1 / 6  # of CMA-ES in the unit cube: those of Akiba et al., arXiv 2403.13187
GRID, HIGHEST = (5, 5), 0.5  # MAP-Elites: about as many cells as M2N2's archive has places; mean scores up to this
DESCRIPTORS = (("animals", "activities"), ("food", "travel"))  # categories whose mean scores are the two axes


class Method(Protocol):
    """A search in progress.

    Attributes:
        sources: what its recipes name.
        rotation: which noise its next recipe is to be drawn with, as in `Noise`.
    """

    sources: Mapping[str, Source]
    rotation: int

    def ask(self) -> Recipe | None:
        """The next recipe to draw; None when there are no more."""

    def tell(self, recipe: Recipe, scores: Floats | None) -> None:
        """Its scores, float64 [niches], or None where it could not be drawn."""

    def best(self) -> tuple[Recipe, Floats] | None:
        """What it would ship now, with its scores; None before anything was drawn."""


class BestEver:
    """Keeps the recipe with the best mean score, the oldest of several."""

    rotation = 0

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self.sources = sources
        self._best: tuple[Recipe, Floats] | None = None

    def tell(self, recipe: Recipe, scores: Floats | None) -> None:
        if scores is not None and (self._best is None or scores.mean() > self._best[1].mean()):
            self._best = recipe, scores

    def best(self) -> tuple[Recipe, Floats] | None:
        return self._best


class Listed(BestEver):
    """Recipes that are known beforehand, one after the other."""

    def __init__(self, sources: Mapping[str, Source], recipes: Sequence[Recipe]) -> None:
        super().__init__(sources)
        self._left = list(recipes)

    def ask(self) -> Recipe | None:
        return self._left.pop(0) if self._left else None


class RandomWeights(BestEver):
    """One weight per source and chromosome, uniform over all that are positive with a sum of 1: Dirichlet(1)."""

    def __init__(self, config: RunConfig, sources: Mapping[str, Source]) -> None:
        super().__init__(sources)
        self._config, self._rng = config, np.random.default_rng(config.seed)

    def ask(self) -> Recipe:
        rows = self._rng.dirichlet(np.ones(len(self.sources)), size=len(CHROMOSOMES))
        return merge(self._config, self.sources, rows)


class Strategy(BestEver):
    """CMA-ES over one weight per source and chromosome, each chromosome's divided by their sum (EvoSDXL-JP).

    That recipe's linear merge, partition and normalisation are public, its search is not: range, start and step are
    those of the authors' merging of language models, the rest the defaults of the `cma` package.
    """

    def __init__(self, config: RunConfig, sources: Mapping[str, Source]) -> None:
        super().__init__(sources)
        rng = np.random.default_rng(config.seed)
        options: dict[str, Any] = {
            "bounds": [0, 1],
            "randn": lambda *shape: rng.standard_normal(shape),
            "seed": np.nan,  # the numbers come from rng; numpy's global generator is left alone
            "verbose": -9,
        }
        self._config = config
        self._strategy = cma.CMAEvolutionStrategy([START] * len(CHROMOSOMES) * len(sources), SIGMA, options)
        self._generation: list[Floats] = []
        self._losses: list[float] = []

    def ask(self) -> Recipe:
        if len(self._losses) == len(self._generation):
            if self._generation:
                self._strategy.tell(self._generation, self._losses)
            self._generation, self._losses = self._strategy.ask(), []
        weights = self._generation[len(self._losses)].reshape(len(CHROMOSOMES), -1) + 1e-9  # never all zero
        return merge(self._config, self.sources, weights / weights.sum(axis=1, keepdims=True))

    def tell(self, recipe: Recipe, scores: Floats | None) -> None:
        super().tell(recipe, scores)
        self._losses.append(0.0 if scores is None else -float(scores.mean()))  # no picture is the worst there is


class Evolution:
    """The studio's search: M2N2 as configured. Its best is the best mean score in the archive."""

    def __init__(self, config: RunConfig, sources: Mapping[str, Source]) -> None:
        first, how = source_recipes(config, sources), config.breeding
        self.sources = sources
        self.rotation = 0
        self._config = config
        self._breeder = Breeder(config, sources, next(iter(first.values())))
        self._search: Search[Recipe] = Search(
            Archive(config.archive, alpha=config.alpha),
            rng=np.random.default_rng(config.seed),
            crossover=self._breeder,
            attract=how.attraction,
            compatibility=self._breeder.compatibility if how.compatibility else None,
        )
        self._breeder.better = lambda mother, father: max((mother, father), key=self._search.archive.mean)
        self._first = list(first.values())
        self._merges = hand_made(config, sources) if how.merges else []
        self._made = 0  # offspring so far, merges by hand among them
        self._again: dict[str, Floats] = {}  # new scores on other noise
        self._waiting: list[str] = []  # who is to be scored on it
        self._bred: Offspring[Recipe] | None = None

    def ask(self) -> Recipe:
        if self._first:
            return self._first[0]
        rotation = self._made // self._config.noise_rotation if self._config.noise_rotation else 0
        if rotation > self.rotation:
            self.rotation, self._waiting, self._again = rotation, list(self._search.archive.ids), {}
        if self._waiting:
            return self._search.genomes[self._waiting[0]]
        if self._made < len(self._merges):
            return self._merges[self._made]
        self._breeder.number = self._made + 1
        parents = warm_up_parents(self._config, self.sources, self._search.archive, self._made)
        self._bred = self._search.ask(parents)
        return self._bred.genome

    def tell(self, recipe: Recipe, scores: Floats | None) -> None:
        if self._first:
            self._first.pop(0)
            if scores is not None:
                self._search.add(recipe.name, recipe, scores)
        elif self._waiting:
            id = self._waiting.pop(0)
            self._again[id] = self._scores(id) if scores is None else scores
            if not self._waiting:
                self._search.rescore(self._again)
        else:
            entered = False
            if self._bred is None:
                entered = scores is not None and self._search.add(recipe.name, recipe, scores).entered
            elif scores is None:
                self._search.discard(self._bred)
            else:
                entered = self._search.tell(recipe.name, self._bred, scores).entered
            self._breeder.learn(recipe.lineage, entered)
            self._bred = None
            self._made += 1

    def best(self) -> tuple[Recipe, Floats] | None:
        archive = self._search.archive
        if not len(archive):
            return None
        id = archive.best()
        return self._search.genomes[id], self._scores(id)

    def _scores(self, id: str) -> Floats:
        return self._search.archive.scores[self._search.archive.ids.index(id)]


class Rejection(Evolution):
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

    def tell(self, recipe: Recipe, scores: Floats | None) -> None:
        spared = 0
        if self._bred is not None and scores is not None and self._search.archive.is_full:
            size, archive = self._config.pictures.batch, self._search.archive
            known = np.full(len(scores), np.nan)
            rounds = [slice(start, start + size) for start in range(0, len(scores), size)]
            for number in prompt_order(archive, rounds):
                known[rounds[number]] = scores[rounds[number]]
                if cannot_enter(archive, known):
                    spared = int(np.isnan(known).sum())
                    break
        super().tell(recipe, scores)
        self.spared += spared
        self.wronged += spared > 0 and recipe.name in self._search.archive


class Elites:
    """MAP-Elites (Mouret and Clune, arXiv 1504.04909): the best of every cell of a grid, on a pyribs archive.

    The cells are mean scores on two pairs of categories, DESCRIPTORS; parents are two elites at random, children come
    from the studio's crossover.
    """

    rotation = 0

    def __init__(self, config: RunConfig, sources: Mapping[str, Source], niches: PromptSet) -> None:
        self.sources = sources
        self._first = list(source_recipes(config, sources).values())
        self._breeder = Breeder(config, sources, self._first[0])
        self._rng = np.random.default_rng(config.seed)
        self._axes = [np.isin(niches.categories, group) for group in DESCRIPTORS]
        self._grid = GridArchive(
            solution_dim=(),
            dims=GRID,
            ranges=[(0.0, HIGHEST)] * len(GRID),
            solution_dtype=object,
            extra_fields={"scores": ((len(niches),), np.float64)},
        )

    def ask(self) -> Recipe:
        if self._first:
            return self._first.pop(0)
        elites = self._grid.data("solution")
        mother, father = (elites[row] for row in self._rng.permutation(len(elites))[[0, -1]])
        child = self._breeder(mother, father, self._rng)
        self._breeder.number += 1
        return child

    def tell(self, recipe: Recipe, scores: Floats | None) -> None:
        if scores is not None:
            measures = [scores[axis].mean() for axis in self._axes]
            self._grid.add_single(recipe, scores.mean(), measures, scores=scores)

    def best(self) -> tuple[Recipe, Floats] | None:
        elite = self._grid.best_elite
        return None if elite is None else (elite["solution"], elite["scores"])


def merge(config: RunConfig, sources: Mapping[str, Source], rows: Sequence[Floats] | Floats) -> Recipe:
    """The linear merge of one weight per source and chromosome, [chromosomes, sources]."""
    weights = {name: list(map(float, row)) for name, row in zip(CHROMOSOMES, rows, strict=True)}
    return blend(list(sources.values()), weights, host=config.host)
