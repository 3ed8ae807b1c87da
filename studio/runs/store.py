"""The run store: a folder with `run.yaml`, `run.db` (SQLite in WAL mode) and `images/`; it moves as a whole.

Individuals that are done at the same moment are one transaction, with the search's random state in it: a run killed
anywhere resumes where its last transaction left it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Literal

import numpy as np
import yaml
from pydantic import ValidationError
from sqlalchemy import Engine, delete, func, select, text, update
from sqlalchemy.orm import Session
from typing_extensions import TypeVar

from pipelines.errors import Phrase
from pipelines.storage.files import write_whole
from pipelines.untrusted import DATABASE, parse_json
from studio.errors import RunError
from studio.plain_values import refused

from .config import RunConfig, RunSettings
from .config_file import load_config, read_settings
from .database import (
    PREDICTED,
    RACED,
    SCHEMA,
    WITHOUT_LOG,
    IndividualRow,
    ScoresRow,
    StateRow,
    database_errors,
    from_row,
    insert_individuals,
    open_database,
    packed,
    write_state,
)
from .individual import Individual
from .inputs import RunPrompts
from .kind import is_any
from .picture_names import image_folder, picture_file, safe_component
from .state import REPORTED, Pace, ReportRow, RunState, checked_changes, checked_report_row_key, encoded_search

_BY_AGE = select(IndividualRow).order_by(IndividualRow.number)
C = TypeVar("C", bound=RunSettings, default=RunConfig)


class RunStore(Generic[C]):
    """A run's folder. Safe to read from one process while another writes."""

    def __init__(self, folder: Path, engine: Engine, load: Callable[[Path], C]) -> None:
        self.folder = folder
        self.config = load(folder / "run.yaml")
        self._load = load
        self._engine = engine

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def prompts(self: RunStore[RunConfig]) -> RunPrompts:
        """The prompt sets of a run that draws pictures."""
        return RunPrompts(self.config)

    def image(self, individual: str, prompt: str, language: str, noise: int) -> Path:
        """Where a picture of an individual lies, whether or not it was kept."""
        return picture_file(image_folder(self.folder, individual), prompt, f"-{language}-{noise}.png")

    def images(self, individual: str) -> list[Path]:
        """The pictures kept of an individual."""
        return sorted(image_folder(self.folder, individual).glob("*.png"))

    def report_image(self, row: str, prompt: str, language: str) -> Path:
        """Where a picture of the held-out report lies, if it is one of those kept."""
        return picture_file(self.folder / "report" / safe_component(row), prompt, f"-{language}.png")

    def record(self, individuals: Sequence[Individual], state: Mapping[str, Any], alive: Sequence[str]) -> None:
        """Commit individuals in the order of birth, who is alive after the last, and the search's state then.

        All of it is one transaction: whoever is killed amid it has recorded none of them.
        """
        with self._session() as session, session.begin():
            write_state(session, {"search": encoded_search(state)})
            insert_individuals(session, individuals, alive)
            recorded = session.scalars(select(IndividualRow.id).where(IndividualRow.alive))
            if left := set(recorded) - set(alive):
                session.execute(update(IndividualRow).where(IndividualRow.id.in_(left)).values(alive=False))

    def rescore(self, scores: Mapping[str, Mapping[str, np.ndarray]], state: Mapping[str, Any], rotation: int) -> None:
        """Commit new scores of individuals, the search's state and which noises they are from, in one transaction."""
        with self._session() as session, session.begin():
            for row in session.scalars(select(IndividualRow).where(IndividualRow.id.in_(scores))):
                judged = [ScoresRow(**columns) for columns in packed(scores[row.id])]
                row.scores = [one for one in row.scores if one.kind in {PREDICTED, RACED}] + judged
            write_state(session, {"search": encoded_search(state), "rotation": json.dumps(rotation)})

    def individuals(self, *, after: int = 0) -> list[Individual]:
        """Everyone evaluated so far, oldest first; `after` skips that many."""
        with self._session() as session:
            rows = session.scalars(
                select(IndividualRow).where(IndividualRow.number > after).order_by(IndividualRow.number)
            )
            return [from_row(row) for row in rows]

    def sources(self) -> list[Individual]:
        """The sources that have been evaluated, in the run's order."""
        with self._session() as session:
            rows = session.scalars(
                select(IndividualRow).where(IndividualRow.mother.is_(None)).order_by(IndividualRow.number)
            )
            return [from_row(row) for row in rows]

    def count(self) -> int:
        """How many offspring were evaluated so far."""
        with self._session() as session:
            offspring = select(func.count()).select_from(IndividualRow).where(IndividualRow.mother.is_not(None))
            return session.scalar(offspring) or 0

    def pace(self, recent: int) -> Pace:
        """How many were evaluated so far, and how long the newest `recent` offspring took; no recipe is read."""
        is_source = IndividualRow.mother.is_(None)
        newest = select(IndividualRow.seconds).where(~is_source).order_by(IndividualRow.number.desc()).limit(recent)
        with self._session() as session:
            counts = session.execute(select(is_source, func.count()).group_by(is_source)).all()
            of_sources = {bool(source): count for source, count in counts}
            seconds = tuple(reversed(session.scalars(newest).all()))
            slowest = session.scalar(select(func.max(IndividualRow.seconds)).where(is_source))
            born = session.scalar(select(IndividualRow.born).order_by(IndividualRow.number.desc()).limit(1))
        last = born.replace(tzinfo=born.tzinfo or UTC).timestamp() if born else None
        return Pace(of_sources.get(True, 0), of_sources.get(False, 0), seconds, last, slowest)

    def individual(self, id: str) -> Individual:
        """One individual.

        Raises:
            RunError: nobody has that id; names some who are there.
        """
        with self._session() as session:
            row = session.scalar(select(IndividualRow).where(IndividualRow.id == id))
            if row is not None:
                return from_row(row)
            known = session.scalars(
                select(IndividualRow.id).where(IndividualRow.alive).order_by(IndividualRow.number)
            ).all()
        alive = ", ".join(known) or Phrase("nobody yet")
        raise RunError("Run {name} has no individual {id!r}. Alive in it: {alive}.", name=self.name, id=id, alive=alive)

    @property
    def state(self) -> RunState:
        """How the run stands, as it is in the database now: one moment of it, however many fields are looked at.

        Raises:
            RunError: the database cannot be read, or holds what no run of this version writes.
        """
        with self._session() as session:
            rows = session.scalars(select(StateRow).where(StateRow.key.in_(RunState.model_fields))).all()
        try:
            return RunState.model_validate({row.key: parse_json(row.value, DATABASE) for row in rows})
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise RunError(
                "{file} holds a state that this program does not know ({reason}). Expected what "
                "m2n2-studio wrote; if the file is damaged, put a copy in its place.",
                file=self.folder / "run.db",
                reason=reason,
            ) from error

    def asked(self, what: Literal["stop", "finish", "steer"]) -> Any:
        """What somebody asks the run's process for: that field of `state` alone, for it is looked up for each child."""
        return self.read(what)

    def update(self, **changes: Any) -> None:
        """Set fields of the run's state, in one transaction.

        Raises:
            TypeError: `RunState` has no such field.
            pydantic.ValidationError: a value is not of its type.
        """
        self._write(checked_changes(changes))

    def clear_report(self) -> None:
        """Take out of the state what a report left there; the rows that it was made of stay."""
        with self._session() as session, session.begin():
            session.execute(delete(StateRow).where(StateRow.key.in_(REPORTED)))

    def report_row(self, key: str) -> ReportRow | None:
        """The held-out scores that were kept under a key of `state.report_row_key`, if there are any."""
        found: ReportRow | None = self.read(checked_report_row_key(key))
        return found

    def keep_report_row(self, key: str, row: ReportRow) -> None:
        """Keep held-out scores under a key of `state.report_row_key`, so that a stopped report goes on after them."""
        self._write({checked_report_row_key(key): row})

    def change(self, **fields: Any) -> None:
        """Change what the run is asked to do, in its `run.yaml` too; everything else there stays as it is written.

        Raises:
            ConfigError: a value that does not fit.
        """
        path = self.folder / "run.yaml"
        content = {**read_settings(path), **fields}
        try:
            type(self.config).model_validate(content)
        except ValidationError as error:
            raise refused(error, str(path)) from error
        write_whole(path, yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode())
        self.config = self._load(path)

    def check_database(self) -> None:
        """Have SQLite look at every page of the database.

        Raises:
            RunError: one is damaged.
        """
        with self._session() as session:
            found = session.execute(text("PRAGMA quick_check(1)")).scalar()
            if found != "ok":
                raise ValueError(found)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def read(self, key: str) -> Any:
        """Read one value of the state, under its key: what is asked for often, without all the others."""
        with self._session() as session:
            value = session.scalar(select(StateRow.value).where(StateRow.key == key))
            return None if value is None else parse_json(value, DATABASE)

    def _write(self, values: Mapping[str, Any]) -> None:
        with self._session() as session, session.begin():
            write_state(session, {key: json.dumps(value) for key, value in values.items()})

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with database_errors(self.folder), Session(self._engine) as session:
            yield session


