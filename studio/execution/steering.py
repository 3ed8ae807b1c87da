"""Steering a run that is going on: what people favour, taken up at the next child and recorded with its number.

What a page asks for lies in the run's state until the search breeds its next child. From then on it is recorded with
that child's number, before the child is measured: a run that is resumed breeds each child by what it was bred by, so
that it equals the uninterrupted run to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.evolution.mating import Favour
from studio.runs.state import Steered, Steering
from studio.runs.store import C, RunStore


class RunSteering:
    """What people favour as each child is bred; called by the search with the child's number.

    Args:
        store: the run; this process has it to itself, but for what pages ask.
    """

    def __init__(self, store: RunStore[C]) -> None:
        self._store = store
        self._steered = store.state.steered

    def __call__(self, number: int) -> Favour:
        """Return what breeding the child of this number is steered by; empty where it is not."""
        if (asked := self._store.asked("steer")) is not None:
            self._take_up(Steering.model_validate(asked), number)
        return next((one.favour for one in reversed(self._steered) if one.first <= number), {})

    def _take_up(self, asked: Steering, number: int) -> None:
        if asked.favour == _last(self._steered):
            return
        # What this child was to be bred by before, and was not, is no part of the record.
        steered = tuple(one for one in self._steered if one.first < number)
        if asked.favour != _last(steered):
            steered = (*steered, Steered(by=asked.by, favour=asked.favour, first=number))
        self._steered = steered
        self._store.update(steered=[one.model_dump() for one in steered])


def _last(steered: Sequence[Steered]) -> Favour:
    return steered[-1].favour if steered else {}
