"""What a page's address asks for: what is there is shown, what is not is named in a line; the page stays whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import gradio as gr
from markupsafe import Markup

from studio.errors import RunError
from studio.i18n import Lang, t
from studio.run_folders.listing import list_runs

from .frame import page_link, query_value
from .studio import Studio, current_run


@dataclass(frozen=True)
class Asked:
    """A run and an individual that an address names.

    Attributes:
        run: the one to show: the one named, or the one that the page would open with; `None` where there is none.
        individual: the one named, if that run has it.
        missing: sentences on what is not there.
    """

    run: str | None
    individual: str | None = None
    missing: tuple[str, ...] = ()

    @property
    def notice(self) -> Markup:
        """What is not there, as the page says it."""
        return not_found(self.missing)


def asked_run(studio: Studio, lang: Lang, request: gr.Request) -> Asked:
    """Read which run an address asks for."""
    wanted = query_value(request, "run")
    run = current_run(studio, wanted)
    if not wanted or run == wanted:
        return Asked(run)
    # Why a run that is there cannot be read is worth more than that it cannot.
    reason = list_runs(studio.runs).reason(wanted) or ""
    return Asked(run, missing=(f"{t(lang, 'no_such_run', run=wanted)} {reason}".strip(),))


def asked_individual(studio: Studio, lang: Lang, request: gr.Request) -> Asked:
    """Read which run and which individual of it an address asks for; one of a run that is not there is nobody's."""
    asked, id = asked_run(studio, lang, request), query_value(request, "id")
    if not id or asked.run is None or asked.missing:
        return asked
    try:
        with studio.run(asked.run) as store:
            store.individual(id)
    except RunError:
        return Asked(asked.run, missing=(t(lang, "no_such_individual", id=id, run=asked.run),))
    return Asked(asked.run, id)


def no_run_yet(lang: Lang) -> Markup:
    """Say that there is no run, and lead to where one is started: whoever may start none is told without the way."""
    return Markup(
        '<div class="empty"><p>{}</p><p class="needs-editor"><a class="action primary" href="{}">{}</a></p></div>'
    ).format(t(lang, "no_runs"), page_link(lang, "new"), t(lang, "new_run"))


def not_found(sentences: Iterable[str]) -> Markup:
    """Draw what was asked for and is not there; nothing where all of it is."""
    lines = Markup("").join(Markup("<p>{}</p>").format(one) for one in sentences)
    return Markup('<div class="not-found" role="status">{}</div>').format(lines) if lines else Markup("")
