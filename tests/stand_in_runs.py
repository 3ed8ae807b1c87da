"""Runs in which nothing is drawn: what an individual is worth hangs on its recipe alone."""

import random

import numpy as np

from studio.breeding.m2n2 import M2N2
from studio.execution.loop import Loop, recorded
from studio.runs.individual import Evaluation
from studio.runs.inputs import open_run_sources

NICHES = 4


class Task:
    """Asks `evaluate` what a name is worth; the recipe is the name, so that another recipe is worth something else."""

    reports = False

    def __init__(self, evaluate):
        self._evaluate = evaluate

    def evaluate(self, candidate, archive):
        name = f"{candidate.recipe.digest} {candidate.rotation}"
        scores = np.random.default_rng(int(self._evaluate(name) * 2**32)).random((NICHES, 1))
        return Evaluation({"ja": scores})

    def niches(self, scores):
        return scores["ja"].mean(axis=1)

    def complete(self, candidate, evaluation, *, entered):
        if entered:
            self._evaluate(candidate.recipe.digest)  # takes its time, as twins do
        return evaluation


def quick(name):
    return random.Random(name).random()


def carry(store, in_flight, *, evaluate=quick, executor=None, watch=lambda store: None):
    """Run to the end, or to where it is asked to stop."""
    sources, task = open_run_sources(store.config), Task(evaluate)
    past = recorded(store, task.niches, sources)
    rotation = store.config.noise_rotation
    search = M2N2(store.config, sources, noise_rotation=rotation, max_in_flight=in_flight, past=past)
    evaluations = store.config.evaluations
    Loop(store, search, task, sources=sources, evaluations=evaluations, watch=watch, executor=executor).run()
