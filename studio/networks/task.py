"""The task of a run over any network, and its folder: weights bred by the scores that a person's function gives."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from eval.metrics import bootstrap_mean, paired_bootstrap
from pipelines.checkpoints.sources import Source
from pipelines.errors import RecipeError
from studio.breeding.initial_population import average_recipe, carried_over, source_recipes
from studio.breeding.m2n2 import M2N2
from studio.breeding.search_method import Candidate
from studio.conditions.agreement import Agreement
from studio.conditions.difference import Difference
from studio.conditions.record import kept_threads
from studio.errors import RunError
from studio.evolution.archive import Archive
from studio.evolution.niches import Floats
from studio.execution.creation import recipes_of, save_start
from studio.execution.lifecycle import carry
from studio.execution.loop import Loop, recorded
from studio.execution.recording import Watch
from studio.run_folders.making import new_run_folder
from studio.runs.database import make_database
from studio.runs.individual import Evaluation, Individual
from studio.runs.status import raise_if_stopped
from studio.runs.store import RunStore, open_store

from .config import AnyConfig, load
from .live_network import Weaver
from .user_scorer import Scorer, ScorerError, file_sha256

logger = logging.getLogger(__name__)

AnyStore = RunStore[AnyConfig]
Failure = (ScorerError, RecipeError)  # of one network: no numbers, other numbers than scores, weights that overflow


def create(folder: Path, config: AnyConfig) -> AnyStore:
    """Make a run's folder, once what the run is to work on can be opened.

    Raises:
        RunError: there is something in it already, or `start` is no run.
        ConfigError: the configuration does not fit the sources, or the individuals to start from; or a function's file
            is not there.
        M2N2Error: a source cannot be opened or merged, a pattern takes no tensor.
    """
    sources = config.open_sources()
    config.weighted(sources, [0.0] * len(sources), name="")
    for function in (config.scorer, config.reporter):
        if function:
            file_sha256(_file_of(function))
    first = [] if config.start is None else recipes_of(Path(config.start), open_any)
    for number, recipe in enumerate(first, start=1):
        carried_over(recipe, config, sources, name=f"{number:04d}")
    with new_run_folder(folder) as hidden:
        save_start(first, hidden)
        config.model_copy(update={"start": "start" if first else None}).save(hidden / "run.yaml")
        make_database(hidden)
    return open_any(folder)


def open_any(folder: Path) -> AnyStore:
    """Open a run's folder; errors are those of `studio.runs.store.open_run`."""
    return open_store(folder, load)


def carry_out(
    store: AnyStore,
    watch: Watch[AnyConfig] = lambda _: None,
    *,
    accept: str | None = None,
    reread: bool = False,
) -> None:
    """Run to the end, from wherever the store stands; arguments as in `studio.execution.control.carry_out`.

    Raises:
        RunError: another process carries it, a source cannot be scored, or what it depends on has changed.
        M2N2Error: see `create`.
    """

    def work() -> None:
        config, sources = store.config, store.config.open_sources()
        agreement = Agreement(store, accept, reread=reread)
        agreement.check(sources, {"reporter": _file_of(config.reporter)} if config.reporter else {})
        task = NetworkTask(store, sources, agreement)
        search = M2N2(config, sources, past=recorded(store, task.niches, sources))
        Loop(store, search, task, sources=sources, evaluations=config.evaluations, watch=watch).run()

    def with_kept_threads(_: object) -> None:
        with kept_threads(store):
            work()

    carry(store, with_kept_threads)


def _file_of(function: str) -> Path:
    """The file of FILE.py:FUNCTION."""
    return Path(function.rpartition(":")[0])


def best_child(store: AnyStore) -> Individual | None:
    """The offspring alive with the best mean score, the oldest of several; `None` before there is one."""
    alive = [one for one in store.individuals() if one.alive and not one.is_source]
    return max(alive, key=lambda one: one.mean("score") or 0.0, default=None)


class NetworkTask:
    """A `Task` (`studio.execution.task`): networks are woven one after another into the same memory, and scored.

    Args:
        store: the run; gets the scorer's identity.
        sources: opened, by name.
        agreement: what a person says to another scorer.

    Raises:
        RunError: the scorer is another one than before, and nobody agreed to it.
        ConfigError: see `Scorer`.
    """

    def __init__(self, store: AnyStore, sources: Mapping[str, Source], agreement: Agreement) -> None:
        self._store, self._sources = store, sources
        self._first = source_recipes(store.config, sources)
        everyone = store.individuals()
        counts = [len(one.scores["score"]) for one in everyone if one.scores]
        self._scorer = Scorer(store.config.scorer, items=counts[0] if counts else None)
        then = store.state.scorer or {}
        if everyone and then != self._scorer.identity:
            was, is_now = (f"sha256 {str(one.get('sha256'))[:12]}" for one in (then, self._scorer.identity))
            agreement.settle([Difference(kind="scorer", name=store.config.scorer, was=was, now=is_now)])
        store.update(scorer=self._scorer.identity)
        self._weaver = Weaver(next(iter(self._first.values())), sources)

    def niches(self, scores: Mapping[str, np.ndarray]) -> Floats:
        """What competes: a score per item, float64 [items]."""
        return scores["score"][:, 0]

    def evaluate(self, candidate: Candidate, archive: Archive) -> Evaluation:
        """Score a network.

        Raises:
            RunError: a source cannot be scored.
        """
        recipe = candidate.recipe
        try:
            scores = self._scorer(self._weaver.become(recipe))
        except Failure as failure:
            if candidate.role == "source":
                raise RunError(
                    "Source {recipe} cannot be scored: {failure}. Mend the scorer, and resume the run.",
                    recipe=recipe.name,
                    failure=failure,
                ) from failure
            return Evaluation({}, error=str(failure))
        return Evaluation({"score": scores[:, np.newaxis]})

    def complete(self, candidate: Candidate, evaluation: Evaluation, *, entered: bool) -> Evaluation:
        """A network leaves nothing but its scores."""
        return evaluation

    @property
    def reports(self) -> bool:
        """Whether there is a function that reports."""
        return self._store.config.reporter is not None

    def report(self) -> None:
        """Score sources, average and the best child on items that only report; a network that fails costs its row."""
        config, store = self._store.config, self._store
        assert config.reporter is not None
        reporter = Scorer(config.reporter)
        rows = {**self._first, "average": average_recipe(config, self._sources)}
        best = best_child(store)
        if best:
            rows["child"] = best.recipe
        kept, failed = dict(store.state.held_out), {}
        found: dict[str, list[float]] = {}
        for name, recipe in rows.items():
            key = f"{name} {recipe.digest} {reporter.identity}"
            try:
                if key not in kept:
                    raise_if_stopped(store)
                    kept[key] = reporter(self._weaver.become(recipe)).tolist()
                    store.update(held_out=kept)
                found[name] = kept[key]
            except Failure as failure:
                logger.warning("no report on %s: %s", name, failure)
                failed[name] = str(failure)
        store.update(
            child=best.id if best else None,
            items=found,
            results={name: dataclasses.asdict(bootstrap_mean(row)) for name, row in found.items()},
            comparisons={
                name: dataclasses.asdict(paired_bootstrap(found["child"], row))
                for name, row in found.items()
                if "child" in found and name != "child"
            },
            failed_rows=failed,
        )
