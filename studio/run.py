"""The process that carries a run to its end: evaluate the sources, breed and evaluate offspring, report; stop, resume.

Everything random comes from the search's generator, whose state is committed with each individual; noise is fixed by
the prompts. So a resumed run equals the uninterrupted one, bit for bit, on the same machine.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import filelock
import numpy as np

from eval.clip import ClipScorer
from eval.names import weights_size
from eval.prompts import PromptSet
from eval.tokens import truncated_by
from pipelines.errors import GenerationError, M2N2Error, RecipeError
from pipelines.generate import best_device
from pipelines.recipe import Recipe

from .breeding import Breeder, source_recipes
from .errors import RunError
from .evaluate import Drawn, Evaluator, Scored, check_captions, save_picture
from .evolution.archive import Archive
from .evolution.search import Offspring, Search
from .preflight import measured_rate, preflight
from .results import Reporter
from .store import Individual, RunStore, now

logger = logging.getLogger(__name__)

STRIP = 4  # pictures kept of an offspring that was turned away
Watch = Callable[[RunStore], None]


class Stopped(Exception):
    """Someone asked the run to stop."""


def carry_out(store: RunStore, watch: Watch | None = None) -> None:
    """Run to the end, from wherever the store stands.

    Args:
        store: a new, stopped or interrupted run.
        watch: called after each step; reads the store and shows it.

    Raises:
        RunError: another process carries this run already.
        M2N2Error: the run cannot go on; the reason is in the store too.
    """
    with _locked(store), _stop_on_signal(store):
        store.put(status="running", stop=False, error=None)
        try:
            _Run(store, watch or (lambda _: None)).go()
        except Stopped:
            store.put(status="stopped")
            logger.info("stopped; resume with --resume")
        except BaseException as error:
            store.put(status="failed", error=str(error) if isinstance(error, M2N2Error) else repr(error))
            raise
        if watch:
            watch(store)


def is_running(store: RunStore) -> bool:
    """Whether a process carries this run now; a killed one does not, whatever it last wrote."""
    lock = filelock.FileLock(store.folder / "run.lock")
    try:
        with lock.acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True


def start(store: RunStore) -> None:
    """Carry a run out in a process of its own, which outlives this one; its output goes to the run's `run.log`.

    Raises:
        RunError: a process carries it already.
    """
    if is_running(store):
        raise RunError(f"{store.folder} is being carried out by another process; watch it, or stop it first.")
    with open(store.folder / "run.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "studio.cli", "evolve", "--resume", "--out", str(store.folder.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # an ended child nobody waits for stays as a zombie


def ask_to_stop(store: RunStore) -> None:
    """Ask the process that carries this run to stop after the batch of pictures in hand."""
    store.put(stop=True)


class _Run:
    def __init__(self, store: RunStore, watch: Watch) -> None:
        self.store, self.config, self.watch = store, store.config, watch
        self.sources = self.config.open_sources()
        self.prompts: PromptSet = self.config.niches()
        if store.get("search") is None:  # a run that is resumed needs less than it did
            rate = measured_rate(store.folder.parent, self.config)
            preflight(self.config, self.sources, folder=store.folder, rate=rate).check()
        self.first = source_recipes(self.config, self.sources)
        scorer = ClipScorer(self.config.scorer, device=str(best_device()), parked=True)
        self.breeder = Breeder(self.config, self.sources, next(iter(self.first.values())))
        self.evaluator = Evaluator(
            next(iter(self.first.values())),
            self.sources,
            scorer,
            settings=self.config.pictures,
            noises=self.config.noises,
            room=max(weights_size(name) or 0 for name in (self.config.scorer, self.config.reporter)),
        )
        if self.evaluator.pipeline.plan.scorer == "beside":
            scorer.unpark()
        held = self.config.report_prompts()
        cut = check_captions(self.prompts, scorer, self.evaluator.pipeline)
        cut += truncated_by(self.config.reporter, [*held.texts("ja"), *held.texts("en")])
        if cut:
            logger.warning("captions too long, only their beginning counts: %s", ", ".join(cut))
        _check_scorer(store, scorer)
        store.put(truncated=cut, scorer=scorer.identity)
        self.search = self._search()

    def go(self) -> None:
        """Sources, offspring, report."""
        known = {individual.id for individual in self.store.individuals()}
        for name, recipe in self.first.items():
            if name not in known:
                self._evaluate_source(name, recipe)
        while (made := self.store.count()) < self.config.evaluations:
            self.breeder.number = made + 1
            self._evaluate_offspring(self.search.ask())
        self.store.put(status="reporting")
        self.watch(self.store)
        Reporter(self.store, self.sources, self.evaluator, tick=self._tick).report()
        self.store.put(status="done")

    def _search(self) -> Search[Recipe]:
        state = self.store.get("search")
        if state is None:
            archive = Archive(self.config.archive, alpha=self.config.alpha)
            return Search(archive, rng=np.random.default_rng(self.config.seed), crossover=self.breeder)
        alive = [individual for individual in self.store.individuals() if individual.alive]
        return Search.restore(
            state,
            genomes={individual.id: individual.recipe for individual in alive},
            scores={individual.id: individual.scores["ja"].mean(axis=1) for individual in alive},
            crossover=self.breeder,
        )

    def _evaluate_source(self, name: str, recipe: Recipe) -> None:
        started = time.monotonic()
        ja = self.evaluator.draw(recipe, self.prompts, "ja", self._tick)
        judged = self.evaluator.score(ja)
        scores = {"ja": judged.scores}
        self.search.add(name, recipe, judged.scores.mean(axis=1))
        en = self._report_twins(recipe, judged, scores)
        self._keep([*ja, *en], name)
        self._record(Individual(name, None, None, recipe, scores, True, True, time.monotonic() - started, now()))

    def _evaluate_offspring(self, offspring: Offspring[Recipe]) -> None:
        started = time.monotonic()
        recipe, entered, error = offspring.genome, False, None
        scores: dict[str, np.ndarray] = {}
        try:
            ja = self.evaluator.draw(recipe, self.prompts, "ja", self._tick)
            judged = self.evaluator.score(ja)
            scores["ja"] = judged.scores
            entered = self.search.tell(recipe.name, offspring, judged.scores.mean(axis=1)).entered
            self._keep(ja if entered else ja[:: max(1, len(ja) // STRIP)][:STRIP], recipe.name)
            if entered:  # the report's English costs as much again, so it is drawn for those that stay
                self._keep(self._report_twins(recipe, judged, scores), recipe.name)
        except (GenerationError, RecipeError) as failure:
            logger.warning("%s failed: %s", recipe.name, failure)
            error = str(failure)
            if not entered:  # fitness itself is missing; a report that failed takes nobody's place away
                self.search.discard()
        seconds = time.monotonic() - started
        mother, father = offspring.mother, offspring.father
        self._record(Individual(recipe.name, mother, father, recipe, scores, entered, entered, seconds, now(), error))

    def _report_twins(self, recipe: Recipe, ja: Scored, scores: dict[str, np.ndarray]) -> list[Drawn]:
        drawn = self.evaluator.draw(recipe, self.prompts, "en", self._tick)
        en = self.evaluator.score(drawn)
        scores |= {"en": en.scores, "consistency": self.evaluator.consistency(ja, en)}
        return drawn

    def _keep(self, drawn: list[Drawn], individual: str) -> None:
        for picture in drawn:
            path = self.store.image(individual, picture.prompt, picture.language, picture.noise)
            save_picture(picture, path, individual=individual, settings=self.config.pictures)

    def _record(self, individual: Individual) -> None:
        self.store.record(individual, self.search.state(), self.search.archive.ids)
        self.watch(self.store)

    def _tick(self, _: int = 0) -> None:
        if self.store.get("stop"):
            raise Stopped


def _check_scorer(store: RunStore, scorer: ClipScorer) -> None:
    """Refuse to go on with another scorer under the same name: its scores are on another scale."""
    before = store.get("scorer") or {}
    for key, value in scorer.identity.items():
        if key != "name" and before.get(key, value) != value:
            raise RunError(
                f"{store.folder} was scored by {before.get('name')} with {key} {before[key]!r}; now that is {value!r}. "
                "Expected the same scorer to the end of a run: put the former weights back, or start a new run."
            )


@contextlib.contextmanager
def _locked(store: RunStore) -> Iterator[None]:
    lock = filelock.FileLock(store.folder / "run.lock")
    try:
        lock.acquire(timeout=1)  # `is_running` holds it for a moment
    except filelock.Timeout:
        raise RunError(f"{store.folder} is being carried out by another process; watch it, or stop it first.") from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _stop_on_signal(store: RunStore) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into a stop after the batch in hand; a second one ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: FrameType | None) -> None:
        signal.signal(number, before[number])
        ask_to_stop(store)

    before: dict[int, Any] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def default_folder(root: Path) -> Path:
    """A new run's folder under `root`, named after the time."""
    return root / now().astimezone().strftime("%Y-%m-%d-%H%M%S")
