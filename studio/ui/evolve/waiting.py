"""A run that waits for the machine: its place in the line, the run before it, and how long that may take."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from markupsafe import Markup

from pipelines.errors import M2N2Error
from studio.formatting import format_duration, ordinal
from studio.i18n import Lang, t
from studio.runs.status import is_carried
from studio.runs.summary import status
from studio.ui.common.frame import page_link
from studio.ui.common.studio import Studio


@dataclass(frozen=True)
class RunBefore:
    """A run of this studio that has the machine, or will have it earlier.

    Attributes:
        name: of the run.
        before: runs before it; none where it is at work.
        seconds: that it will go on, `None` where nobody can say.
    """

    name: str
    before: int
    seconds: float | None


def runs_before(studio: Studio, name: str, before: int) -> list[RunBefore]:
    """List the runs of this studio that come before a waiting one, the one at work first.

    Args:
        studio: whose runs they may be; the line is the machine's, so that others may stand in it too.
        name: of the waiting run.
        before: how many are before it.
    """
    found = []
    for other in studio.run_names():
        if other == name or not is_carried(studio.runs / other):
            continue
        with contextlib.suppress(M2N2Error), studio.run(other) as store:
            now = status(store)
            place = now["before"] if now["status"] == "queued" else 0
            if place < before:
                found.append(RunBefore(other, place, now["seconds_left"]))
    return sorted(found, key=lambda run: run.before)


def waiting_words(lang: Lang, found: list[RunBefore], before: int) -> Markup:
    """Say which place in the line it is, how long that takes where it can be told, and which run comes before it."""
    times = [run.seconds for run in found if run.seconds is not None]
    place = ordinal(lang, before + 1)
    # What nobody can measure yet would make a number of the rest that is far too small.
    whole = len(times) == len(found) == before
    words = (
        t(lang, "queued_for", place=place, time=format_duration(lang, sum(times)))
        if whole
        else t(lang, "queued", place=place)
    )
    if not found:
        return Markup("{} {}").format(words, t(lang, "queued_elsewhere"))
    link = Markup('<a href="{}">{}</a>').format(page_link(lang, "evolve", run=found[-1].name), found[-1].name)
    return Markup("{} {}").format(words, Markup(t(lang, "queued_behind")).format(run=link))
