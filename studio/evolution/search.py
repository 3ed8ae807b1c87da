"""The search loop of M2N2: an offspring at a time, as in the paper, or several in flight; resumable bit for bit.

    search.add(id, genome, scores)          for every source
    while budget lasts:
        offspring = search.ask()            parents by fitness and attraction, then crossover
        scores = evaluate(offspring.genome)
        search.tell(id, offspring, scores)  it enters the archive, or not
        save(search.state())

Where scores are dear, some are enough to tell that an offspring cannot enter (`early_rejection`): give it up with
`discard`, and the search goes on as if it had been told the rest. A caller may name the parents, as for the first
merges of sources that fill the archive in M2N2's experiment with language models.

With k workers up to k offspring are in flight. Each is bred from the archive as it stands when it is asked for, and
they are told in the order in which they were asked for, whoever is scored first: the archive that the n-th is bred
from then depends on k alone, never on which worker was faster, so the same seed gives the same search. Scores that
come early are held back by the caller, who has to write an individual and the state of the search down together.

A genome is whatever `crossover` takes and gives: a recipe here, a plain vector in a benchmark. All randomness comes
from one generator, in a fixed order, so the archive, the generator's state and who is in flight are all there is to
save.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Generic

import numpy as np
from numpy.typing import ArrayLike

from .archive import Archive, Insertion
from .errors import EvolutionError
from .generators import generator_of
from .mating import Favour, chosen_parents, named_parents
from .offspring import Compatibility, Crossover, G, Offspring, Selection


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
        select: told how to breed a child by fitness and attraction, gives the one that is asked for: of several the
            most promising one, say. The first one bred if left out; not asked where the caller names the parents. Like
            `crossover`, it must draw from nothing but the generator.
        max_in_flight: k, how many offspring may be in flight, at least 1; 1 is the paper's search.

    Raises:
        EvolutionError: somebody in `archive` has no genome, or `max_in_flight` is below 1.
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
        select: Selection[G] | None = None,
        max_in_flight: int = 1,
    ):
        if max_in_flight < 1:
            raise EvolutionError("expected room for at least 1 offspring in flight, found {n}", n=max_in_flight)
        genomes = genomes or {}
        if missing := [id for id in archive.ids if id not in genomes]:
            raise EvolutionError(
                "expected a genome for every individual alive, found none for {missing}", missing=", ".join(missing)
            )
        self.archive = archive
        self.attract = attract
        self._rng = rng
        self._crossover = crossover
        self._compatibility = compatibility
        self._select = select
        self.genomes = {id: genomes[id] for id in archive.ids}
        self.max_in_flight = max_in_flight
        self._in_flight: list[Offspring[G]] = []  # oldest first
        self._settle()

    @property
    def in_flight(self) -> tuple[Offspring[G], ...]:
        """Those asked for and neither told nor discarded yet, in the order in which they were asked for."""
        return tuple(self._in_flight)

    def add(self, id: str, genome: G, scores: ArrayLike) -> Insertion:
        """Let an individual that was not bred here, such as a source, compete for a place in the archive.

        Raises:
            EvolutionError: an offspring is in flight, bred from the archive as it is; or as `Archive.insert`.
        """
        if self._in_flight:
            raise EvolutionError(
                "expected no offspring in flight when {id!r} is added; tell its scores or discard it", id=id
            )
        return self._insert(id, genome, scores)

    def rescore(self, scores: Mapping[str, ArrayLike]) -> None:
        """Replace the scores of everyone alive at once, as when all are judged on new noise. Nobody leaves.

        Raises:
            EvolutionError: an offspring is in flight, as with `add`; or as `Archive.rescore`.
        """
        if self._in_flight:
            raise EvolutionError(
                "expected no offspring in flight when all are scored again; tell its scores or discard it"
            )
        self.archive.rescore(scores)

    def ask(self, parents: tuple[str, str] | None = None, *, favour: Favour | None = None) -> Offspring[G]:
        """Breed the next offspring. While `max_in_flight` are in flight, asking again gives the newest of them.

        Args:
            parents: mother and father, two different ids alive, where the caller chooses instead of fitness and
                attraction. The generator then gives numbers to crossover alone. They are no part of the state: who
                resumes a search names the same two again.
            favour: factors by which those alive are chosen more often, or never, where people steer; whoever resumes
                the search gives the same again.

        Raises:
            EvolutionError: fewer than two individuals are alive, `parents` are not two of them, or `max_in_flight` are
                in flight and the newest is of others than `parents`; or as `Competition.pick_parents`.
        """
        if len(self._in_flight) < self.max_in_flight:
            choose = self._select if parents is None else None
            breed = partial(self._bred, parents, favour)
            self._in_flight.append(choose(breed, self._rng) if choose else breed())
        newest = self._in_flight[-1]
        if parents not in (None, (newest.mother, newest.father)):
            raise EvolutionError(
                "expected the parents of the offspring in flight, {mother!r} and {father!r}, found "
                "{parents}; tell its scores or discard it",
                mother=newest.mother,
                father=newest.father,
                parents=parents,
            )
        return newest

    def tell(self, id: str, offspring: Offspring[G], scores: ArrayLike) -> Insertion:
        """Give the oldest offspring in flight a name and its scores, and let it compete for a place.

        Args:
            id: a name that nobody alive has.
            offspring: the oldest that `ask` gave and that was neither told nor discarded.
            scores: float64 [niches], raw, in 0..1.

        Raises:
            EvolutionError: `offspring` is not the oldest in flight, or as `Archive.insert`; all in flight stay so.
        """
        self._check_oldest(offspring, f"scores ({id!r})")
        inserted = self._insert(id, offspring.genome, scores)
        self._leave_flight()
        return inserted

    def discard(self, offspring: Offspring[G]) -> None:
        """Give up the oldest offspring in flight, as after a failed evaluation or when it cannot enter.

        It makes room for another one as `tell` does, so its turn comes in the same order.

        Raises:
            EvolutionError: `offspring` is not the oldest in flight.
        """
        self._check_oldest(offspring, "an offspring to discard")
        self._leave_flight()

    def state(self) -> dict[str, Any]:
        """All that a resumed search needs beside genomes and scores; JSON can hold it.

        The state is that after the last `tell` or `discard`: what was asked for since is no part of it, the resumed
        search breeds the same ones again. Of those that were in flight even then the parents are here, as "in_flight",
        and their genomes belong to be kept beside the state: they came from an archive that is gone.
        """
        state = {"archive": self.archive.to_state(), "rng": self._settled_rng, "attract": self.attract}
        before = [{"mother": one.mother, "father": one.father} for one in self._in_flight[: self._settled_in_flight]]
        return {**state, "in_flight": before} if before else state

    @classmethod
    def restore(
        cls,
        state: Mapping[str, Any],
        *,
        genomes: Mapping[str, G],
        scores: Mapping[str, ArrayLike],
        crossover: Crossover[G],
        compatibility: Compatibility[G] | None = None,
        select: Selection[G] | None = None,
        max_in_flight: int = 1,
        in_flight: Sequence[G] = (),
    ) -> "Search[G]":
        """The search that `state` was taken from; from here on it does what that one did, bit for bit.

        Args:
            state: what `state()` gave.
            genomes: for everyone alive in the state, at least.
            scores: likewise; float64 [niches] each.
            crossover: as when the search began.
            compatibility: likewise.
            select: likewise.
            max_in_flight: likewise; with another one the search goes on well, but as another search.
            in_flight: the genomes of those that the state has in flight, in its order. They are to be told first.

        Raises:
            EvolutionError: somebody's genome or scores are missing, or numpy does not know the generator.
        """
        if len(in_flight) != len(flying := state.get("in_flight", [])):
            raise EvolutionError(
                "expected the genomes of the {expected} offspring that were in flight, found {found}",
                expected=len(flying),
                found=len(in_flight),
            )
        search = cls(
            Archive.from_state(state["archive"], scores),
            rng=generator_of(state["rng"]),
            crossover=crossover,
            genomes=genomes,
            attract=state["attract"],
            compatibility=compatibility,
            select=select,
            max_in_flight=max_in_flight,
        )
        search._in_flight = [
            Offspring(mother=one["mother"], father=one["father"], genome=genome)
            for one, genome in zip(flying, in_flight, strict=True)
        ]
        search._settle()
        return search

    def _bred(self, parents: tuple[str, str] | None = None, favour: Favour | None = None) -> Offspring[G]:
        mother, father = (
            named_parents(self.archive, parents)
            if parents
            else chosen_parents(
                self.archive,
                self._rng,
                genomes=self.genomes,
                attract=self.attract,
                compatibility=self._compatibility,
                favour=favour or {},
            )
        )
        genome = self._crossover(self.genomes[mother], self.genomes[father], self._rng)
        return Offspring(mother=mother, father=father, genome=genome)

    def _check_oldest(self, offspring: Offspring[G], found: str) -> None:
        if not self._in_flight:
            raise EvolutionError(
                "expected to be asked for an offspring first, found {found} while none is in flight; call ask()",
                found=found,
            )
        if offspring is not self._in_flight[0]:
            place = next((place for place, one in enumerate(self._in_flight) if one is offspring), None)
            which = "one that is not in flight" if place is None else f"number {place + 1} of {len(self._in_flight)}"
            raise EvolutionError(
                "expected the oldest offspring in flight, which ask() gave first, found {found} of {which}; "
                "hold it back until those before it are told or discarded",
                found=found,
                which=which,
            )

    def _leave_flight(self) -> None:
        del self._in_flight[0]
        self._settle()

    def _settle(self) -> None:
        """Remember what a resumed search begins with: whoever is asked for from here on, it breeds again."""
        self._settled_rng = self._rng.bit_generator.state
        self._settled_in_flight = len(self._in_flight)

    def _insert(self, id: str, genome: G, scores: ArrayLike) -> Insertion:
        inserted = self.archive.insert(id, scores)
        if inserted.entered:
            self.genomes[id] = genome
        for dropped in inserted.dropped:
            del self.genomes[dropped]
        return inserted
