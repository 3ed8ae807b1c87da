"""Faults in a process, at a moment that is a count and not a time: the same seed meets the same step again.

A moment is what Python tells of before it happens, and what touches the folder that is worked in: a file is opened,
renamed or removed, a folder made, a statement given to a database, a block of weights written. `Injection.arm` counts
them in this process, for good, and brings the fault about at one of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import random
import resource
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .machines import told, workers_of

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "sqlite3.connect"}
YEAR = 365 * 24 * 3600  # seconds
HELD = 0.7  # seconds that a database stays locked: shorter than its users wait


@dataclasses.dataclass(frozen=True)
class Injection:
    """A fault in a folder, at a moment.

    Attributes:
        fault: a key of `FAULTS`; none, to count the moments alone.
        moment: the number of the moment.
        seed: of what a fault chooses.
    """

    fault: str | None = None
    moment: int = 0
    seed: int = 0

    def arm(self, work: Path) -> Callable[[], int]:
        """Count from now on; returns what tells how many moments there were."""
        state = {"count": 0, "busy": False}
        inside = str(work.resolve()) + os.sep

        def moment() -> None:
            if state["busy"]:
                return
            number, state["count"] = state["count"], state["count"] + 1
            if self.fault is not None and number == self.moment:
                state["busy"] = True
                FAULTS[self.fault](work, random.Random(self.seed))
                state["busy"] = False

        def note(event: str, arguments: tuple[Any, ...]) -> None:
            if event in EVENTS and isinstance(arguments[0], str | bytes | Path):
                place = os.path.abspath(os.fsdecode(arguments[0]))
                if place.startswith(inside):
                    moment()

        pwrite, connect = os.pwrite, sqlite3.connect

        def counted(*arguments: Any) -> int:
            moment()
            return pwrite(*arguments)

        def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection = connect(*arguments, **options)
            connection.set_trace_callback(lambda _: moment())  # told of each statement before it is carried out
            return connection

        os.pwrite, sqlite3.connect, sqlite3.dbapi2.connect = counted, connected, connected
        sys.addaudithook(note)
        return lambda: state["count"]


def _kill(work: Path, rng: random.Random) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop(work: Path, rng: random.Random) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _fill_the_disk(work: Path, rng: random.Random) -> None:
    """Refuse every write from now on, those of SQLite too, as the system does: no file may grow at all."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def sources(work: Path) -> list[Path]:
    """The weights that a run in a folder breeds."""
    return sorted((work / "sources").rglob("*.safetensors"))


def _lose_a_source(work: Path, rng: random.Random) -> None:
    source = rng.choice(sources(work))
    source.rename(source.with_suffix(".lost"))


def _cut_a_source(work: Path, rng: random.Random) -> None:
    source = rng.choice(sources(work))
    os.truncate(source, rng.randrange(source.stat().st_size))


def _lock_the_database(work: Path, rng: random.Random) -> None:
    """Hold every database of a run against writers for a moment, from a thread as if from another process."""
    for database in work.glob("runs/*/run.db"):
        held = threading.Event()

        def hold(place: Path = database, held: threading.Event = held) -> None:
            connection = sqlite3.connect(place, timeout=5)
            try:
                connection.execute("BEGIN IMMEDIATE")
                held.set()
                time.sleep(HELD)
                connection.rollback()
            except sqlite3.Error:  # this process is amid a transaction: its database is locked by itself
                held.set()
            finally:
                connection.close()

        threading.Thread(target=hold).start()
        held.wait(0.2)


def _make_the_clock_jump(work: Path, rng: random.Random) -> None:
    """Have every clock but the monotonic one say a year more, or less, from now on."""
    jump = rng.choice((-YEAR, YEAR))
    seconds, nanoseconds = time.time, time.time_ns
    time.time, time.time_ns = lambda: seconds() + jump, lambda: nanoseconds() + jump * 10**9
    for module in list(sys.modules.values()):
        now = getattr(module, "now", None)
        if getattr(now, "__module__", None) == "studio.runs.store":
            module.now = lambda now=now: now() + datetime.timedelta(seconds=jump)


def _kill_a_worker(work: Path, rng: random.Random) -> None:
    if workers := workers_of(work):
        with contextlib.suppress(ProcessLookupError):  # it may end just now
            os.kill(rng.choice(workers), signal.SIGKILL)


def _kill_a_machine(work: Path, rng: random.Random) -> None:
    """Kill what makes a machine part of the cluster; its workers end with it."""
    if (cluster := told(work)) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(cluster["machine"], signal.SIGKILL)


def _kill_all(work: Path, rng: random.Random) -> None:
    for kill in (_kill_a_worker, _kill_a_machine, _kill):
        kill(work, rng)


FAULTS: dict[str, Callable[[Path, random.Random], None]] = {
    "kill": _kill,
    "stop": _stop,
    "full disk": _fill_the_disk,
    "lost source": _lose_a_source,
    "cut source": _cut_a_source,
    "locked database": _lock_the_database,
    "clock jumps": _make_the_clock_jump,
    "worker killed": _kill_a_worker,
    "machine killed": _kill_a_machine,
    "all killed": _kill_all,
}
