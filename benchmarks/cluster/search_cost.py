"""What asking for many at once costs the search: the best score on the digits, by how many are in flight."""

from __future__ import annotations

from collections import deque

import numpy as np

from benchmarks.digits.methods import ARCHIVE, Genome, breeding
from benchmarks.digits.task import digits, specialists
from studio.evolution.archive import Archive
from studio.evolution.search import Offspring, Search


def best_accuracy(*, in_flight: int, evaluations: int, seed: int) -> tuple[float, float]:
    """Return the accuracy of the best network after a number of evaluations, in training and on the test pictures.

    Two specialists are merged without mutation, as in the digits benchmark, by the studio's own search. As many are
    asked for as may be in flight before the oldest is told.
    """
    train, test = digits()
    search = Search(
        Archive(ARCHIVE), rng=np.random.default_rng(seed), crossover=breeding(mutation=False), max_in_flight=in_flight
    )
    for number, weights in enumerate(specialists()):
        search.add(f"founder {number}", Genome(weights), train.solved(weights))
    asked: deque[Offspring[Genome]] = deque()
    told = 0
    while told < evaluations:
        while len(asked) < in_flight:
            asked.append(search.ask())
        offspring = asked.popleft()
        search.tell(str(told), offspring, train.solved(offspring.genome.weights))
        told += 1
    best = search.genomes[search.archive.best()].weights
    return float(train.solved(best).mean()), float(test.solved(best).mean())
