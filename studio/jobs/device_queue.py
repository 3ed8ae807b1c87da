"""One run at a time on every accelerator of this machine, or on its CPU; who waits has a place in the queue.

Places and turns are file locks in the cache folder, so runs that different programs started wait for each other, and a
process that was killed holds nobody up.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import torch

from pipelines.storage.files import cache_dir

POLL_SECONDS = 0.5  # seconds between two looks at the queue
_LAST = "~"  # sorts after every place in the queue


class HeldDevices:
    """The devices that a run holds, of which it may give some back while it goes on, and take more.

    Args:
        folder: where the locks of all devices lie.
        order: held for the moments in which places change.
    """

    def __init__(self, folder: Path, order: filelock.FileLock) -> None:
        self._folder, self._order = folder, order
        self._locks: dict[int | None, filelock.FileLock] = {}

    @property
    def numbers(self) -> tuple[int | None, ...]:
        """Torch's numbers of them, as they were taken; None in place of a number where the machine has only one."""
        return tuple(self._locks)

    def another(self) -> tuple[int | None, ...]:
        """Take one more; none where none is free, or where somebody waits for one.

        A machine's only device is shared by all who draw for the run.
        """
        if None in self._locks:
            return (None,)
        return self.take(1) if not _before(self._folder, self._order, self._folder / _LAST) else ()

    def take(self, count: int) -> tuple[int | None, ...]:
        """Lock as many free devices as there are, up to `count`."""
        taken: list[int | None] = []
        for name, number in _devices().items():
            if number not in self._locks and len(taken) < count:
                lock = filelock.FileLock(self._folder / f"{name}.device", thread_local=False)
                with contextlib.suppress(filelock.Timeout):
                    lock.acquire(timeout=0)
                    self._locks[number] = lock
                    taken.append(number)
        return tuple(taken)

    def give_back(self, number: int | None) -> None:
        """Leave one to others, but for the first, on which the run's own process computes too."""
        if number != self.numbers[0]:
            self._locks.pop(number).release()

    def release(self) -> None:
        """Leave all to others."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()


@contextlib.contextmanager
def acquire_device(on_wait: Callable[[int], None], count: int = 1) -> Iterator[HeldDevices]:
    """Wait for devices that no other run computes on and hold them; the first accelerator becomes torch's current one.

    Whoever wants several takes them as they come free while nobody is before it, so no two wait for each other.

    Args:
        on_wait: called while too few are free with how many are before this one, those at work among them; raise in it
            to leave the queue.
        count: how many devices, at least 1; all of this machine where it has fewer.

    Yields:
        The devices.
    """
    folder = cache_dir() / "turns"
    folder.mkdir(parents=True, exist_ok=True)
    order = filelock.FileLock(folder / "order.lock")  # held for the moments in which places change
    with order:
        place = filelock.FileLock(folder / f"{time.time_ns():020d}-{os.getpid()}.place")
        place.acquire()
    held = HeldDevices(folder, order)
    try:
        try:
            while not _admitted(folder, order, Path(place.lock_file), count, held):
                on_wait(_before(folder, order, Path(place.lock_file)) + len(_devices()))
                time.sleep(POLL_SECONDS)
        finally:
            with order:
                place.release()
                Path(place.lock_file).unlink(missing_ok=True)
        if held.numbers[0] is not None:
            torch.cuda.set_device(held.numbers[0])
        yield held
    finally:
        held.release()


def device_count() -> int:
    """How many devices of this machine can carry a run at once."""
    return len(_devices())


def _admitted(folder: Path, order: filelock.FileLock, own: Path, count: int, held: HeldDevices) -> bool:
    """Once nobody is before `own`, take free devices, up to `count` with those held; whether that is enough."""
    if _before(folder, order, own):
        return False
    held.take(count - len(held.numbers))
    return len(held.numbers) >= min(count, device_count())


def _before(folder: Path, order: filelock.FileLock, own: Path) -> int:
    """Count those who wait before `own`; places that dead processes left are cleared away."""
    count = 0
    with order:
        for path in folder.glob("*.place"):
            if path.name < own.name:
                lock = filelock.FileLock(path)
                try:
                    lock.acquire(timeout=0)
                except filelock.Timeout:
                    count += 1
                else:
                    lock.release()
                    path.unlink(missing_ok=True)
    return count


def _devices() -> dict[str, int | None]:
    """Name every device that can carry a run, with its number where torch has several."""
    if not torch.cuda.is_available():
        return {"machine": None}
    return {str(torch.cuda.get_device_properties(k).uuid): k for k in range(torch.cuda.device_count())}
