"""The methods of the digits benchmark: one interface, whoever chooses the parents and whoever survives.

M2N2, its ablations and the plain genetic algorithm are `studio.evolution`, the code that the studio runs, with a dense
vector as genome. What stands beside them: MAP-Elites on a pyribs archive, CMA-ES from the package of its authors, and
brute force over one SLERP ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import cma
import numpy as np
from ribs.archives import GridArchive
from scipy.special import ndtri

from pipelines.recipes.crossover import slerp_coefficients
from studio.evolution.archive import Archive
from studio.evolution.niches import roulette
from studio.evolution.offspring import Crossover
from studio.evolution.search import Search

from .task import SIZE, SPREAD, Pictures, Solved, Weights, new_weights

ARCHIVE = 20  # individuals of M2N2 and GA, and of a generation of CMA-ES
GRID = (10, 10)  # cells of MAP-Elites: accuracy on odd digits, accuracy on even ones
RATIOS = 10_000  # that brute force tries

# N(0, 0.01^2) as its 65,536 quantiles: drawing one takes 16 random bits and a fifth of the time of `standard_normal`,
# which would take a quarter of a run. The largest is 4.3 standard deviations.
NOISE = (SPREAD * ndtri((np.arange(1 << 16) + 0.5) / (1 << 16))).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Genome:
    """A network's weights, float32 [n], with their norm, worked out once however often it mates."""

    weights: Weights

    @cached_property
    def norm(self) -> float:
        """The Euclidean norm."""
        return float(np.linalg.norm(self.weights))


def cross(mother: Genome, father: Genome, split_point: int, ratio: float) -> Genome:
    """SLERP with `ratio` before the split point and 1 - ratio from it on; one angle, of the whole vectors."""
    norms = mother.norm * father.norm
    cosine = float(mother.weights @ father.weights) / norms if norms else 1.0
    child = np.empty_like(mother.weights)
    for part, share in ((slice(split_point), ratio), (slice(split_point, None), 1.0 - ratio)):
        a, b = slerp_coefficients(share, cosine)
        np.multiply(mother.weights[part], a, out=child[part])
        child[part] += father.weights[part] * b
    return Genome(child)


def mutate(genome: Genome, rng: np.random.Generator) -> Genome:
    """Add noise to every weight."""
    noise = NOISE.take(rng.integers(len(NOISE), size=len(genome.weights), dtype=np.uint16))
    noise += genome.weights
    return Genome(noise)


def breeding(*, mutation: bool, split: bool = True, mating: bool = True) -> Crossover[Genome]:
    """How a child comes about.

    Args:
        mutation: whether noise is added in the end.
        split: False for one ratio over the whole vector.
        mating: False for a child of the mother alone.
    """

    def breed(mother: Genome, father: Genome, rng: np.random.Generator) -> Genome:
        child = mother
        if mating:
            size = len(mother.weights)
            child = cross(mother, father, int(rng.integers(size)) if split else size, rng.random())
        return mutate(child, rng) if mutation else child

    return breed


class Method(Protocol):
    """A search in progress."""

    evaluations: int

    def step(self) -> None:
        """Make and evaluate the next network, or the next generation of them."""

    def solved(self) -> Solved:
        """Which pictures its members get right, bool [members, pictures]."""

    def best(self) -> Weights:
        """The member with the best accuracy on them."""


class Niches:
    """M2N2 (arXiv 2508.16204) as the studio runs it; with `alpha=0, attract=False` the plain genetic algorithm."""

    def __init__(
        self,
        train: Pictures,
        founders: list[Weights],
        rng: np.random.Generator,
        breed: Crossover[Genome],
        *,
        alpha: float = 1.0,
        attract: bool = True,
    ):
        self.evaluations = 0
        self._train, self._rng, self._breed = train, rng, breed
        self._search = Search(Archive(ARCHIVE, alpha=alpha), rng=rng, crossover=breed, attract=attract)
        for number, weights in enumerate(founders):
            self._search.add(f"founder {number}", Genome(weights), train.solved(weights))

    def step(self) -> None:
        offspring = self._search.ask()
        self._search.tell(str(self.evaluations), offspring, self._train.solved(offspring.genome.weights))
        self.evaluations += 1

    def solved(self) -> Solved:
        return self._search.archive.scores.astype(bool)

    def best(self) -> Weights:
        return self._search.genomes[self._search.archive.best()].weights


class Replacement(Niches):
    """M2N2 without attraction as the reference draws its parents: both by fitness, and one may mate with itself."""

    def step(self) -> None:
        search = self._search
        fitness = search.archive.competition.fitness
        mother, father = (search.archive.ids[roulette(fitness, self._rng)] for _ in range(2))
        child = self._breed(search.genomes[mother], search.genomes[father], self._rng)
        search.add(str(self.evaluations), child, self._train.solved(child.weights))
        self.evaluations += 1


