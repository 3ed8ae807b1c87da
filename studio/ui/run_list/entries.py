"""What is shown of each run: what it is called, the picture that stands for it, how it stands."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import TypedDict

from pipelines.errors import M2N2Error
from studio.analysis.selection import best_source
from studio.i18n import Lang, t, worded
from studio.judging.pinned_prompts import PINNED_FILE, pinned_prompts
from studio.run_folders.file_states import DATABASE_FILES, FileStates, file_states
from studio.run_folders.labels import read_label
from studio.runs.config import RunConfig
from studio.runs.state import Pace, RunState
from studio.runs.status import status_of
from studio.runs.store import RunStore, open_run
from studio.runs.summary import RECENT, stuck_for
from studio.ui.common import html
from studio.ui.common.studio import Studio

MOST = 100  # runs of the list, the newest first
_READ = (*DATABASE_FILES, "run.yaml", PINNED_FILE)  # files whose change makes a run worth another look
_WORDS = {
    "empty": "no_runs",
    "close": "lightbox_close",
    "table": "run_table",
    "notice": "run_notice",
    "told": "run_notice_told",
    "refused": "run_notice_refused",
}


class Entry(TypedDict):
    """A run of the list.

    `title`, `note` and `tags` are what somebody gave it; `cover` is the address of a small picture, `None` where there
    is none yet; `state` says in words how it stands, and `going` whether a process carries it; `readable` tells whether
    a page can show it, `stuck` whether nothing came of it for far longer than usual.
    """

    name: str
    title: str
    note: str
    tags: list[str]
    cover: str | None
    state: str
    going: bool
    readable: bool
    stuck: bool


class RunList(TypedDict):
    """The runs of a studio, and the words that the list needs."""

    runs: list[Entry]
    words: dict[str, str]


def run_list(studio: Studio, lang: Lang) -> RunList:
    """List the newest runs of a studio that can be read, newest first, then the others with the reason."""
    found = run_entries(studio, lang, MOST)
    for run in studio.unreadable_runs()[:MOST]:
        reason = worded(lang, run.reason)
        found.append(
            Entry(
                name=run.name,
                title="",
                note="",
                tags=[],
                cover=None,
                state=reason,
                going=False,
                readable=False,
                stuck=False,
            )
        )
    return RunList(runs=found, words={key: t(lang, word) for key, word in _WORDS.items()})


def run_entries(studio: Studio, lang: Lang, most: int | None = None) -> list[Entry]:
    """The runs of a studio that can be read, newest first; of one that did not change no database is opened."""
    found = []
    for name in studio.run_names()[:most]:
        with contextlib.suppress(M2N2Error, OSError):  # it has just been removed
            found.append(_entry(studio.runs / name, lang))
    return found


@dataclass(frozen=True)
class _Glance:
    """What an entry needs of a run's database, as long as that does not change."""

    state: RunState
    pace: Pace
    config: RunConfig
    cover: str | None


def _entry(folder: Path, lang: Lang) -> Entry:
    seen, label = _glance(folder, file_states(folder, _READ)), read_label(folder)
    now = status_of(folder, seen.state)
    stuck = stuck_for(seen.config, seen.state, seen.pace, now) is not None
    words = t(lang, "short_stuck" if stuck else f"short_{now}")
    if now in ("running", "stopped", "interrupted", "failed"):
        words = t(lang, "short_made", state=words, done=seen.pace.offspring, of=seen.config.evaluations)
    elif now == "done":
        words = t(lang, "short_children", state=words, done=seen.pace.offspring)
    return Entry(
        name=folder.name,
        title=label.title,
        note=label.note,
        tags=list(label.tags),
        cover=seen.cover,
        state=words,
        going=now in ("queued", "running", "reporting"),
        readable=True,
        stuck=stuck,
    )


@functools.lru_cache(maxsize=4096)
def _glance(folder: Path, states: FileStates) -> _Glance:
    """Look into the database of a run whose files are in these `states`."""
    store = open_run(folder)
    try:
        state = store.state
        slight = RunState(status=state.status, called=state.called, began=state.began)  # the search's own is large
        return _Glance(slight, store.pace(RECENT), store.config, _cover(store, state.child))
    finally:
        store.close()


def _cover(store: RunStore, child: str | None) -> str | None:
    """A picture of the run's child, or of its best source before there is one: of the first pinned prompt with one."""
    best = None if child else best_source(store.sources())
    if not (model := child or (best.id if best else None)):
        return None
    pictures = (
        html.run_picture(store, model, prompt.id, "ja" if prompt.ja else "en") for prompt in pinned_prompts(store)
    )
    address = next((address for address in pictures if address), None)
    return address.replace(html.RUN, html.SMALL, 1) if address else None