def open_run(folder: str | Path) -> RunStore:
    """Open the folder of a run that draws pictures.

    Raises:
        RunError: there is none, it breeds other networks, or it was written by a newer version.
        ConfigError: its `run.yaml` cannot be read.
    """
    if is_any(Path(folder)):
        raise RunError(
            "{folder} breeds networks that draw no pictures. See it with `m2n2 show {folder}`.", folder=folder
        )
    return open_store(folder, load_config)


def open_store(folder: str | Path, load: Callable[[Path], C]) -> RunStore[C]:
    """Open the folder of a run, whose `run.yaml` is read by `load`; errors are those of `open_run`."""
    folder = Path(folder)
    if not (folder / "run.db").is_file() or not (folder / "run.yaml").is_file():
        raise RunError(
            "{folder} holds no run. Expected run.yaml and run.db; start one with `m2n2 evolve --out {folder}`.",
            folder=folder,
        )
    store = RunStore(folder, open_database(folder), load)
    if (schema := store.read("schema")) is None:
        raise RunError("{file} holds nothing of a run. {without_log}", file=folder / "run.db", without_log=WITHOUT_LOG)
    if schema != SCHEMA:
        raise RunError(
            "{folder} was written in format {schema}; this program reads format {expected}: update m2n2-studio.",
            folder=folder,
            schema=schema,
            expected=SCHEMA,
        )
    return store


def now() -> datetime:
    """The time, for records."""
    return datetime.now(UTC)
