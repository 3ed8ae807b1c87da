"""How long what is left of a row of pictures takes."""

from __future__ import annotations


class Pace:
    """The time from one picture to the next; what comes before the first loads models, and is over."""

    def __init__(self) -> None:
        self.count = 0
        self._first = self._last = 0.0

    def arrive(self, now: float) -> None:
        """Note that a picture came.

        Args:
            now: in seconds, by a clock that only goes forward.
        """
        self._first, self._last = (self._first if self.count else now), now
        self.count += 1

    def seconds_left(self, others: int) -> float | None:
        """Return how long so many others take; `None` before the second picture."""
        return (self._last - self._first) / (self.count - 1) * others if self.count > 1 else None
