"""What the workers of a run are about, for those who watch it: who draws what, how fast, what failed, who waits."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Doing = Literal["waiting", "opening", "drawing", "idle"]
FAILURES = 8  # of the newest that are told
_RECENT = 20  # evaluations of a worker that tell how fast it is
_RECENT_OF_ALL = 100


@dataclass(frozen=True)
class WorkerIdentity:
    """Where a worker computes, and in what.

    Attributes:
        node: the machine's name.
        device: the GPU's name, or the processor's where there is none.
        dtype: of the weights, as torch calls it.
    """

    node: str
    device: str
    dtype: str

    @property
    def kind(self) -> str:
        """What scores depend on beside the recipe, in the last digits at the least."""
        return f"{self.device}, {self.dtype}"


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkerStatus(_Told):
    """What one worker is about.

    Attributes:
        number: of its place, from 1; a worker that follows a lost one has its number.
        node, device, dtype: see `WorkerIdentity`; empty as long as nothing is known.
        doing: `waiting` for a process or a machine, `opening`, `drawing`, or `idle`.
        note: what it is about while it opens, in words.
        child: whom it draws; empty where it draws nobody.
        prompts: of it that are drawn.
        of: prompts in all.
        leaving: whether it ends after what it has in hand.
        evaluations: that it has done. An evaluation is the prompts of one child, or a part of them, in one language.
        per_minute: of them, lately; None before the first.
        idle: share of its time since it was open in which it had nothing to do, in 0..1; None before it was open.
    """

    number: int
    node: str = ""
    device: str = ""
    dtype: str = ""
    doing: Doing = "waiting"
    note: str = ""
    child: str = ""
    prompts: int = 0
    of: int = 0
    leaving: bool = False
    evaluations: int = 0
    per_minute: float | None = None
    idle: float | None = None


class WorkerFailure(_Told):
    """Something that went wrong with a worker.

    Attributes:
        when: seconds since 1970.
        worker: its number.
        reason: a sentence, as it stands in the log.
    """

    when: float
    worker: int
    reason: str


class PoolStatus(_Told):
    """What all workers of a run are about.

    Attributes:
        workers: those there are, by number; none once they have ended.
        missing: that somebody wants beside them, and for which no device is free.
        failures: the newest, oldest first.
        failed: how many there were.
        evaluations, per_minute, idle: as of `WorkerStatus`, of all workers since this process carries the run.
    """

    workers: tuple[WorkerStatus, ...] = ()
    missing: int = 0
    failures: tuple[WorkerFailure, ...] = ()
    failed: int = 0
    evaluations: int = 0
    per_minute: float | None = None
    idle: float | None = None


@dataclass(frozen=True)
class _Place:
    """The account of one place; times are of the account's clock, in seconds."""

    number: int
    identity: WorkerIdentity | None = None
    doing: Doing = "waiting"
    note: str = ""
    child: str = ""
    prompts: int = 0
    of: int = 0
    leaving: bool = False
    evaluations: int = 0
    open_since: float | None = None
    busy_since: float | None = None
    opened: float = 0.0  # seconds with workers that are gone
    busy: float = 0.0
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def times(self, now: float) -> tuple[float, float]:
        """Seconds that its workers were open, and those in which they drew."""
        opened = self.opened + (0.0 if self.open_since is None else now - self.open_since)
        return opened, self.busy + (0.0 if self.busy_since is None else now - self.busy_since)


