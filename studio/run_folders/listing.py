"""The runs in a folder: those that can be read, newest first, and why others cannot. Damage of one hides no other."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import M2N2Error, Phrase
from studio.runs.kind import is_any
from studio.runs.status import is_running
from studio.runs.store import open_run

from .file_states import FileStates, file_states

PARTS = ("run.db", "run.yaml")
_READ = (*PARTS, "run.db-wal", "prompts.yaml", "held_out.yaml")  # files whose change makes a run worth another look
_MADE_FIRST = ("images", "prompts.yaml", "held_out.yaml")  # what lies in a folder before it is a run
_BUSY_SECONDS = 0.2  # how long a database may be locked before its run is passed over


@dataclass(frozen=True)
class UnreadableRun:
    """A folder that was a run, or was to be one, with the reason why it cannot be read."""

    name: str
    reason: str


@dataclass(frozen=True)
class RunListing:
    """The runs in a folder.

    Attributes:
        names: those that draw pictures and can be read, newest first.
        unreadable: the others, by name; runs of other networks are in neither.
    """

    names: tuple[str, ...]
    unreadable: tuple[UnreadableRun, ...]

    def reason(self, name: str | None) -> str | None:
        """Why a run cannot be read; None where it can, or is not there."""
        return next((one.reason for one in self.unreadable if one.name == name), None)


def list_runs(runs: Path) -> RunListing:
    """List the runs in a folder; each is read again when one of its files has changed."""
    readable: list[tuple[int, str]] = []
    unreadable = []
    for folder in _folders(runs):
        reason = _reason(folder)
        if reason is None:
            with contextlib.suppress(OSError):  # it has just been removed
                readable.append(((folder / "run.yaml").stat().st_mtime_ns, folder.name))
        else:
            unreadable.append(UnreadableRun(folder.name, reason))
    return RunListing(tuple(name for _, name in sorted(readable, reverse=True)), tuple(unreadable))


def _folders(runs: Path) -> list[Path]:
    """The folders that are runs, or parts of one, but for those of other networks."""
    try:
        folders = [place for place in sorted(runs.iterdir()) if not place.name.startswith(".")]
        return [folder for folder in folders if _is_part(folder) and not is_any(folder)]
    except OSError:
        return []  # no run was made yet, or the folder may not be read


def _is_part(folder: Path) -> bool:
    return any((folder / part).exists() for part in PARTS) or all((folder / part).exists() for part in _MADE_FIRST)


def _reason(folder: Path) -> str | None:
    lacking = [part for part in PARTS if not (folder / part).is_file()]
    if lacking == list(PARTS):
        return Phrase(
            "{folder} was left half-made when a run was begun. Expected {parts}; remove the folder.",
            folder=folder,
            parts=Phrase("{one} and {other}", one=PARTS[0], other=PARTS[1]),
        )
    if lacking:
        return Phrase(
            "{folder} lacks {part}. Expected {parts}; put it back, or remove the folder.",
            folder=folder,
            part=lacking[0],
            parts=Phrase("{one} and {other}", one=PARTS[0], other=PARTS[1]),
        )
    try:
        return _reason_as_it_stands(folder, file_states(folder, _READ))
    except sqlite3.Error as error:  # locked, for the moment or for good: asked again the next time
        return Phrase(
            "{file} cannot be read now ({error}). Expected nobody else to lock it: end that program.",
            file=folder / "run.db",
            error=error,
        )


@functools.lru_cache(maxsize=4096)  # pages ask this of every run, again and again
def _reason_as_it_stands(folder: Path, state: FileStates) -> str | None:
    """Why a run cannot be read whose files are in a `state`."""
    try:
        _ask_for_moment(folder / "run.db")
        store = open_run(folder)
        try:
            if not is_running(store):  # its own process would notice, and every commit is another state
                store.check_database()
            _ = store.state, store.pace(0), store.prompts.niches, store.prompts.held_out
        finally:
            store.close()
    except M2N2Error as error:
        return error.phrase
    return None


def _ask_for_moment(database: Path) -> None:
    """Look whether a database may be read at all, without waiting as long as a run's own process would.

    Raises:
        sqlite3.OperationalError: another program has locked it.
    """
    with contextlib.closing(sqlite3.connect(database, timeout=_BUSY_SECONDS)) as connection:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise
        except sqlite3.DatabaseError:
            pass  # whoever opens it says what is wrong with it
