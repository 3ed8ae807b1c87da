"""Carry out a run over any network: the same search, store and resuming as for pictures, with a person's own scores.

Everything random comes from the search's generator, whose state is committed with each individual: with a scorer that
gives equal weights equal scores, a resumed run equals the uninterrupted one, bit for bit.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from eval.metrics import bootstrap, paired_bootstrap
from pipelines.errors import RecipeError
from pipelines.recipes.pinning import check_sources
from pipelines.recipes.recipe import Recipe
from studio.breeding.initial_population import source_recipes
from studio.breeding.m2n2 import M2N2, Past
from studio.breeding.search_method import Candidate
from studio.errors import RunError
from studio.evolution.errors import EvolutionError
from studio.execution.lifecycle import carry
from studio.jobs.process import Stopped
from studio.runs.individual import Individual
from studio.runs.store import RunStore, new_folder, new_store, now, open_store

from .config import AnyConfig, load
from .live_network import Weaver
from .user_scorer import Scorer, ScorerError, file_sha256

logger = logging.getLogger(__name__)

AnyStore = RunStore[AnyConfig]
Watch = Callable[[AnyStore], None]
Failure = (ScorerError, RecipeError, EvolutionError)  # of one network: no numbers, weights that overflow, bad scores


def create(folder: Path, config: AnyConfig) -> AnyStore:
    """Make a run's folder, once what the run is to work on can be opened.

    Raises:
        RunError: there is something in it already.
        ConfigError: the configuration does not fit the sources, or a function's file is not there.
        M2N2Error: a source cannot be opened or merged, a pattern takes no tensor.
    """
    sources = config.open_sources()
    config.weighted(sources, [0.0] * len(sources), name="")
    for function in (config.scorer, config.reporter):
        if function:
            file_sha256(Path(function.rpartition(":")[0]))
    folder = new_folder(folder)
    config.save(folder / "run.yaml")
    return new_store(folder, config)


def open_any(folder: Path) -> AnyStore:
    """Open a run's folder; errors are those of `studio.store.open_run`."""
    return open_store(folder, load)


def carry_out(store: AnyStore, watch: Watch = lambda _: None) -> None:
    """Run to the end, from wherever the store stands.

    Args:
        store: a new, stopped or interrupted run.
        watch: called after each step; reads the store and shows it.

    Raises:
        RunError: another process carries it, a source cannot be scored, the scorer is not the one that it began with.
        M2N2Error: see `create`.
    """
    carry(store, lambda: _Run(store, watch).go())


def best_child(store: AnyStore) -> Individual | None:
    """The offspring alive with the best mean score, the oldest of several; `None` before there is one."""
    alive = [one for one in store.individuals() if one.alive and not one.is_source]
    return max(alive, key=lambda one: one.mean("score") or 0.0, default=None)


class _Run:
    def __init__(self, store: AnyStore, watch: Watch) -> None:
        self.store, self.config, self.watch = store, store.config, watch
        self.sources = self.config.open_sources()
        self.first = source_recipes(self.config, self.sources)
        self.scorer = Scorer(self.config.scorer)
        self._check_scorer()
        self.weaver = Weaver(next(iter(self.first.values())), self.sources)
        self.search = M2N2(self.config, self.sources, past=self._past())

    def go(self) -> None:
        """Sources, offspring, report."""
        while len(self.store.sources()) < len(self.sources):
            self._evaluate(self.search.ask())
        while self.store.count() < self.config.evaluations:
            self._tick()
            self._evaluate(self.search.ask())
        if self.config.reporter:
            self.store.update(status="reporting")
            self.watch(self.store)
            self._report(Scorer(self.config.reporter))

    def _check_scorer(self) -> None:
        before = self.store.state.scorer
        if self.store.individuals() and before != self.scorer.identity:
            raise RunError(
                f"{self.config.scorer} has changed since this run began, and scores on another scale cannot compete. "
                "Put the former file back, or start a new run."
            )
        self.store.update(scorer=self.scorer.identity)

    def _past(self) -> Past | None:
        state, everyone = self.store.state, self.store.individuals()
        if state.search is None:
            return None
        check_sources(everyone[0].recipe, self.sources)  # else every offspring would fail for it
        return Past(state.search, state.rotation, everyone, lambda scores: scores["score"][:, 0])

    def _evaluate(self, candidate: Candidate) -> None:
        started, recipe = time.monotonic(), candidate.recipe
        scores, error = None, None
        try:
            scores = self.scorer(self.weaver.become(recipe))
            told = self.search.tell(candidate, scores)
        except Failure as failure:
            if candidate.role == "source":
                raise RunError(
                    f"Source {recipe.name} cannot be scored: {failure}. Mend the scorer, and resume the run."
                ) from failure
            logger.warning("%s failed: %s", recipe.name, failure)
            scores, error = None, str(failure)
            told = self.search.tell(candidate, None)
        self._record(recipe, scores, started, entered=told.entered, error=error)

    def _record(
        self, recipe: Recipe, scores: np.ndarray | None, started: float, *, entered: bool, error: str | None = None
    ) -> None:
        lineage = recipe.lineage
        individual = Individual(
            id=recipe.name,
            mother=lineage.mother if lineage else None,
            father=lineage.father if lineage else None,
            recipe=recipe,
            scores={} if scores is None else {"score": scores[:, np.newaxis]},
            entered=entered,
            alive=entered,
            seconds=time.monotonic() - started,
            born=now(),
            error=error,
        )
        self.store.record(individual, self.search.state(), self.search.archive.ids)
        self.watch(self.store)

    def _report(self, reporter: Scorer) -> None:
        """Score sources, average and the best child on items that only report; a network that fails costs its row."""
        even = [1 / len(self.sources)] * len(self.sources)
        rows = {**self.first, "average": self.config.weighted(self.sources, even, name="average")}
        best = best_child(self.store)
        if best:
            rows["child"] = best.recipe
        kept, failed = self.store.state.held_out, {}
        found: dict[str, list[float]] = {}
        for name, recipe in rows.items():
            key = f"{name} {recipe.digest} {reporter.identity}"
            try:
                if key not in kept:
                    self._tick()
                    kept[key] = reporter(self.weaver.become(recipe)).tolist()
                    self.store.update(held_out=kept)
                found[name] = kept[key]
            except Failure as failure:
                logger.warning("no report on %s: %s", name, failure)
                failed[name] = str(failure)
        self.store.update(
            child=best.id if best else None,
            items=found,
            results={name: dataclasses.asdict(bootstrap(row)) for name, row in found.items()},
            comparisons={
                name: dataclasses.asdict(paired_bootstrap(found["child"], row))
                for name, row in found.items()
                if "child" in found and name != "child"
            },
            failed_rows=failed,
        )

    def _tick(self) -> None:
        if self.store.state.stop:
            raise Stopped