class PoolAccount:
    """Keeps account of the workers of a pool, by their places; to be called from several threads.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._places: dict[Hashable, _Place] = {}
        self._numbers = 0
        self._failures: deque[WorkerFailure] = deque(maxlen=FAILURES)
        self._failed = self._evaluations = 0
        self._opened = self._busy = 0.0  # seconds, of places that are gone
        self._ends: deque[float] = deque(maxlen=_RECENT_OF_ALL)
        self._began = clock()

    def join(self, place: Hashable) -> None:
        """Have one more place, with the next number."""
        with self._lock:
            self._numbers += 1
            self._places[place] = _Place(self._numbers)

    def leave(self, place: Hashable) -> None:
        """Have one place less."""
        with self._lock:
            if gone := self._places.pop(place, None):
                opened, busy = gone.times(self._clock())
                self._opened, self._busy = self._opened + opened, self._busy + busy

    def mark_leaving(self, place: Hashable, *, leaving: bool) -> None:
        """Note that a place is let go once its worker has done what it has in hand, or is kept after all."""
        with self._lock:
            self._change(place, leaving=leaving)

    def open(self, place: Hashable, identity: WorkerIdentity) -> None:
        """Note that the worker of a place is open."""
        with self._lock:
            opened, busy = self._place(place).times(now := self._clock())
            self._change(place, identity=identity, doing="idle", note="", opened=opened, busy=busy, open_since=now)

    def say_opening(self, place: Hashable, note: str = "", node: str = "") -> None:
        """Note what the worker of a place is about before it is open."""
        with self._lock:
            self._change(place, doing="opening", note=note)
            if node:
                self._change(place, identity=WorkerIdentity(node, "", ""))

    def begin(self, place: Hashable, child: str, prompts: int) -> None:
        """Note that a worker begins with a child's prompts."""
        with self._lock:
            self._change(place, doing="drawing", child=child, prompts=0, of=prompts, busy_since=self._clock())

    def drawn(self, place: Hashable, prompts: int) -> None:
        """Note how many of them are drawn."""
        with self._lock:
            self._change(place, prompts=prompts)

    def end(self, place: Hashable, *, well: bool) -> None:
        """Note that a worker is through with them, and whether that is an evaluation."""
        with self._lock:
            one, now = self._place(place), self._clock()
            busy = one.busy + (0.0 if one.busy_since is None else now - one.busy_since)
            self._change(place, doing="idle", child="", prompts=0, of=0, busy=busy, busy_since=None)
            if well:
                self._change(place, evaluations=one.evaluations + 1)
                self._evaluations += 1
                one.ends.append(now)
                self._ends.append(now)

    def lose(self, place: Hashable) -> None:
        """Note that the worker of a place is gone."""
        with self._lock:
            opened, busy = self._place(place).times(self._clock())
            self._change(place, opened=opened, busy=busy, open_since=None, busy_since=None)
            self._change(place, doing="waiting", note="", child="", prompts=0, of=0)

    def fail(self, place: Hashable, reason: str) -> None:
        """Note what went wrong with the worker of a place."""
        with self._lock:
            self._failed += 1
            self._failures.append(WorkerFailure(when=time.time(), worker=self._place(place).number, reason=reason))

    def _place(self, place: Hashable) -> _Place:
        """The account of a place; one that nobody sees where the place is gone, for threads that come late."""
        return self._places.get(place) or _Place(0)

    def _change(self, place: Hashable, **changes: Any) -> None:
        if place in self._places:
            self._places[place] = dataclasses.replace(self._places[place], **changes)

    def status(self, missing: int = 0) -> PoolStatus:
        """What all workers are about now; `missing` as there."""
        with self._lock:
            now = self._clock()
            times = [one.times(now) for one in self._places.values()]
            opened = self._opened + sum(one for one, _ in times)
            busy = self._busy + sum(one for _, one in times)
            return PoolStatus(
                workers=tuple(_told(one, now) for one in self._places.values()),
                missing=missing,
                failures=tuple(self._failures),
                failed=self._failed,
                evaluations=self._evaluations,
                per_minute=_per_minute(self._ends, self._began, now),
                idle=_idle(opened, busy),
            )


def _told(one: _Place, now: float) -> WorkerStatus:
    identity = one.identity or WorkerIdentity("", "", "")
    return WorkerStatus(
        number=one.number,
        node=identity.node,
        device=identity.device,
        dtype=identity.dtype,
        doing=one.doing,
        note=one.note,
        child=one.child,
        prompts=one.prompts,
        of=one.of,
        leaving=one.leaving,
        evaluations=one.evaluations,
        per_minute=_per_minute(one.ends, one.open_since or now, now),
        idle=_idle(*one.times(now)),
    )


def _per_minute(ends: deque[float], began: float, now: float) -> float | None:
    """How many end a minute, by the newest that ended; since `began` where all are among them."""
    if not ends:
        return None
    known, since = (len(ends) - 1, ends[0]) if len(ends) == ends.maxlen else (len(ends), min(began, ends[0]))
    return round(60 * known / max(now - since, 1e-9), 2)


def _idle(opened: float, busy: float) -> float | None:
    return round(max(0.0, 1 - busy / opened), 3) if opened > 0 else None
