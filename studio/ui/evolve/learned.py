"""What the scores of a run say, in a part that is folded: nothing is learned before somebody unfolds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.i18n import Lang, t
from studio.reports.learned import learned_section
from studio.ui.common.frame import listen, page_link
from studio.ui.common.shared import SharedAnswers
from studio.ui.common.studio import Studio

KEPT = 2.0  # seconds that what was drawn of a run is given to whoever else asks


@dataclass(frozen=True)
class LearnedPart:
    """The components.

    Attributes:
        fold: what is folded.
        is_open: whether it is unfolded.
        shown: what is in it.
    """

    fold: gr.Accordion
    is_open: gr.State
    shown: gr.HTML


def learned_part(lang: Lang) -> LearnedPart:
    """Lay the part out, folded."""
    is_open = gr.State(False)
    with gr.Accordion(t(lang, "learned"), open=False, elem_id="learned") as fold:
        shown = gr.HTML(elem_id="learned-shown", min_height=320)
    return LearnedPart(fold, is_open, shown)


def learned_view(studio: Studio, lang: Lang, name: str) -> Markup:
    """Draw what a run's scores say, its models leading to the Archive.

    Raises:
        RunError: there is no run of that name.
    """
    with studio.run(name) as store:
        return learned_section(lang, store, lambda id: page_link(lang, "archive", run=name, id=id))


def wire_learned(studio: Studio, lang: Lang, part: LearnedPart, chosen: gr.Dropdown, mark: gr.State) -> None:
    """Draw it once it is unfolded, and again whenever the run has changed meanwhile.

    Args:
        studio: whose runs.
        lang: of the page.
        part: the components.
        chosen: which run is shown.
        mark: changes whenever anything of the run does.
    """
    drawn_for_all: SharedAnswers[Markup] = SharedAnswers(KEPT)

    def drawn(name: str | None, mark: str) -> Markup:
        return drawn_for_all.get(mark, lambda: learned_view(studio, lang, name)) if name else Markup("")

    def on_open(name: str | None, mark: str) -> list[Any]:
        return [True, drawn(name, mark)]

    def on_change(name: str | None, mark: str, is_open: bool) -> Markup:
        return drawn(name, mark) if is_open else Markup("")  # of another run, perhaps

    given = [chosen, mark]
    listen(part.fold.expand, lang, on_open, given, [part.is_open, part.shown], show_progress="minimal", role="viewer")
    listen(part.fold.collapse, lang, lambda: False, None, part.is_open, show_progress="hidden", role="viewer")
    listen(mark.change, lang, on_change, [*given, part.is_open], part.shown, show_progress="hidden", role="viewer")
