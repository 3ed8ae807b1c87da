"""Answers that are the same for everybody who looks at the same moment: made once, given to all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedAnswers(Generic[T]):
    """Answers by key, each for a short while. Who asks while one is being made waits for that one."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._kept: dict[Hashable, tuple[float, T]] = {}
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the answer to a key, made now where nobody asked for it of late; what `make` raises is not kept."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            kept = self._kept.get(key)
            if kept and self._clock() - kept[0] < self._seconds:
                return kept[1]
            answer = make()
            with self._lock:
                now = self._clock()
                self._kept = {one: kept for one, kept in self._kept.items() if now - kept[0] < self._seconds}
                self._kept[key] = (now, answer)
                self._making = {one: lock for one, lock in self._making.items() if one in self._kept or lock.locked()}
            return answer
