"""The studio's own search from the sources on: in which order it asks, and that it can be stopped at any time."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from studio.breeding.m2n2 import M2N2, Past
from studio.evolution.distances import score_distances
from studio.evolution.errors import EvolutionError
from studio.evolution.racing import RaceProgress
from studio.runs.config import embedded
from studio.runs.individual import Individual, PartialScores

LEARNS = {"guided": True, "split_points": 2, "split_growth": 3, "compatibility": 1.0}  # from what was told before
NEAR = {"step": 0.4, "warm_up": 3}  # looks at parents' scores


def scored(candidate):
    """Scores that depend on the recipe and the noise alone: float64 [3]."""
    shares = candidate.recipe.shares
    found = [0.6 * shares["attention"][name] + 0.3 * shares["backbone"][name] for name in ("ja", "flat", "real")]
    return np.clip(np.array(found) + 0.01 * candidate.rotation, 0, 1)


def raced(race, scores):
    """What is known of one that a race gave up, None where it was drawn to the end, and where the race ended."""
    progress, known = RaceProgress(race, 1), np.full(len(scores), np.nan)
    while places := progress.next_round(known):
        known[places] = scores[places]
    return (known if np.isnan(known).any() else None), progress.end


class Run:
    """A run in memory: what a store would hold, and candidates in the order in which they were asked for."""

    def __init__(self, family, in_flight, *, config=None, scored=scored, racing=0.0, **options):
        self.config = config or embedded(seed=2, archive=6, breeding=options)
        self.family, self.in_flight, self.scored = family, in_flight, scored
        self.everyone, self.state, self.rotation = {}, None, 0
        self.asked, self.settled, self.racing = [], True, racing
        self.open(None)

    def open(self, past):
        self.method = M2N2(
            self.config, self.family, noise_rotation=7, racing=self.racing, max_in_flight=self.in_flight, past=past
        )

    def interrupt(self):
        """Lose what a store does not hold."""
        if self.state is None:
            return self.open(None)
        state = json.loads(self.state)
        scores = lambda found: found["score"].mean(axis=1)  # noqa: E731
        self.open(Past(state, self.rotation, list(self.everyone.values()), scores))

    def step(self):
        """Fill the flight, tell the oldest, and write it down; every fifth offspring fails."""
        while self.method.ready:
            self.method.ask()
        candidate = self.method.in_flight[0]
        recipe, lineage = candidate.recipe, candidate.recipe.lineage
        failed = candidate.role == "offspring" and int(recipe.name) % 5 == 4
        scores = None if failed else self.scored(candidate)
        partial, end = (None, None) if failed or candidate.race is None else raced(candidate.race, scores)
        if partial is not None:
            scores = None
        told = self.method.tell(candidate, scores, partial=partial)
        self.asked.append((recipe.digest, recipe.name, candidate.role, candidate.rotation, told.entered))
        if candidate.role == "again":
            self.again[recipe.name] = scores
        else:
            self.again = {}
            self.everyone[recipe.name] = Individual(
                id=recipe.name,
                mother=lineage and lineage.mother,
                father=lineage and lineage.father,
                recipe=recipe,
                scores={} if scores is None else {"score": scores[:, np.newaxis]},
                entered=told.entered,
                alive=told.entered,
                seconds=1.0,
                born=datetime(2026, 1, 1, tzinfo=UTC),
                prediction=candidate.prediction,
                partial=None if partial is None else PartialScores(partial[:, np.newaxis]),
                race=end,
            )
        self.settled = told.settled
        if self.settled:
            self.rotation = candidate.rotation
            self.state = json.dumps(self.method.state())
            alive = self.method.archive.ids
            for id, one in self.everyone.items():
                scores = {"score": self.again[id][:, np.newaxis]} if id in self.again else one.scores
                self.everyone[id] = Individual(**{**vars(one), "alive": id in alive, "scores": scores})


@pytest.mark.parametrize(
    "options",
    [LEARNS, NEAR, {"merges": True}, {"min_distance": 0.1}],
    ids=["learns", "near", "merges", "apart"],
)
@pytest.mark.parametrize("in_flight", [1, 4])
def test_a_search_can_be_stopped_with_any_in_flight(family, in_flight, options):
    whole, cut = Run(family, in_flight, **options), Run(family, in_flight, **options)
    for number in range(44):  # four sources, thirty offspring or so, everyone alive again after seven of them
        whole.step()
        if number % 3 != 1 and cut.settled:  # else those before are asked for once more
            cut.interrupt()
        cut.step()
    assert cut.asked == whole.asked
    assert cut.state == whole.state
    assert {role for *_, role, _, _ in whole.asked} == {"source", "offspring", "again"}
    assert ("in_flight" in json.loads(whole.state)) == (in_flight > 1)


def test_those_alive_keep_a_distance_that_the_sources_measure(family):
    """Two of ja, flat and real are (0.9 + 0.9) / 3 apart, base from each 0.9 / 3: 0.45 on the mean of six pairs."""
    apart, plain = Run(family, 1, min_distance=0.1), Run(family, 1)
    for _ in range(44):
        apart.step()
        plain.step()
    assert apart.method.archive.min_distance == pytest.approx(0.045)
    assert plain.method.archive.min_distance == 0
    assert nearest(apart) >= 0.045 > nearest(plain)
    assert [one for one in apart.asked if one[2] == "offspring" and one[4]]  # some entered all the same


def nearest(run):
    """The least distance of two alive."""
    table = run.method.archive.scores
    return min(score_distances(table[place + 1 :], row).min() for place, row in enumerate(table[:-1]))


def test_noise_that_was_changing_is_begun_with_again(family):
    run = Run(family, 1)
    while sum(role == "again" for *_, role, _, _ in run.asked) < 2:
        run.step()
    run.interrupt()
    before = len(run.asked)
    for _ in range(7):
        run.step()
    roles = [role for *_, role, _, _ in run.asked[before:]]
    assert roles == ["again"] * 6 + ["offspring"]


def test_several_in_flight_are_another_search_that_repeats_itself(family):
    runs = [Run(family, in_flight) for in_flight in (1, 3, 3)]
    for run in runs:
        for _ in range(24):
            run.step()
    one, three, again = ([digest for digest, *_ in run.asked] for run in runs)
    assert three == again
    assert one != three
    assert one[:5] == three[:5]  # the sources, and a child of theirs


def test_nobody_is_bred_before_the_sources_are_told_and_nobody_across_a_change_of_noise(family):
    method = M2N2(embedded(), family, noise_rotation=2, max_in_flight=3)
    roles = []
    for _ in range(12):
        flight = []
        while method.ready:
            flight.append(method.ask())
        roles.append([candidate.role for candidate in method.in_flight])
        method.tell(method.in_flight[0], scored(method.in_flight[0]))
    assert roles[:5] == [["source"] * 3, ["source"] * 3, ["source"] * 2, ["source"], ["offspring"] * 2]
    assert roles[5:9] == [["offspring"], ["again"] * 3, ["again"] * 3, ["again"] * 3]


def test_candidates_are_told_in_order(family):
    method = M2N2(embedded(), family, max_in_flight=2)
    first, second = method.ask(), method.ask()
    assert method.in_flight == (first, second)
    with pytest.raises(EvolutionError, match="told the scores of 'base' before another candidate is asked for"):
        method.ask()
    with pytest.raises(EvolutionError, match="oldest candidate in flight, found 'ja'; hold its scores back"):
        method.tell(second, scored(second))
    with pytest.raises(EvolutionError, match="scores of 'base' refused"):
        method.tell(first, np.array([2.0]))
    assert method.in_flight == (first, second)
    assert method.tell(first, scored(first)).entered
    with pytest.raises(EvolutionError, match="oldest candidate in flight, found 'base'"):
        method.tell(first, scored(first))
