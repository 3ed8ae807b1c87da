"""What the list shows of each run: the picture that stands for it, its name, how it stands."""

from __future__ import annotations

import contextlib

from typing_extensions import TypedDict

from pipelines.errors import M2N2Error
from studio.analysis.selection import best_source
from studio.i18n import Lang, t, worded
from studio.judging.pinned_prompts import pinned_prompts
from studio.runs.status import current_status
from studio.runs.store import RunStore
from studio.ui.common import html
from studio.ui.common.studio import Studio

MOST = 100  # runs, the newest first


class Entry(TypedDict):
    """A run of the list.

    `cover` is the address of a small picture, `None` where there is none yet; `state` says in words how it stands, and
    `going` whether a process carries it; `readable` tells whether a page can show it.
    """

    name: str
    cover: str | None
    state: str
    going: bool
    readable: bool


class RunList(TypedDict):
    """The runs of a studio, and the words that the list needs."""

    runs: list[Entry]
    words: dict[str, str]


def run_list(studio: Studio, lang: Lang) -> RunList:
    """List the runs of a studio: those that can be read, newest first, then the others with the reason."""
    entries = []
    for name in studio.run_names()[:MOST]:
        with contextlib.suppress(M2N2Error), studio.run(name) as store:  # it has just been removed
            entries.append(_entry(store, lang))
    for run in studio.unreadable_runs()[:MOST]:
        entries.append(Entry(name=run.name, cover=None, state=worded(lang, run.reason), going=False, readable=False))
    return RunList(runs=entries, words={"empty": t(lang, "no_runs"), "close": t(lang, "lightbox_close")})


def _entry(store: RunStore, lang: Lang) -> Entry:
    now, pace = current_status(store, store.state), store.pace(0)
    going = now in ("queued", "running", "reporting")
    words = t(lang, f"short_{now}")
    if now in ("running", "stopped", "interrupted", "failed"):
        words = t(lang, "short_made", state=words, done=pace.offspring, of=store.config.evaluations)
    elif now == "done":
        words = t(lang, "short_children", state=words, done=pace.offspring)
    return Entry(name=store.name, cover=_cover(store), state=words, going=going, readable=True)


def _cover(store: RunStore) -> str | None:
    """A picture of the run's child, or of its best source before there is one: of the first pinned prompt with one."""
    child = store.state.child
    best = None if child else best_source(store.sources())
    if not (model := child or (best.id if best else None)):
        return None
    pictures = (
        html.run_picture(store, model, prompt.id, "ja" if prompt.ja else "en") for prompt in pinned_prompts(store)
    )
    address = next((address for address in pictures if address), None)
    return address.replace(html.RUN, html.SMALL, 1) if address else None
