"""The one loop of a run: ask the search for a candidate, have the task measure it, tell, record; in the end report.

Everything random comes from the search's generator, whose state is committed with the individuals. Where the task
gives equal recipes equal scores, a resumed run therefore equals the uninterrupted one, bit for bit, on one machine.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np

from pipelines.checkpoints.sources import Source
from pipelines.recipes.pinning import repinned
from pipelines.recipes.recipe import parse_recipe
from pipelines.untrusted import parse_json
from studio.breeding.m2n2 import Past
from studio.breeding.search_method import Candidate, ResumableSearch
from studio.evolution.niches import Floats
from studio.runs.individual import Evaluation
from studio.runs.status import raise_if_stopped
from studio.runs.store import C, RunStore

from .recording import Recorder, ToldCandidate, Watch
from .task import E, Task

P = ParamSpec("P")
T = TypeVar("T")
POLL_SECONDS = 0.5  # seconds between two looks whether the run was asked to stop


def recorded(
    store: RunStore[C], niches: Callable[[Mapping[str, np.ndarray]], Floats], sources: Mapping[str, Source]
) -> Past | None:
    """What a search goes on from; None where the run has not begun.

    Args:
        store: the run.
        niches: as `Task.niches` tells them.
        sources: opened. Recipes to breed from name the weights that these have: where a person accepted another file,
            what was judged before stays recorded with the former one, and what is born is made of this one.
    """
    state = store.state
    if state.search is None:
        return None
    everyone = [dataclasses.replace(one, recipe=repinned(one.recipe, sources)) for one in store.individuals()]
    in_flight = [
        {
            **one,
            "recipe": parse_json(repinned(parse_recipe(json.dumps(one["recipe"]), where="run.db"), sources).to_json()),
        }
        for one in state.search.get("in_flight", ())
    ]
    search = {**state.search, "in_flight": in_flight} if in_flight else state.search
    return Past(search, state.rotation, everyone, niches)


class _SameThread(Executor):
    """Does what it is handed before it hands out the result: one thing after another."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call `fn` now; see `concurrent.futures.Executor`."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # raised where the result is asked for
            future.set_exception(error)
        return future


@dataclass(frozen=True)
class _Measuring(Generic[E]):
    """A candidate that was handed out, and not told to the search yet."""

    candidate: Candidate
    started: float
    evaluation: Future[E]


@dataclass(frozen=True)
class _Completing:
    """A candidate that the search was told of, and that is not recorded yet."""

    told: ToldCandidate
    evaluation: Future[Evaluation]


