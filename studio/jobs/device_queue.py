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
def acquire_device(on_wait: Callable[[int], None]) -> Iterator[None]:
    """Wait for a device that no other run computes on and hold it; an accelerator becomes torch's current one.

    Args:
        on_wait: called while no device is free with how many are before this one, those at work among them; raise in it
            to leave the queue.
    """
    folder = cache_dir() / "turns"
    folder.mkdir(parents=True, exist_ok=True)
    order = filelock.FileLock(folder / "order.lock")  # held for the moments in which places change
    with order:
        place = filelock.FileLock(folder / f"{time.time_ns():020d}-{os.getpid()}.place")
        place.acquire()
    try:
        while (device := _admitted(folder, order, Path(place.lock_file))) is None:
            on_wait(_before(folder, order, Path(place.lock_file)) + len(_devices()))
            time.sleep(POLL_SECONDS)
    finally:
        with order:
            place.release()
            Path(place.lock_file).unlink(missing_ok=True)
    number, lock = device
    try:
        if number is not None:
            torch.cuda.set_device(number)
        yield
    finally:
        lock.release()


def _admitted(folder: Path, order: filelock.FileLock, own: Path) -> tuple[int | None, filelock.FileLock] | None:
    """Lock a free device once nobody is before `own`; returns its number and its lock."""
    if _before(folder, order, own):
        return None
    for name, number in _devices().items():
        lock = filelock.FileLock(folder / f"{name}.device")
        with contextlib.suppress(filelock.Timeout):
            lock.acquire(timeout=0)
            return number, lock
    return None


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
