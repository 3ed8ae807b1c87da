"""Who is in, by the cookie of a browser, and who failed to come in too often. In memory: a restart logs all out."""

from __future__ import annotations

import collections
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from .people import fingerprint

LASTS = 14 * 86400.0  # seconds without a request, after which a session ends
KEPT = 10_000  # sessions; the one that was used longest ago goes first
WINDOW = 600.0  # seconds in which failures are counted
PER_ADDRESS, PER_NAME = 10, 30  # failures; a name's limit is wider, so that a stranger cannot lock somebody out easily


@dataclass(frozen=True)
class Session:
    """Somebody who came in: `None` for the studio's token; a person by what opened the door, as it is kept."""

    name: str | None
    credential: str | None
    used: float


class Sessions:
    """Sessions by the hash of their token: a dump of this process's memory opens no door."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: collections.OrderedDict[str, Session] = collections.OrderedDict()
        self._lock = threading.Lock()

    def begin(self, name: str | None, credential: str | None) -> str:
        """Let somebody in; returns the token for the browser's cookie."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[fingerprint(token)] = Session(name, credential, self._clock())
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return token

    def get(self, token: str) -> Session | None:
        """Return whose session it is; `None` where it ended."""
        key, now = fingerprint(token), self._clock()
        with self._lock:
            session = self._kept.get(key)
            if session is None or now - session.used > LASTS:
                self._kept.pop(key, None)
                return None
            self._kept[key] = replace(session, used=now)
            self._kept.move_to_end(key)
        return session

    def end(self, token: str) -> None:
        """Log somebody out."""
        with self._lock:
            self._kept.pop(fingerprint(token), None)


class Failures:
    """How often somebody failed to come in of late, by address and by name."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[tuple[str, str], list[float]] = {}
        self._lock = threading.Lock()

    def wait(self, address: str, name: str) -> float:
        """Return the seconds until another try is allowed; zero where it is now."""
        with self._lock:
            return max(self._left(("address", address), PER_ADDRESS), self._left(("name", name.casefold()), PER_NAME))

    def note(self, address: str, name: str) -> None:
        """Count a failure."""
        with self._lock:
            for key in (("address", address), ("name", name.casefold())):
                self._times.setdefault(key, []).append(self._clock())
            if len(self._times) > KEPT:
                self._times = {key: times for key, times in self._times.items() if self._recent(times)}

    def forgive(self, address: str, name: str) -> None:
        """Take back what was counted last: it was no failure."""
        with self._lock:
            for key in (("address", address), ("name", name.casefold())):
                self._times.get(key, [0.0]).pop()

    def _left(self, key: tuple[str, str], limit: int) -> float:
        recent = self._recent(self._times.get(key, []))
        if key in self._times:
            self._times[key] = recent
        return recent[-limit] + WINDOW - self._clock() if len(recent) >= limit else 0.0

    def _recent(self, times: list[float]) -> list[float]:
        return [one for one in times if self._clock() - one < WINDOW]
