"""The loop: who mates, what a search reaches, and that an interrupted one goes on as if nothing had happened."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from studio.evolution.archive import Archive
from studio.evolution.errors import EvolutionError
from studio.evolution.search import Search, pick_parents

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


def start(crossover=split_vectors, *, seed=0, capacity=6, attract=True):
    search = Search(Archive(capacity), rng=np.random.default_rng(seed), crossover=crossover, attract=attract)
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


def test_the_mother_is_drawn_by_fitness_and_the_father_by_attraction():
    # Only 0 and 1 win anything; whoever is the mother lacks what the other has, and 2 lacks everything.
    scores = [[0.9, 0.1], [0.1, 0.9], [0.1, 0.1]]
    rng = np.random.default_rng(1)
    pairs = {pick_parents(scores, rng) for _ in range(100)}
    assert pairs == {(0, 1), (1, 0)}


def test_parents_are_uniform_when_all_are_equal():
    rng = np.random.default_rng(1)
    pairs = [pick_parents([[0.5, 0.5]] * 3, rng) for _ in range(600)]
    assert set(pairs) == {(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)}
    assert all(pairs.count(pair) > 60 for pair in set(pairs))


def test_when_nobody_attracts_the_mother_the_father_is_drawn_by_fitness():
    # 0 is best everywhere, so nobody attracts it; 1 wins something, 2 nothing.
    rng = np.random.default_rng(1)
    pairs = {pick_parents([[0.9, 0.9], [0.5, 0.5], [0.1, 0.1]], rng) for _ in range(200)}
    assert pairs == {(0, 1), (1, 0)}


def test_when_nobody_else_wins_anything_the_father_is_uniform():
    rng = np.random.default_rng(1)
    pairs = {pick_parents([[0.9, 0.9], [0.1, 0.1], [0.1, 0.1]], rng) for _ in range(200)}
    assert pairs == {(0, 1), (0, 2)}


def test_without_attraction_the_father_is_drawn_by_fitness_alone():
    # To mother 0 only 1 is attractive (niche 1); by fitness, 2 wins as well.
    scores = [[0.9, 0.1], [0.1, 0.5], [0.7, 0.1]]
    attracted = {pick_parents(scores, np.random.default_rng(seed)) for seed in range(200)}
    by_fitness = {pick_parents(scores, np.random.default_rng(seed), attract=False) for seed in range(200)}
    assert (0, 2) not in attracted
    assert (0, 1) in attracted
    assert {(0, 1), (0, 2)} <= by_fitness


def test_one_individual_has_no_mate():
    with pytest.raises(EvolutionError, match=r"at least 2 individuals .* found 1"):
        pick_parents([[0.5]], np.random.default_rng(0))
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
def test_an_interrupted_search_equals_an_uninterrupted_one(crossover, attract):
    whole, everything = start(crossover, attract=attract), {}
    go_on(whole, 40, everything)

    search, log = start(crossover, attract=attract), {}
    for steps in (1, 0, 7, 20, 12):
        go_on(search, steps, log)
        if steps % 2 == 0:
            search.ask()  # killed while this offspring was in flight
        state = json.loads(json.dumps(search.state()))
        genomes = SOURCES | log
        scores = {id: nearness_to_ones(genome) for id, genome in genomes.items()}
        search = Search.restore(state, genomes=genomes, scores=scores, crossover=crossover)

    assert search.archive.ids == whole.archive.ids
    assert search.archive.scores.tobytes() == whole.archive.scores.tobytes()
    assert log.keys() == everything.keys()
    assert all(log[id].tobytes() == everything[id].tobytes() for id in log)
    assert search.state() == whole.state()


def test_asking_again_gives_the_offspring_in_flight():
    search = start()
    assert search.ask() is search.ask()


def test_nobody_is_added_while_an_offspring_is_in_flight():
    search = start()
    search.ask()
    with pytest.raises(EvolutionError, match="no offspring in flight when 'late' is added"):
        search.add("late", np.ones(LENGTH), np.ones(LENGTH))
    search.discard()
    assert search.add("late", np.ones(LENGTH), np.ones(LENGTH)).entered


def test_a_failed_evaluation_is_given_up_and_the_search_goes_on():
    search = start()
    before, failed = search.state(), search.ask()
    search.discard()
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
    with pytest.raises(EvolutionError, match=r"offspring that ask\(\) gave last"):
        search.tell("y", offspring, offspring.genome)


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
