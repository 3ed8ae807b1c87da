"""All runs as a table to sort: what each is called, how it stands, what it has come to and what that took."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from typing_extensions import TypedDict

from pipelines.errors import M2N2Error
from studio.formatting import format_duration, format_score
from studio.i18n import Lang, t
from studio.run_folders.figures import RunFigures, run_figures
from studio.run_folders.labels import LONGEST_NOTE, LONGEST_TITLE
from studio.ui.common.studio import Studio

from .entries import Entry, run_entries

COLUMNS = ("name", "state", "ja", "en", "average", "pictures", "took", "began")
_WORDS = {
    "title": "run_table",
    "note_on_scores": "run_table_note",
    "close": "lightbox_close",
    "edit": "run_label_edit",
    "save": "keep_mark",
    "cancel": "cancel",
    "called": "run_label_title",
    "note": "note",
    "tags": "tags",
    "between": "tags_info",
    "find": "run_table_find",
}


class Cell(TypedDict):
    """A figure of a run: what to sort by, `None` where there is none, and what is shown; of dates, the browser says."""

    value: float | str | None
    text: str


class RunRow(Entry):
    """A run with its figures, by column."""

    cells: dict[str, Cell]


class RunTable(TypedDict):
    """The table: rows, its columns as (key, heading), the words it needs, and how long a title and a note may be."""

    runs: list[RunRow]
    columns: list[tuple[str, str]]
    words: dict[str, str]
    longest: dict[str, int]


def run_table(studio: Studio, lang: Lang) -> RunTable:
    """List the runs that can be read, newest first, with their figures."""
    rows = []
    for entry in run_entries(studio, lang):
        with contextlib.suppress(M2N2Error):  # it has just been removed
            rows.append(RunRow(**entry, cells=_cells(lang, run_figures(studio.runs / entry["name"]))))
    return RunTable(
        runs=rows,
        columns=[(key, t(lang, f"run_column_{key}")) for key in COLUMNS],
        words={key: t(lang, word) for key, word in _WORDS.items()},
        longest={"title": LONGEST_TITLE, "note": LONGEST_NOTE},
    )


def _cells(lang: Lang, run: RunFigures) -> dict[str, Cell]:
    over = "–" if run.over_average is None else f"{run.over_average:+z.3f}"
    return {
        "ja": Cell(value=run.best_ja, text=format_score(run.best_ja)),
        "en": Cell(value=run.best_en, text=format_score(run.best_en)),
        "average": Cell(value=run.over_average, text=over),
        "pictures": Cell(value=run.pictures, text=f"{run.pictures:,}"),
        "took": Cell(value=run.seconds, text=format_duration(lang, run.seconds) if run.pictures else "–"),
        "began": Cell(value=_moment(run.began), text="–"),
    }


def _moment(began: datetime | None) -> str | None:
    """A moment in ISO 8601; databases keep those of UTC without saying so."""
    return began.replace(tzinfo=began.tzinfo or UTC).isoformat() if began else None
