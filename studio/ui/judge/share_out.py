"""The Judge page's part for a team: questions shared out among raters, and how far each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.errors import RunError
from studio.i18n import Lang, phrase, t
from studio.judging.assignments import (
    Assignment,
    check_common,
    check_each,
    check_raters,
    read_assignment,
    share_out,
)
from studio.judging.shortlist import shortlist
from studio.judging.votes import read_votes
from studio.ui.common.field_errors import at_field
from studio.ui.common.frame import listen
from studio.ui.common.studio import Studio

EACH, COMMON = 30, 10  # questions of a rater, and how many of them everybody is asked


def share_out_part(studio: Studio, lang: Lang, chosen: gr.Dropdown, only: gr.Checkbox) -> None:
    """Lay the part out under the form and wire it.

    Args:
        studio: its runs.
        lang: of the page.
        chosen: the run.
        only: whether the shortlist alone is judged.
    """
    with gr.Accordion(t(lang, "share_out"), open=False, elem_id="share-out"):
        gr.Markdown(t(lang, "share_out_info"))
        with gr.Row(elem_classes="bar"):
            names = gr.Textbox(
                label=t(lang, "raters"), info=t(lang, "raters_info"), lines=4, max_lines=12, scale=3, elem_id="raters"
            )
            each, common = (
                gr.Number(value, label=t(lang, label), precision=0, scale=1, elem_id=label.replace("_", "-"))
                for value, label in ((EACH, "questions_each"), (COMMON, "questions_common"))
            )
            go = gr.Button(t(lang, "share_out_now"), scale=1, min_width=160, elem_id="share-out-now")
        progress = gr.HTML(elem_id="assignment")

    def on_run(run: str | None) -> Any:
        return progress_of(studio, lang, run) if run else ""

    def on_share(run: str | None, typed: str, many: int | None, same: int | None, starred: bool) -> Any:
        if run is None:
            raise RunError(phrase("no_runs"))
        share_out_run(studio, run, named_raters(typed), many or 0, same or 0, starred=starred)
        return progress_of(studio, lang, run)

    listen(chosen.change, lang, on_run, chosen, progress, role="viewer", show_progress="hidden")
    shared = [chosen, names, each, common, only]
    listen(go.click, lang, on_share, shared, progress, role="editor", does="share questions out")


def share_out_run(
    studio: Studio, run: str, raters: Sequence[str], each: int, common: int, *, starred: bool = False
) -> None:
    """Share a run's questions out; `starred`: about its shortlist alone.

    Raises:
        RunError: as `studio.judging.assignments.share_out`; it says which field it is about.
    """
    with at_field("raters"):
        check_raters(raters)
    with at_field("questions-each"):
        check_each(each)
    with at_field("questions-common"):
        check_common(common, each)
    with studio.run(run) as store, at_field("questions-each"):
        among = {one.id for one in shortlist(store)} if starred else None
        share_out(store, raters, each, common, among=among)


def named_raters(typed: str) -> list[str]:
    """The names that somebody typed, one a line or between commas."""
    lines = typed.replace("、", ",").replace("，", ",").replace("\n", ",").split(",")
    return [name for line in lines if (name := " ".join(line.split()))]


def progress_of(studio: Studio, lang: Lang, run: str) -> Markup:
    """How far each rater is with what was shared out in a run; empty where nothing was.

    Raises:
        RunError: there is no such run, or its file cannot be read.
    """
    with studio.run(run) as store:
        if (found := read_assignment(store.folder)) is None:
            return Markup("")
        return _table(lang, found, found.progress(read_votes(store.folder)))


def _table(lang: Lang, found: Assignment, progress: dict[str, tuple[int, int]]) -> Markup:
    rows = Markup("").join(
        Markup(
            '<tr><th scope="row">{0}</th><td><meter max="{2}" value="{1}" aria-label="{0}"></meter></td>'
            '<td class="number">{3}</td></tr>'
        ).format(rater, done, given, t(lang, "questions_done", done=done, given=given))
        for rater, (done, given) in progress.items()
    )
    day = found.time.replace("T", " ")[:16]
    note = t(lang, "shared_out", time=day, common=found.common)
    return Markup("<p>{}</p><table><tbody>{}</tbody></table>").format(note, rows)
