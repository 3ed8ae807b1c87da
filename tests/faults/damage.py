"""What befalls a folder after its process was killed: torn logs and databases, journals cut short, pictures gone."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

DATABASE = ("run.db", "run.db-wal", "run.db-shm")
RUN = Path("runs") / "run"


def keep(work: Path, safe: Path) -> None:
    """Put copies of a run's database, as it was left, into a folder."""
    safe.mkdir(parents=True)
    for name in DATABASE:
        if (work / RUN / name).is_file():
            shutil.copy2(work / RUN / name, safe / name)


def put_back(work: Path, safe: Path) -> None:
    """Put those copies back into their place."""
    for name in DATABASE:
        (work / RUN / name).unlink(missing_ok=True)
        if (safe / name).is_file():
            shutil.copy2(safe / name, work / RUN / name)


def mend_sources(work: Path, safe: Path) -> None:
    """Put sources back that are lost or cut, from copies of `sources/`."""
    for file in safe.rglob("*.safetensors"):
        place = work / "sources" / file.relative_to(safe)
        if not place.is_file() or place.stat().st_size != file.stat().st_size:
            place.with_suffix(".lost").unlink(missing_ok=True)
            shutil.copy2(file, place)


def _tear_the_log(work: Path, rng: random.Random) -> None:
    log = work / RUN / "run.db-wal"
    if log.is_file():
        content = log.read_bytes()
        kept = content[: rng.randrange(len(content) + 1)]
        log.write_bytes(kept + (rng.randbytes(100) if rng.random() < 0.5 else b""))


def _lose_the_log(work: Path, rng: random.Random) -> None:
    for name in DATABASE[1:]:
        (work / RUN / name).unlink(missing_ok=True)


def _tear_the_database(work: Path, rng: random.Random) -> None:
    database = work / RUN / "run.db"
    if database.is_file():
        content = database.read_bytes()
        database.write_bytes(content[: rng.randrange(len(content) + 1)])


def _delete_pictures(work: Path, rng: random.Random) -> None:
    for picture in sorted((work / RUN).rglob("*.png")):
        if rng.random() < 0.5:
            picture.unlink()


def _tear_a_journal(work: Path, rng: random.Random) -> None:
    """Leave the beginning of a line, as somebody does who is cut short amid it."""
    for journal in sorted(work.rglob("*.jsonl")):
        lines = journal.read_bytes().splitlines(keepends=True)
        if lines:
            with open(journal, "ab") as file:
                file.write(lines[-1][: rng.randrange(1, len(lines[-1]))])


#: Damage by the name of the fault; all of it follows a kill.
DAMAGE: dict[str, Callable[[Path, random.Random], None]] = {
    "torn log": _tear_the_log,
    "no log": _lose_the_log,
    "torn database": _tear_the_database,
    "deleted pictures": _delete_pictures,
    "torn journal": _tear_a_journal,
    "two resumers": lambda work, rng: None,
}
#: What no program can make good: it has to say so, and a copy has to be put back.
BEYOND_REPAIR = ("torn log", "no log", "torn database")
