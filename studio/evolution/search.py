"""The search loop of M2N2: one offspring at a time, as in the paper; resumable bit for bit.

    search.add(id, genome, scores)          for every source
    while budget lasts:
        offspring = search.ask()            parents by fitness and attraction, then crossover
        scores = evaluate(offspring.genome)
        search.tell(id, offspring, scores)  it enters the archive, or not
        save(search.state())

A genome is whatever `crossover` takes and gives: a recipe here, a plain vector in a benchmark. All randomness comes
from one generator, in a fixed order, so the archive and the generator's state are all there is to save.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from studio.evolution.archive import Archive, Insertion
from studio.evolution.errors import EvolutionError
from studio.evolution.niches import attraction, check_scores, fitness, roulette

G = TypeVar("G")
Crossover = Callable[[G, G, np.random.Generator], G]


@dataclass(frozen=True)
class Offspring(Generic[G]):
    """A child just made and not yet scored, with its parents' ids."""

    mother: str
    father: str
    genome: G


def pick_parents(
    scores: ArrayLike, rng: np.random.Generator, *, alpha: float = 1.0, attract: bool = True
) -> tuple[int, int]:
    """Two different individuals: the mother by fitness (M2N2, Eq. 3), the father by attraction to her (Eq. 4).

    When nobody wins anything (all fitness zero) the mother is drawn uniformly. When nobody attracts her, or `attract`
    is off, the father is drawn by fitness among the others, uniformly if that is all zero too.

    Args:
        scores: float64 [individuals, niches], raw.
        rng: gives exactly two uniform numbers.
        alpha: competition strength.
        attract: False for a search without attraction, to compare with.

    Returns:
        Rows of the mother and the father.

    Raises:
        EvolutionError: fewer than two individuals, or scores that `check_scores` refuses.
    """
    scores = check_scores(scores)
    if len(scores) < 2:
        raise EvolutionError("expected at least 2 individuals to choose parents from, found 1; add another source")
    fit = fitness(scores, alpha=alpha)
    mother = roulette(fit, rng)
    others = np.delete(np.arange(len(scores)), mother)
    appeal = attraction(scores, mother, alpha=alpha) if attract else np.zeros(len(scores))
    weights = appeal if appeal.any() else fit
    return mother, int(others[roulette(weights[others], rng)])


class Search(Generic[G]):
    """M2N2 over an archive: ask for an offspring, tell its scores, again and again.

    `archive` holds who is alive, `genomes` maps their ids to what they are.

    Args:
        archive: who is alive; empty for a new search.
        rng: the search's only randomness; owned by the search from here on.
        crossover: mother's genome, father's genome and the generator to a child's genome; mutation, if any, is its
            business. It must draw from nothing but the generator.
        genomes: the genome of everyone in `archive`.
        attract: False for a search without attraction, to compare with.

    Raises:
        EvolutionError: somebody in `archive` has no genome.
    """

    def __init__(
        self,
        archive: Archive,
        *,
        rng: np.random.Generator,
        crossover: Crossover[G],
        genomes: Mapping[str, G] | None = None,
        attract: bool = True,
    ):
        genomes = genomes or {}
        missing = [id for id in archive.ids if id not in genomes]
        if missing:
            raise EvolutionError(f"expected a genome for every individual alive, found none for {', '.join(missing)}")
        self.archive = archive
        self.attract = attract
        self._rng = rng
        self._crossover = crossover
        self.genomes = {id: genomes[id] for id in archive.ids}
        self._pending: Offspring[G] | None = None
        self._settled = rng.bit_generator.state

    def add(self, id: str, genome: G, scores: ArrayLike) -> Insertion:
        """Let an individual that was not bred here, such as a source, compete for a place in the archive.

        Raises:
            EvolutionError: an offspring is in flight, which a resumed search could not breed again from another
                archive; or as `Archive.insert`.
        """
        if self._pending is not None:
            raise EvolutionError(f"expected no offspring in flight when {id!r} is added; tell its scores or discard it")
        return self._insert(id, genome, scores)

    def ask(self) -> Offspring[G]:
        """Breed the next offspring. Until it is told or discarded, asking again gives the same one.

        Raises:
            EvolutionError: fewer than two individuals are alive.
        """
        if self._pending is None:
            if len(self.archive) < 2:
                raise EvolutionError(
                    f"expected at least 2 individuals to breed from, found {len(self.archive)}; add the sources first"
                )
            rows = pick_parents(self.archive.scores, self._rng, alpha=self.archive.alpha, attract=self.attract)
            mother, father = (self.archive.ids[row] for row in rows)
            genome = self._crossover(self.genomes[mother], self.genomes[father], self._rng)
            self._pending = Offspring(mother=mother, father=father, genome=genome)
        return self._pending

    def tell(self, id: str, offspring: Offspring[G], scores: ArrayLike) -> Insertion:
        """Give the pending offspring a name and its scores, and let it compete for a place.

        Args:
            id: a name that nobody alive has.
            offspring: what `ask` gave.
            scores: float64 [niches], raw, in 0..1.

        Raises:
            EvolutionError: `offspring` is not the pending one, or as `Archive.insert`; it then stays pending.
        """
        if self._pending is None or offspring is not self._pending:
            raise EvolutionError(f"expected scores of the offspring that ask() gave last, found another one ({id!r})")
        inserted = self._insert(id, offspring.genome, scores)
        self.discard()
        return inserted

    def discard(self) -> None:
        """Give up the pending offspring, as after a failed evaluation: the next one will be another."""
        self._pending = None
        self._settled = self._rng.bit_generator.state

    def state(self) -> dict[str, Any]:
        """All that a resumed search needs beside genomes and scores; JSON can hold it.

        An offspring in flight is not part of it: the resumed search breeds the same one again.
        """
        return {"archive": self.archive.to_state(), "rng": self._settled, "attract": self.attract}

    @classmethod
    def restore(
        cls,
        state: Mapping[str, Any],
        *,
        genomes: Mapping[str, G],
        scores: Mapping[str, ArrayLike],
        crossover: Crossover[G],
    ) -> "Search[G]":
        """The search that `state` was taken from; from here on it does what that one did, bit for bit.

        Args:
            state: what `state()` gave.
            genomes: for everyone alive in the state, at least.
            scores: likewise; float64 [niches] each.
            crossover: as when the search began.

        Raises:
            EvolutionError: somebody's genome or scores are missing, or numpy does not know the generator.
        """
        name = state["rng"]["bit_generator"]
        if not hasattr(np.random, name):
            raise EvolutionError(f"expected a random generator that numpy {np.__version__} has, found {name!r}")
        bits = getattr(np.random, name)()
        bits.state = state["rng"]
        return cls(
            Archive.from_state(state["archive"], scores),
            rng=np.random.Generator(bits),
            crossover=crossover,
            genomes=genomes,
            attract=state["attract"],
        )

    def _insert(self, id: str, genome: G, scores: ArrayLike) -> Insertion:
        inserted = self.archive.insert(id, scores)
        if inserted.entered:
            self.genomes[id] = genome
        if inserted.dropped is not None:
            del self.genomes[inserted.dropped]
        return inserted
