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


@contextlib.contextmanager
def acquire_device(on_wait: Callable[[int], None], count: int = 1) -> Iterator[tuple[int | None, ...]]:
    """Wait for devices that no other run computes on and hold them; the first accelerator becomes torch's current one.

    Whoever wants several takes them as they come free while nobody is before it, so no two wait for each other.

    Args:
        on_wait: called while too few are free with how many are before this one, those at work among them; raise in it
            to leave the queue.
        count: how many devices, at least 1; all of this machine where it has fewer.

    Yields:
        torch's numbers of the devices; None in place of a number where it has only one.
    """
    folder = cache_dir() / "turns"
    folder.mkdir(parents=True, exist_ok=True)
    order = filelock.FileLock(folder / "order.lock")  # held for the moments in which places change
    with order:
        place = filelock.FileLock(folder / f"{time.time_ns():020d}-{os.getpid()}.place")
        place.acquire()
    with contextlib.ExitStack() as held:
        numbers: list[int | None] = []
        try:
            while not _admitted(folder, order, Path(place.lock_file), count, numbers, held):
                on_wait(_before(folder, order, Path(place.lock_file)) + len(_devices()))
                time.sleep(POLL_SECONDS)
        finally:
            with order:
                place.release()
                Path(place.lock_file).unlink(missing_ok=True)
        if numbers[0] is not None:
            torch.cuda.set_device(numbers[0])
        yield tuple(numbers)


def device_count() -> int:
    """How many devices of this machine can carry a run at once."""
    return len(_devices())


def _admitted(
    folder: Path,
    order: filelock.FileLock,
    own: Path,
    count: int,
    numbers: list[int | None],
    held: contextlib.ExitStack,
) -> bool:
    """Once nobody is before `own`, lock free devices, up to `count` with those in `numbers`; whether that is enough."""
    if _before(folder, order, own):
        return False
    devices = _devices()
    for name, number in devices.items():
        if number not in numbers and len(numbers) < count:
            lock = filelock.FileLock(folder / f"{name}.device")
            with contextlib.suppress(filelock.Timeout):
                lock.acquire(timeout=0)
                held.callback(lock.release)
                numbers.append(number)
    return len(numbers) >= min(count, len(devices))


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
