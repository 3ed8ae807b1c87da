"""Which places of a pool there are, who uses them, and which come and go while a run goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from functools import partial

from studio.jobs.process import Stopped
from studio.jobs.worker_account import PoolAccount

from .worker_slot import SlotSource, WorkerSlot


class Roster:
    """The places of a pool. To be called from several threads.

    Args:
        slots: to begin with. The first is the last to be let go.
        more: where further places come from; None: there are never more than these.
        account: is told of those who come and go.
    """

    def __init__(self, slots: Sequence[WorkerSlot], more: SlotSource | None, account: PoolAccount) -> None:
        self._more, self._account = more, account
        self._changed = threading.Condition()  # guards all that follows
        self._slots: list[WorkerSlot] = []
        self._free: set[WorkerSlot] = set()  # those that nobody uses
        self._leaving: set[WorkerSlot] = set()  # in use, and let go after that
        self._attached: set[WorkerSlot] = set()  # while the run went on: it does without them if it must
        self._missing = 0
        self._closed = False
        for slot in slots:
            self._add(slot)

    @property
    def missing(self) -> int:
        """How many places are wanted for which there is no device."""
        with self._changed:
            return self._missing

    @property
    def at_hand(self) -> int:
        """How many places may be asked now or are in use, without those that are let go."""
        with self._changed:
            return len(self._at_hand())

    def is_attached(self, slot: WorkerSlot) -> bool:
        """Whether a place was added while the run went on."""
        with self._changed:
            return slot in self._attached

    def start(self, slot: WorkerSlot) -> None:
        """Start a worker at a place where there is none.

        Raises:
            Stopped: the pool was closed.
        """
        with self._changed:
            self.raise_if_closed()
            slot.start()

    @contextlib.contextmanager
    def using_one(self, tried: Sequence[WorkerSlot]) -> Iterator[WorkerSlot]:
        """A place that nobody else uses meanwhile; one that was not tried yet, where there is any.

        Raises:
            Stopped: the pool was closed.
        """
        with self._changed:
            while (slot := self._choice(tried)) is None:
                self._changed.wait()
            self._free.remove(slot)
        try:
            yield slot
        finally:
            with self._changed:
                if slot in self._leaving and not self._closed:
                    self._let_go(slot)
                elif slot in self._slots:
                    self._free.add(slot)
                    if not self._closed:
                        self._prepare(slot)
                self._changed.notify_all()

    def resize(self, count: int) -> None:
        """Have so many places from now on: more as there are devices, fewer as workers end what they have in hand.

        Args:
            count: one at least.
        """
        with self._changed:
            staying = [slot for slot in self._slots if slot not in self._leaving]
            for slot in [slot for slot in self._slots if slot in self._leaving][: max(0, count - len(staying))]:
                self._leaving.remove(slot)
                self._account.mark_leaving(slot, leaving=False)
                staying.append(slot)
            # Those first that have no worker, then those that have nothing in hand, the newest of them.
            newest_first = staying[:0:-1]
            dispensable = sorted(newest_first, key=lambda slot: (slot.was_open, slot not in self._free))
            for slot in dispensable[: max(0, len(staying) - max(1, count))]:
                if slot in self._free:
                    self._let_go(slot)
                else:
                    self._leaving.add(slot)
                    self._account.mark_leaving(slot, leaving=True)
            self._missing = max(0, count - len(staying))
            self._changed.notify_all()
        self.grow()

    def grow(self) -> None:
        """Add the places that are wanted, as far as there are devices for them now."""
        with self._changed:
            while not self._closed and self._missing and self._more and (slot := self._more.another()):
                self._missing -= 1
                self._attached.add(slot)
                self._add(slot)
            self._changed.notify_all()

    def leave_out(self, slot: WorkerSlot, *, refused: bool = False) -> bool:
        """Do without a place from now on, if it may be left out and is not the last one; whether that is so.

        Args:
            slot: whose worker cannot be opened, or may not draw.
            refused: whether it may not draw: others may.
        """
        with self._changed:
            left_out = (refused or slot.may_be_left_out or slot in self._attached) and len(self._slots) > 1
            if left_out:
                self._let_go(slot)
            return left_out

    def close(self) -> None:
        """End all workers; whoever waits for one hears that they were stopped."""
        with self._changed:
            self._closed = True
            for slot in self._slots:
                slot.kill()
            for slot in self._free:  # whoever uses one of the others clears it away
                slot.clear()
            self._changed.notify_all()
        for slot in self._slots:
            slot.join()
            self._account.leave(slot)

    def raise_if_closed(self) -> None:
        """Give up what is in hand where all workers were ended.

        Raises:
            Stopped: they were.
        """
        if self._closed:
            raise Stopped

    def _choice(self, tried: Sequence[WorkerSlot]) -> WorkerSlot | None:
        """The first free place with a worker that was not tried yet; None where that takes waiting for.

        Those without a worker do not count, or a machine that never comes would be waited for.
        """
        self.raise_if_closed()
        at_hand = self._at_hand()
        wanted = [slot for slot in at_hand if slot not in tried] or at_hand
        return next((slot for slot in wanted if slot in self._free), None)

    def _at_hand(self) -> list[WorkerSlot]:
        staying = [slot for slot in self._slots if slot not in self._leaving]
        return [slot for slot in staying if slot.is_available or slot not in self._free]

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _add(self, slot: WorkerSlot) -> None:
        """Have one more place."""
        self._slots.append(slot)
        self._free.add(slot)
        self._account.join(slot)
        self._prepare(slot)

    def _prepare(self, slot: WorkerSlot) -> None:
        slot.prepare(self._wake, partial(self._account.say_opening, slot))

    def _let_go(self, slot: WorkerSlot) -> None:
        """End the worker of a place that nobody asks any more, and leave what it took to others."""
        slot.kill()
        slot.clear()
        self._slots.remove(slot)
        for some in (self._free, self._leaving, self._attached):
            some.discard(slot)
        self._account.leave(slot)
        if self._more:
            self._more.give_back(slot)
