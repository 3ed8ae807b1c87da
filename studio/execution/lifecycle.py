"""A run as a process: one at a time, stopped after what is in hand, with its state left in the store."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from pipelines.errors import M2N2Error
from studio.jobs.device_queue import HeldDevices, acquire_device
from studio.jobs.process import Stopped
from studio.runs.status import ask_to_stop, locked, raise_if_stopped
from studio.runs.store import C, RunStore

logger = logging.getLogger(__name__)


Work = Callable[[HeldDevices], None]


def carry(store: RunStore[C], work: Work, *, devices: int = 1) -> None:
    """Do the work of a run as soon as its devices are free, and keep in the store how it stands.

    Args:
        store: a new, stopped or interrupted run.
        work: carries it from where the store stands to its end; raises `Stopped` where it was asked to stop. Told the
            devices that it may use, see `acquire_device`.
        devices: how many it can use.

    Raises:
        RunError: another process carries this run already.
        M2N2Error: the run cannot go on; the reason is in the store too.
    """

    def waiting(before: int) -> None:
        raise_if_stopped(store)
        if store.state.before != before:
            logger.info("waiting for %d other run(s) on this machine", before)
            store.update(status="queued", before=before)

    with locked(store):
        store.update(
            stop=False, called=None, error=None, before=0, differences=[]
        )  # before signals are heard, or it would take a stop back
        with stop_on_signal(store):
            try:
                with acquire_device(waiting, devices) as held:
                    store.update(status="running", before=0, began=time.time())
                    work(held)
                store.update(status="done")
            except Stopped:
                store.update(status="stopped")
                logger.info("stopped; resume with --resume")
            except BaseException as error:
                store.update(status="failed", error=str(error) if isinstance(error, M2N2Error) else repr(error))
                raise


@contextlib.contextmanager
def stop_on_signal(store: RunStore[C]) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into a stop after what is in hand; a second one ends the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: FrameType | None) -> None:
        signal.signal(number, before[number])
        # In a thread: this one may be amid a transaction that the store would wait for.
        threading.Thread(target=ask_to_stop, args=(store,)).start()

    before: dict[int, Any] = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