class Elites:
    """MAP-Elites: the best network of every cell of a grid (pyribs).

    The cells are the paper's (section 4.1): accuracy on odd and on even digits, ten steps each. Both parents are drawn
    by accuracy, two different ones where two cells are taken, as the reference does.
    """

    def __init__(self, train: Pictures, founders: list[Weights], rng: np.random.Generator, breed: Crossover[Genome]):
        self.evaluations = 0
        self._train, self._rng, self._breed = train, rng, breed
        self._odd = train.labels % 2 == 1
        self._grid = GridArchive(
            solution_dim=(),
            dims=GRID,
            ranges=[(0.0, 1.0)] * len(GRID),
            solution_dtype=object,  # a genome; pyribs would copy every vector at every look
            extra_fields={"solved": ((len(train),), np.bool_)},
        )
        for weights in founders:
            self._add(Genome(weights))

    def _add(self, genome: Genome) -> None:
        solved = self._train.solved(genome.weights)
        measures = [solved[self._odd].mean(), solved[~self._odd].mean()]
        self._grid.add_single(genome, solved.mean(), measures, solved=solved)

    def step(self) -> None:
        elites = self._grid.data(["solution", "objective"])
        accuracy = elites["objective"]
        mother = roulette(accuracy, self._rng)
        others = np.delete(np.arange(len(accuracy)), mother) if len(accuracy) > 1 else np.array([mother])
        father = others[roulette(accuracy[others], self._rng)]
        self._add(self._breed(elites["solution"][mother], elites["solution"][father], self._rng))
        self.evaluations += 1

    def solved(self) -> Solved:
        return np.asarray(self._grid.data("solved"), dtype=bool)

    def best(self) -> Weights:
        weights: Weights = self._grid.best_elite["solution"].weights
        return weights


class Strategy:
    """CMA-ES on the raw weights, in generations of 20 from one random network (the `cma` package).

    Its covariance is diagonal: a full one of 19,210 weights takes 3 GB and hours. Its best is the best it ever had, as
    in the reference; its members are the last generation.
    """

    def __init__(self, train: Pictures, rng: np.random.Generator):
        self.evaluations = 0
        self._train = train
        options: dict[str, Any] = {
            "popsize": ARCHIVE,
            "CMA_diagonal": True,
            "randn": lambda *shape: rng.standard_normal(shape),
            "seed": np.nan,  # the numbers come from rng; numpy's global generator is left alone
            "verbose": -9,
        }
        self._best = new_weights(rng)
        self._solved = train.solved(self._best)[np.newaxis]
        self._accuracy = float(self._solved.mean())
        self._strategy = cma.CMAEvolutionStrategy(self._best.astype(np.float64), SPREAD, options)

    def step(self) -> None:
        asked = self._strategy.ask()
        networks = [network.astype(np.float32) for network in asked]
        self._solved = np.stack([self._train.solved(network) for network in networks])
        accuracy = self._solved.mean(axis=1)
        self._strategy.tell(asked, -accuracy)
        if accuracy.max() > self._accuracy:
            self._best, self._accuracy = networks[int(accuracy.argmax())], float(accuracy.max())
        self.evaluations += len(asked)

    def solved(self) -> Solved:
        return self._solved

    def best(self) -> Weights:
        return self._best


class BruteForce:
    """One SLERP ratio for two founders, all of 10,000 in order; its only member is the best so far."""

    def __init__(self, train: Pictures, founders: list[Weights]):
        self.evaluations = 0
        self._train = train
        self._mother, self._father = map(Genome, founders)
        self._best, self._solved = self._mother, train.solved(self._mother.weights)

    def step(self) -> None:
        child = cross(self._mother, self._father, SIZE, self.evaluations / (RATIOS - 1))
        solved = self._train.solved(child.weights)
        if solved.mean() > self._solved.mean():
            self._best, self._solved = child, solved
        self.evaluations += 1

    def solved(self) -> Solved:
        return self._solved[np.newaxis]

    def best(self) -> Weights:
        return self._best.weights


Begin = Callable[[Pictures, list[Weights], np.random.Generator, bool], Method]  # with or without mutation
METHODS: dict[str, Begin] = {
    "m2n2": lambda train, founders, rng, mutation: Niches(train, founders, rng, breeding(mutation=mutation)),
    "no-attraction": lambda train, founders, rng, mutation: Niches(
        train, founders, rng, breeding(mutation=mutation), attract=False
    ),
    "replacement": lambda train, founders, rng, mutation: Replacement(
        train, founders, rng, breeding(mutation=mutation)
    ),
    "no-split": lambda train, founders, rng, mutation: Niches(
        train, founders, rng, breeding(mutation=mutation, split=False)
    ),
    "no-crossover": lambda train, founders, rng, mutation: Niches(
        train, founders, rng, breeding(mutation=mutation, mating=False)
    ),
    "ga": lambda train, founders, rng, mutation: Niches(
        train, founders, rng, breeding(mutation=mutation), alpha=0.0, attract=False
    ),
    "ga-no-crossover": lambda train, founders, rng, mutation: Niches(
        train, founders, rng, breeding(mutation=mutation, mating=False), alpha=0.0, attract=False
    ),
    "map-elites": lambda train, founders, rng, mutation: Elites(train, founders, rng, breeding(mutation=mutation)),
    "cma-es": lambda train, founders, rng, mutation: Strategy(train, rng),
    "brute-force": lambda train, founders, rng, mutation: BruteForce(train, founders),
}
