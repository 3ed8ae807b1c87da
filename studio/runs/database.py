"""The tables of `run.db`, and individuals on their way in and out of them.

The format of a run's database is a number under the key "schema" in the table `state`:

    format   what is new in it
    1        tables `individuals`, `scores` and `state`; values of `state` are JSON, see `state.RunState`

A field of `RunState` with a default, and a kind of scores, may be added within a format: what has none reads as before.
Anything else is a new format: a line here, `SCHEMA` counted up, and in `open_store`, in one transaction with the new
number, what turns the format before into it. A database of a newer format is refused, never guessed at.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, ForeignKey, LargeBinary, create_engine, event, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from pipelines.errors import Phrase
from pipelines.recipes.recipe import Recipe, parse_recipe
from studio.errors import RunError
from studio.evolution.racing import RaceEnd

from .individual import Individual, PartialScores, Prediction

SCHEMA = 1
WITHOUT_LOG = Phrase(
    "If the folder was copied while the run went on, run.db-wal belongs to run.db: copy both, or stop the run first."
)
_PARTIAL = "partial"  # the kind of scores of one that was turned away early
PREDICTED = "predicted"  # what was expected: [niches, 2], mean and deviation, no scores of noises
RACED = "raced"  # where a race ended: [1, 2], the chance to enter and how many niches were known


class _Base(DeclarativeBase):
    pass


class IndividualRow(_Base):
    """An individual, numbered in the order of birth."""

    __tablename__ = "individuals"
    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(unique=True)
    mother: Mapped[str | None]
    father: Mapped[str | None]
    recipe: Mapped[str]
    entered: Mapped[bool]
    alive: Mapped[bool]
    seconds: Mapped[float]
    born: Mapped[datetime]
    error: Mapped[str | None]
    scores: Mapped[list[ScoresRow]] = relationship(cascade="all, delete-orphan", lazy="selectin")


class ScoresRow(_Base):
    """One kind of an individual's scores."""

    __tablename__ = "scores"
    individual: Mapped[int] = mapped_column(ForeignKey("individuals.number"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    values: Mapped[bytes] = mapped_column(LargeBinary)  # float64 [prompts, noises]
    noises: Mapped[int]


class StateRow(_Base):
    """A value of the run's state."""

    __tablename__ = "state"
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]  # JSON


# A run's process writes these with each commit, so they are made once. They are of tables: as objects of the classes,
# individuals and scores took three times as long.
_INDIVIDUALS, _SCORES, _STATE = (
    insert(_Base.metadata.tables[one.__tablename__]) for one in (IndividualRow, ScoresRow, StateRow)
)
_STATE = _STATE.on_conflict_do_update(["key"], set_={"value": _STATE.excluded.value})
_COPIED = ("id", "mother", "father", "entered", "seconds", "born", "error")  # columns as an individual has them


def open_database(folder: Path) -> Engine:
    """The database in a run's folder, as it is or empty."""
    engine = create_engine(f"sqlite:///{folder / 'run.db'}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")  # readers never wait for the writer
        connection.execute("PRAGMA wal_autocheckpoint=100")  # pages; a killed run leaves a small log behind
        connection.execute("PRAGMA synchronous=FULL")  # a transaction that returned is on disk

    return engine


def create_tables(engine: Engine) -> None:
    """Make the tables in an empty database."""
    _Base.metadata.create_all(engine)


def packed(scores: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Columns of rows of scores, float64 [prompts, noises] by kind."""
    return [
        {"kind": kind, "values": values.astype("<f8").tobytes(), "noises": values.shape[1]}
        for kind, values in scores.items()
    ]


def insert_individuals(session: Session, individuals: Sequence[Individual], alive: Collection[str]) -> None:
    """Insert individuals and their scores, numbered on from the newest.

    Args:
        session: in a transaction that has written already, so that nobody else numbers any.
        individuals: in the order of birth.
        alive: ids of those who are.
    """
    newest = session.scalar(select(func.max(IndividualRow.number))) or 0
    rows, scores = [], []
    for number, one in enumerate(individuals, newest + 1):
        copied = {name: getattr(one, name) for name in _COPIED}
        rows.append(copied | {"number": number, "recipe": one.recipe.to_json(), "alive": one.id in alive})
        scores += [columns | {"individual": number} for columns in packed(_recorded_scores(one))]
    session.execute(_INDIVIDUALS, rows)
    if scores:
        session.execute(_SCORES, scores)


def _recorded_scores(individual: Individual) -> Mapping[str, np.ndarray]:
    scores = dict(individual.scores if individual.partial is None else {_PARTIAL: individual.partial.values})
    if (expected := individual.prediction) is not None:
        scores[PREDICTED] = np.stack([expected.mean, expected.deviation], axis=1)
    if (end := individual.race) is not None:
        scores[RACED] = np.array([[end.chance, end.drawn]])
    return scores


def write_state(session: Session, values: Mapping[str, str]) -> None:
    """Write JSON under keys of the state, and read nothing first: two that write at once take turns."""
    session.execute(_STATE, [{"key": key, "value": value} for key, value in values.items()])


def from_row(row: IndividualRow) -> Individual:
    """The individual of a row."""
    scores = {part.kind: np.frombuffer(part.values, "<f8").reshape(-1, part.noises) for part in row.scores}
    partial, expected, raced = (scores.pop(kind, None) for kind in (_PARTIAL, PREDICTED, RACED))
    return Individual(
        id=row.id,
        mother=row.mother,
        father=row.father,
        recipe=_recipe(row.recipe),
        scores=scores,
        partial=None if partial is None else PartialScores(partial),
        entered=row.entered,
        alive=row.alive,
        seconds=row.seconds,
        born=row.born,
        error=row.error,
        prediction=None if expected is None else Prediction(expected[:, 0], expected[:, 1]),
        race=None if raced is None else RaceEnd(float(raced[0, 0]), int(raced[0, 1])),
    )


@functools.lru_cache(maxsize=4096)
def _recipe(text: str) -> Recipe:
    """Pages read a run every few seconds, and recipes never change."""
    return parse_recipe(text, where="a recipe in run.db")


@contextmanager
def database_errors(folder: Path) -> Iterator[None]:
    """Say in words what is wrong with a run's database.

    Raises:
        RunError: it cannot be read or written, or a cell holds what no run writes.
    """
    try:
        yield
    except (SQLAlchemyError, ValueError, TypeError, OverflowError) as error:  # the latter of odd cells
        reason = " ".join(str(error.__cause__ or error).split())
        raise RunError(
            "{file} cannot be read or written ({reason}). Expected a run's database, in a "
            "folder that may be written, with room on the disk; if it is damaged, put a copy in its place. "
            "{without_log}",
            file=folder / "run.db",
            reason=reason,
            without_log=WITHOUT_LOG,
        ) from error


def make_database(folder: Path) -> None:
    """Make the database of a new run, and close it: all of it is in `run.db` then.

    Raises:
        RunError: it cannot be written.
    """
    with database_errors(folder):
        engine = open_database(folder)
        create_tables(engine)
        with Session(engine) as session, session.begin():
            write_state(session, {"schema": json.dumps(SCHEMA), "status": json.dumps("new")})
        engine.dispose()
