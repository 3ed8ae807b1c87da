"""The search loop of M2N2: one offspring at a time, as in the paper; resumable bit for bit.

    search.add(id, genome, scores)          for every source
    while budget lasts:
        offspring = search.ask()            parents by fitness and attraction, then crossover
        scores = evaluate(offspring.genome)
        search.tell(id, offspring, scores)  it enters the archive, or not
        save(search.state())

Where scores are dear, some are enough to tell that an offspring is hopeless (`early.hopeless`): give it up with
`discard`, and the search goes on as if it had been told the rest. A caller may name the parents, as for the first
merges of sources that fill the archive in M2N2's experiment with language models.

A genome is whatever `crossover` takes and gives: a recipe here, a plain vector in a benchmark. All randomness comes
from one generator, in a fixed order, so the archive and the generator's state are all there is to save.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .archive import Archive, Insertion
from .errors import EvolutionError

G = TypeVar("G")
Crossover = Callable[[G, G, np.random.Generator], G]
Compatibility = Callable[[G, G], float]


@dataclass(frozen=True)
class Offspring(Generic[G]):
    """A child just made and not yet scored, with its parents' ids."""

    mother: str
    father: str
    genome: G


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
        compatibility: mother's genome and a candidate's to a factor of its attraction, 0 or more: how well the two
            merge (M2N2 leaves it open). Like `crossover` it belongs to how a search is made, not to its state, and it
            must give the same for the same two. Not asked where there is no attraction.

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
        compatibility: Compatibility[G] | None = None,
    ):
        genomes = genomes or {}
        missing = [id for id in archive.ids if id not in genomes]
        if missing:
            raise EvolutionError(f"expected a genome for every individual alive, found none for {', '.join(missing)}")
        self.archive = archive
        self.attract = attract
        self._rng = rng
        self._crossover = crossover
        self._compatibility = compatibility
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

    def rescore(self, scores: Mapping[str, ArrayLike]) -> None:
        """Replace the scores of everyone alive at once, as when all are judged on new noise. Nobody leaves.

        Raises:
            EvolutionError: an offspring is in flight, as with `add`; or as `Archive.rescore`.
        """
        if self._pending is not None:
            raise EvolutionError(
                "expected no offspring in flight when all are scored again; tell its scores or discard it"
            )
        self.archive.rescore(scores)

    def ask(self, parents: tuple[str, str] | None = None) -> Offspring[G]:
        """Breed the next offspring. Until it is told or discarded, asking again gives the same one.

        Args:
            parents: mother and father, two different ids alive, where the caller chooses instead of fitness and
                attraction. The generator then gives numbers to crossover alone. They are no part of the state: who
                resumes a search names the same two again.

        Raises:
            EvolutionError: fewer than two individuals are alive, `parents` are not two of them, or an offspring of
                others than `parents` is in flight; or as `Competition.pick_parents`.
        """
        if self._pending is None:
            mother, father = self._pick() if parents is None else self._named(parents)
            genome = self._crossover(self.genomes[mother], self.genomes[father], self._rng)
            self._pending = Offspring(mother=mother, father=father, genome=genome)
        elif parents is not None and parents != (self._pending.mother, self._pending.father):
            raise EvolutionError(
                f"expected the parents of the offspring in flight, {self._pending.mother!r} and "
                f"{self._pending.father!r}, found {parents}; tell its scores or discard it"
            )
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
        """Give up the pending offspring, as after a failed evaluation or when it is hopeless; the next is another."""
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
        compatibility: Compatibility[G] | None = None,
    ) -> "Search[G]":
        """The search that `state` was taken from; from here on it does what that one did, bit for bit.

        Args:
            state: what `state()` gave.
            genomes: for everyone alive in the state, at least.
            scores: likewise; float64 [niches] each.
            crossover: as when the search began.
            compatibility: likewise.

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
            compatibility=compatibility,
        )

    def _pick(self) -> tuple[str, str]:
        ids = self.archive.ids
        if len(ids) < 2:
            raise EvolutionError(
                f"expected at least 2 individuals to breed from, found {len(ids)}; add the sources first"
            )
        compatibility = None
        if (between := self._compatibility) is not None:
            genomes = [self.genomes[id] for id in ids]

            def compatibility(mother: int, row: int) -> float:
                return between(genomes[mother], genomes[row])

        mother, father = self.archive.competition.pick_parents(
            self._rng, attract=self.attract, compatibility=compatibility
        )
        return ids[mother], ids[father]

    def _named(self, parents: tuple[str, str]) -> tuple[str, str]:
        mother, father = parents
        if mother == father or mother not in self.archive or father not in self.archive:
            raise EvolutionError(
                f"expected two different parents out of {', '.join(self.archive.ids)}, found {mother!r} and {father!r}"
            )
        return mother, father

    def _insert(self, id: str, genome: G, scores: ArrayLike) -> Insertion:
        inserted = self.archive.insert(id, scores)
        if inserted.entered:
            self.genomes[id] = genome
        if inserted.dropped is not None:
            del self.genomes[inserted.dropped]
        return inserted
