"""Answers that are the same for everybody who looks at the same moment: made once, given to all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Answer(Generic[T]):
    """An answer, and when its making began and ended, in the clock's seconds."""

    began: float
    ended: float
    content: T


class SharedAnswers(Generic[T]):
    """Answers by key, each for a short while. Who asks while one is being made waits for that one.

    With no seconds an answer is still shared by all who asked before it was begun: it knows all that they know. So
    however many ask at once, the first gets one answer, and the others the next.
    """

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._kept: dict[Hashable, _Answer[T]] = {}
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the answer to a key, made now where nobody asked for it of late; what `make` raises is not kept."""
        asked = self._clock()
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            kept = self._kept.get(key)
            began = self._clock()
            if kept and (began - kept.ended < self._seconds or kept.began > asked):
                return kept.content
            content = make()
            with self._lock:
                ended = self._clock()
                self._kept = {one: kept for one, kept in self._kept.items() if ended - kept.ended < self._seconds}
                self._kept[key] = _Answer(began, ended, content)
                self._making = {one: lock for one, lock in self._making.items() if one in self._kept or lock.locked()}
            return content
