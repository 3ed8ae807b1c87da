"""The loop: who mates, what a search reaches, and that an interrupted one goes on as if nothing had happened."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from studio.evolution.archive import Archive
from studio.evolution.competition import Competition
from studio.evolution.errors import EvolutionError
from studio.evolution.search import Search

LENGTH = 24
SOURCES = {
    "first third": np.repeat([1.0, 0.0, 0.0], LENGTH // 3),
    "second third": np.repeat([0.0, 1.0, 0.0], LENGTH // 3),
    "last third": np.repeat([0.0, 0.0, 1.0], LENGTH // 3),
}


def split_vectors(mother, father, rng):
    """The head of one parent, the tail of the other: the split point without the mixing."""
    split = rng.integers(1, LENGTH)
    return np.concatenate([mother[:split], father[split:]])


def split_and_mutate(mother, father, rng):
    return np.clip(split_vectors(mother, father, rng) + rng.normal(0, 0.1, LENGTH), 0, 1)


def nearness_to_ones(genome):
    return genome


def likeness(mother, candidate):
    return float(np.exp(-np.abs(mother - candidate).mean()))


def start(crossover=split_vectors, *, seed=0, capacity=6, in_flight=1, **how):
    rng = np.random.default_rng(seed)
    search = Search(Archive(capacity), rng=rng, crossover=crossover, max_in_flight=in_flight, **how)
    for id, genome in SOURCES.items():
        search.add(id, genome, nearness_to_ones(genome))
    return search


def go_on(search, steps, log):
    """Breed for some steps; `log` maps ids to genomes, like a run store."""
    for _ in range(steps):
        offspring = search.ask()
        id = f"child {len(log)}"
        log[id] = offspring.genome
        search.tell(id, offspring, nearness_to_ones(offspring.genome))


def test_a_search_asks_compatibility_of_genomes():
    search = start(compatibility=lambda mother, candidate: float(candidate[0] == 1))
    pairs = []
    for _ in range(60):
        offspring = search.ask()
        pairs.append((offspring.mother, offspring.father))
        search.discard(offspring)
    fathers = {father for mother, father in pairs if mother != "first third"}
    assert fathers == {"first third"}


def test_one_individual_has_no_mate():
    with pytest.raises(EvolutionError, match=r"at least 2 individuals .* found 1"):
        Competition(np.array([[0.5]])).pick_parents(np.random.default_rng(0))
    search = Search(Archive(3), rng=np.random.default_rng(0), crossover=split_vectors)
    with pytest.raises(EvolutionError, match=r"at least 2 individuals .* found 0; add the sources first"):
        search.ask()


def test_splits_alone_put_the_three_thirds_together():
    search, log = start(capacity=20), {}
    go_on(search, 300, log)
    assert search.archive.scores.mean(axis=1).max() == 1.0
    assert_array_equal(log[search.archive.best()], np.ones(LENGTH))


def test_dense_vectors_with_mutation_work_with_the_same_class():
    search, log = start(split_and_mutate, seed=2, capacity=12), {}
    go_on(search, 800, log)
    assert search.archive.scores.mean(axis=1).max() > 0.95


@pytest.mark.parametrize("crossover", [split_vectors, split_and_mutate])
@pytest.mark.parametrize("attract", [True, False])
@pytest.mark.parametrize("compatibility", [None, likeness])
def test_an_interrupted_search_equals_an_uninterrupted_one(crossover, attract, compatibility):
    whole, everything = start(crossover, attract=attract, compatibility=compatibility), {}
    go_on(whole, 40, everything)

    search, log = start(crossover, attract=attract, compatibility=compatibility), {}
    for steps in (1, 0, 7, 20, 12):
        go_on(search, steps, log)
        if steps % 2 == 0:
            search.ask()  # killed while this offspring was in flight
        state = json.loads(json.dumps(search.state()))
        genomes = SOURCES | log
        scores = {id: nearness_to_ones(genome) for id, genome in genomes.items()}
        search = Search.restore(state, genomes=genomes, scores=scores, crossover=crossover, compatibility=compatibility)

    assert search.archive.ids == whole.archive.ids
    assert search.archive.scores.tobytes() == whole.archive.scores.tobytes()
    assert log.keys() == everything.keys()
    assert all(log[id].tobytes() == everything[id].tobytes() for id in log)
    assert search.state() == whole.state()


def test_asking_again_gives_the_offspring_in_flight():
    search = start()
    assert search.ask() is search.ask()


def test_parents_can_be_named_and_only_crossover_draws():
    search, rng = start(seed=9), np.random.default_rng(9)
    offspring = search.ask(("last third", "first third"))
    assert (offspring.mother, offspring.father) == ("last third", "first third")
    assert_array_equal(offspring.genome, split_vectors(SOURCES["last third"], SOURCES["first third"], rng))
    assert search.ask(("last third", "first third")) is offspring
    assert search.ask() is offspring
    with pytest.raises(EvolutionError, match="parents of the offspring in flight, 'last third' and 'first third'"):
        search.ask(("first third", "last third"))


@pytest.mark.parametrize(
    "parents", [("first third", "first third"), ("first third", "nobody"), ("nobody", "last third")]
)
def test_named_parents_must_be_two_alive(parents):
    search = start()
    before = search.state()
    with pytest.raises(EvolutionError, match=r"two different parents out of first third, .*, found"):
        search.ask(parents)
    assert search.state() == before
    assert search.ask().genome.tolist() == start().ask().genome.tolist()  # nothing was drawn for it


def test_an_interrupted_warm_up_goes_on_with_the_same_children():
    pairs = [("first third", "second third"), ("second third", "last third"), ("last third", "first third")]

    def warm_up(*, interrupted):
        search, log = start(), {}
        for number, parents in enumerate(pairs):
            if interrupted:
                search.ask(parents)  # killed while this one was in flight
                genomes = SOURCES | log
                search = Search.restore(search.state(), genomes=genomes, scores=genomes, crossover=split_vectors)
            offspring = search.ask(parents)
            log[f"child {number}"] = offspring.genome
            search.tell(f"child {number}", offspring, nearness_to_ones(offspring.genome))
        go_on(search, 10, log)
        return search.state(), {id: genome.tolist() for id, genome in log.items()}

    assert warm_up(interrupted=True) == warm_up(interrupted=False)


def test_everyone_can_be_scored_again_between_offspring():
    search = start()
    again = {id: genome / 2 for id, genome in SOURCES.items()}
    offspring = search.ask()
    with pytest.raises(EvolutionError, match="no offspring in flight when all are scored again"):
        search.rescore(again)
    search.discard(offspring)
    before = search.state()
    search.rescore(again)
    assert_array_equal(search.archive.scores, list(again.values()))
    assert search.state() == before
    resumed = Search.restore(search.state(), genomes=SOURCES, scores=again, crossover=split_vectors)
    assert resumed.ask().genome.tolist() == search.ask().genome.tolist()


def test_nobody_is_added_while_an_offspring_is_in_flight():
    search = start()
    offspring = search.ask()
    with pytest.raises(EvolutionError, match="no offspring in flight when 'late' is added"):
        search.add("late", np.ones(LENGTH), np.ones(LENGTH))
    search.discard(offspring)
    assert search.add("late", np.ones(LENGTH), np.ones(LENGTH)).entered


def test_a_failed_evaluation_is_given_up_and_the_search_goes_on():
    search = start()
    before, failed = search.state(), search.ask()
    search.discard(failed)
    assert search.state()["rng"] != before["rng"]
    assert search.state()["archive"] == before["archive"]
    other = search.ask()
    assert (other.mother, other.father, other.genome.tolist()) != (failed.mother, failed.father, failed.genome.tolist())


def test_refused_scores_leave_the_offspring_pending():
    search = start()
    offspring = search.ask()
    before = search.state()
    with pytest.raises(EvolutionError, match="scores of 'x' refused"):
        search.tell("x", offspring, np.full(LENGTH, np.nan))
    assert search.ask() is offspring
    assert search.state() == before


def test_scores_of_another_offspring_are_refused():
    search = start()
    offspring = search.ask()
    search.tell("x", offspring, offspring.genome)
    with pytest.raises(EvolutionError, match=r"scores \('y'\) while none is in flight; call ask\(\)"):
        search.tell("y", offspring, offspring.genome)
    search.ask()
    with pytest.raises(EvolutionError, match=r"scores \('y'\) of one that is not in flight"):
        search.tell("y", offspring, offspring.genome)


def test_the_paper_s_search_does_what_it_always_did():
    """Recorded when one was in flight at most: parents, child, who left for it; "-" where it was turned away."""
    recorded = [
        ("last third", "second third", "000000000000000011111100", None),
        ("first third", "last third", "111111110000000000000001", None),
        ("second third", "child 1", "000000001111110000000001", None),
        ("child 2", "last third", "000000000000000011111111", "discarded"),
        ("child 2", "last third", "000000001111110000000111", "child 2"),
        ("child 1", "child 4", "111111110011110000000111", "first third"),
        ("child 0", "child 5", "000000000000000000000111", "-"),
        ("second third", "child 1", "000000001111111100000001", "child 4"),
        ("child 5", "child 7", "111110001111111100000001", "discarded"),
        ("second third", "child 1", "000000001111111100000001", "second third"),
        ("child 5", "child 0", "111111110000000011111100", "child 0"),
        ("child 5", "last third", "111111110011110000000111", "child 1"),
        ("child 9", "child 10", "000000001111111100000100", "-"),
    ]
    search, seen = start(seed=4), []
    for number in range(len(recorded)):
        offspring = search.ask()
        if recorded[number][-1] == "discarded":
            search.discard(offspring)
            left = "discarded"
        else:
            inserted = search.tell(f"child {number}", offspring, nearness_to_ones(offspring.genome))
            left = next(iter(inserted.dropped), None) if inserted.entered else "-"
        genome = "".join(str(int(value)) for value in offspring.genome)
        seen.append((offspring.mother, offspring.father, genome, left))
    assert seen == recorded


def test_genomes_are_kept_only_of_those_alive():
    search, log = start(capacity=3), {}
    go_on(search, 30, log)
    assert search.genomes.keys() == set(search.archive.ids)


def test_a_search_over_individuals_without_genomes_is_refused():
    archive = Archive(2)
    archive.insert("a", [0.5])
    with pytest.raises(EvolutionError, match="genome for every individual alive, found none for a"):
        Search(archive, rng=np.random.default_rng(0), crossover=split_vectors)


def test_a_generator_that_numpy_lacks_is_refused():
    state = start().state()
    state["rng"] = {**state["rng"], "bit_generator": "PCG128"}
    with pytest.raises(EvolutionError, match="'PCG128'"):
        Search.restore(state, genomes=SOURCES, scores=SOURCES, crossover=split_vectors)