class Loop(Generic[E, C]):
    """Carries one run from wherever its store stands to its end.

    As many candidates are in hand as the search has in flight. They are told, and recorded, in the order in which they
    were asked for, and the search is asked for the next as soon as one is told: what it breeds depends on how many are
    in flight, never on which of them was measured first. Those that are done at the same moment are recorded in one
    transaction, once those who measure have something to do again.

    Args:
        store: the run; this process has it to itself.
        search: who is to be measured; where the store has a search already, restored from it.
        task: measures and reports.
        sources: opened; files that change while an individual is measured end the run.
        evaluations: offspring to make in all; the sources are measured whatever the budget is.
        watch: called after each step; reads the store and shows it.
        executor: has the task measure and complete; where that is in several threads, the task allows for it. None:
            this thread does, one after another, and records what it has before it goes on to the next.
    """

    def __init__(
        self,
        store: RunStore[C],
        search: ResumableSearch,
        task: Task[E],
        *,
        sources: Mapping[str, Source],
        evaluations: int,
        watch: Watch[C],
        executor: Executor | None = None,
    ) -> None:
        self._store, self._search, self._task = store, search, task
        self._evaluations, self._watch, self._recorder = evaluations, watch, Recorder(store, sources, watch)
        self._in_turn, self._executor = executor is None, executor or _SameThread()
        self._waiting = deque(search.in_flight)  # asked for, and not handed out
        self._measuring: deque[_Measuring[E]] = deque()
        self._completing: deque[_Completing] = deque()
        self._begun = store.count()  # offspring that are recorded or in hand
        self._settled = True
        self._finish = False  # whether somebody asks for no more offspring

    def run(self) -> None:
        """Sources, offspring, report.

        Raises:
            Stopped: the run was asked to stop.
            SourceError: a source's file changed; the individual in hand is not recorded.
            RunError: so many offspring failed in a row that it is no fault of theirs.
            M2N2Error: a source cannot be measured, or the report cannot be made.
        """
        while True:
            raise_if_stopped(self._store)
            self._finish = bool(self._store.asked("finish"))
            self._put_to_work()
            if not self._measuring and not self._completing:
                break
            self._wait()
            for _ in _done(self._measuring):
                self._tell(self._measuring.popleft())
                if self._in_turn:
                    break  # it is recorded before this thread measures another
                self._put_to_work()
            completed = [self._completing.popleft() for _ in _done(self._completing)]
            self._recorder.record([(one.told, one.evaluation.result()) for one in completed])
        if self._task.reports:
            self._store.update(status="reporting")
            self._watch(self._store)
            self._task.report()

    def _put_to_work(self) -> None:
        """Ask the search for as many as it gives now, and have each measured while the next is bred.

        Those beyond the budget are bred too while others are in flight, and wait: a run that is given more offspring
        goes on with them, as if it had had the larger budget from the beginning.
        """
        self._hand_out()
        while self._search.ready and (self._search.in_flight or not self._settled or self._wanted()):
            candidate = self._search.ask()
            if candidate is None:
                break
            self._waiting.append(candidate)
            self._hand_out()

    def _hand_out(self) -> None:
        """Have those measured that were asked for, as far as the budget goes."""
        while self._waiting and (self._waiting[0].role != "offspring" or self._has_budget()):
            candidate, started = self._waiting.popleft(), time.monotonic()
            self._begun += candidate.role == "offspring"
            evaluation = self._executor.submit(self._task.evaluate, candidate, self._search.archive)
            self._measuring.append(_Measuring(candidate, started, evaluation))

    def _wanted(self) -> bool:
        """Whether somebody else is to be measured."""
        return bool(self._search.sources_left) or self._has_budget()

    def _has_budget(self) -> bool:
        """Whether one more offspring is to be made beside those in hand."""
        return self._begun < self._evaluations and not self._finish

    def _wait(self) -> None:
        """Wait until the oldest that is measured, or the oldest that is completed, is done.

        Raises:
            Stopped: the run was asked to stop.
        """
        oldest: list[Future[Any]] = []
        if self._measuring:
            oldest.append(self._measuring[0].evaluation)
        if self._completing:
            oldest.append(self._completing[0].evaluation)
        while not wait(oldest, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED).done:
            raise_if_stopped(self._store)

    def _tell(self, one: _Measuring[E]) -> None:
        """Tell the search what came of a candidate, and have done what is only worth it then."""
        measured = one.evaluation.result()
        scores = self._task.niches(measured.scores) if measured.complete else None
        partial = None if measured.partial is None else measured.partial.niches
        told = self._search.tell(one.candidate, scores, partial=partial)
        completed = self._executor.submit(self._task.complete, one.candidate, measured, entered=told.entered)
        self._settled = told.settled
        state, alive = self._search.state(), self._search.archive.ids
        self._completing.append(_Completing(ToldCandidate(one.candidate, one.started, told, state, alive), completed))


def _done(handed_out: Iterable[_Measuring[E] | _Completing]) -> list[Future[Any]]:
    """The futures that are done now, of the oldest on, up to the first that is not."""
    futures: list[Future[Any]] = [one.evaluation for one in handed_out]
    return list(itertools.takewhile(Future.done, futures))
