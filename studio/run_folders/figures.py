"""What runs have come to, in numbers to sort them by; of each, its database is read again once it has changed."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pipelines.untrusted import DATABASE, UnreadableDocument, parse_json
from studio.runs.database import IndividualRow, ScoresRow, StateRow, database_errors, open_database

from .file_states import DATABASE_FILES, FileStates, file_states

_DRAWN = ("ja", "en", "partial")  # scores of pictures that were drawn, one each; NaN where one was spared


@dataclass(frozen=True)
class RunFigures:
    """What a run has come to.

    Attributes:
        began: when its first individual was recorded; `None` before.
        best_ja: the best mean score of an offspring on the run's own Japanese prompts; `None` before there is one.
        best_en: likewise in English, of those that were drawn in English.
        over_average: how much the child is better than the plain average of the sources, in Japanese, on held-out
            prompts; `None` before there is a report.
        pictures: how many were drawn and scored; those of the report are not counted.
        seconds: what that took.
    """

    began: datetime | None
    best_ja: float | None
    best_en: float | None
    over_average: float | None
    pictures: int
    seconds: float


def run_figures(folder: Path) -> RunFigures:
    """Read what the run in a folder has come to.

    Raises:
        RunError: its database cannot be read.
    """
    return _figures(folder, file_states(folder, DATABASE_FILES))


@functools.lru_cache(maxsize=4096)
def _figures(folder: Path, state: FileStates) -> RunFigures:
    """The figures of a run whose files are in a `state`; no recipe is read."""
    engine = open_database(folder)
    try:
        with database_errors(folder), Session(engine) as session:
            began, seconds = session.execute(
                select(func.min(IndividualRow.born), func.sum(IndividualRow.seconds))
            ).one()
            rows = session.execute(
                select(ScoresRow.kind, ScoresRow.values, IndividualRow.mother)
                .join(IndividualRow, IndividualRow.number == ScoresRow.individual)
                .where(ScoresRow.kind.in_(_DRAWN))
            )
            pictures, best = 0, dict[str, float]()
            for kind, values, mother in rows:
                scores = np.frombuffer(values, "<f8")
                pictures += int(np.isfinite(scores).sum())
                if mother is not None and kind != "partial" and scores.size:
                    best[kind] = max(best.get(kind, -np.inf), float(scores.mean()))
            compared = session.get(StateRow, "comparisons")
            over = _over_average(compared.value) if compared else None
    finally:
        engine.dispose()
    return RunFigures(began, best.get("ja"), best.get("en"), over, pictures, seconds or 0.0)


def _over_average(comparisons: str) -> float | None:
    """The child's Japanese score less that of the plain average, from a report's comparisons as JSON."""
    try:
        found = parse_json(comparisons, DATABASE)
        return float(found["child_minus_average"]["ja"]["mean"])
    except (UnreadableDocument, KeyError, TypeError, ValueError):
        return None
