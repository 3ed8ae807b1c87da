"""Several offspring in flight: bred from the archive as it stands, told in order, interrupted anywhere."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.evolution.errors import EvolutionError
from studio.evolution.search import Search
from tests.studio.evolution.test_search import LENGTH, SOURCES, go_on, nearness_to_ones, split_vectors, start


class Flight:
    """A search with several in flight that is carried out as a run is: each is written down as it is told.

    `log` maps ids to genomes, and `asked` holds the genomes in the order in which they were asked for.
    """

    def __init__(self, capacity, *, attract=True):
        self.search = start(seed=11, capacity=5, attract=attract, in_flight=capacity)
        self.log, self.asked, self.told = dict(SOURCES), [], 0

    def ask(self):
        """Fill the flight."""
        while len(self.search.in_flight) < self.search.max_in_flight:
            self.asked.append(self.search.ask().genome.tolist())

    def tell(self):
        """Score the oldest; every fourth one fails."""
        self.ask()
        oldest = self.search.in_flight[0]
        if self.told % 4 == 3:
            self.search.discard(oldest)
        else:
            self.log[f"child {self.told}"] = oldest.genome
            self.search.tell(f"child {self.told}", oldest, nearness_to_ones(oldest.genome))
        self.told += 1

    def interrupt(self):
        """Lose all but what JSON holds, and go on from there."""
        state = json.loads(json.dumps(self.search.state()))
        kept = [one.genome.tolist() for one in self.search.in_flight[: len(state.get("in_flight", []))]]
        del self.asked[self.told + len(kept) :]
        self.search = Search.restore(
            state,
            genomes=self.log,
            scores=self.log,
            crossover=split_vectors,
            max_in_flight=self.search.max_in_flight,
            in_flight=[np.array(genome) for genome in kept],
        )


@settings(max_examples=60, deadline=None)
@given(
    capacity=st.integers(1, 6),
    attract=st.booleans(),
    interruptions=st.sets(st.tuples(st.integers(0, 24), st.booleans()), max_size=8),
)
def test_a_search_with_some_in_flight_can_be_interrupted_anywhere(capacity, attract, interruptions):
    """Before or after others are asked for, whether or not parents of those in flight are alive any more."""
    whole, cut = Flight(capacity, attract=attract), Flight(capacity, attract=attract)
    for number in range(25):
        whole.tell()
        for asked in (False, True):
            if (number, asked) in interruptions:
                if asked:
                    cut.ask()
                cut.interrupt()
        cut.tell()
    assert cut.asked == whole.asked
    assert cut.search.archive.ids == whole.search.archive.ids
    assert cut.search.archive.scores.tobytes() == whole.search.archive.scores.tobytes()
    assert cut.search.state() == whole.search.state()


def test_one_in_flight_is_the_paper_s_search_and_more_are_another():
    alone, log = start(seed=11, capacity=5), {}
    go_on(alone, 3, log)
    flights = [Flight(capacity) for capacity in (1, 1, 2, 4, 4)]
    for flight in flights:
        for _ in range(3):
            flight.tell()
    assert flights[0].asked == [genome.tolist() for genome in log.values()]
    for flight in flights:
        for _ in range(20):
            flight.tell()
    one, same, two, four, again = ([tuple(genome) for genome in flight.asked] for flight in flights)
    assert one == same
    assert four == again
    assert len({tuple(one), tuple(two[: len(one)]), tuple(four[: len(one)])}) == 3
    assert four[0] == one[0]
    assert "in_flight" not in flights[0].search.state()
    assert len(flights[3].search.state()["in_flight"]) == 3


def test_those_in_flight_are_bred_from_the_archive_as_it_stands_and_told_in_order():
    search = start(in_flight=3)
    first, second, third = (search.ask() for _ in range(3))
    assert search.in_flight == (first, second, third)
    assert search.ask() is third
    for give_up in (False, True):
        with pytest.raises(EvolutionError, match=r"oldest offspring in flight, .* number 2 of 3; hold it back until"):
            search.discard(second) if give_up else search.tell("second", second, second.genome)
    assert search.in_flight == (first, second, third)
    search.tell("first", first, np.ones(LENGTH))
    search.discard(second)
    fourth = search.ask()
    assert search.in_flight == (third, fourth)
    assert {one.mother for one in (first, second, third)} <= set(SOURCES)  # nobody else was there yet


def test_a_flight_needs_room_and_its_genomes():
    with pytest.raises(EvolutionError, match="room for at least 1 offspring in flight, found 0"):
        start(in_flight=0)
    flight = Flight(3)
    flight.tell()
    with pytest.raises(EvolutionError, match="genomes of the 2 offspring that were in flight, found 0"):
        Search.restore(flight.search.state(), genomes=flight.log, scores=flight.log, crossover=split_vectors)
