"""The shortlist on the Archive page: where it goes from here, its page for a client, and what clients sent back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.i18n import Lang, t
from studio.judging.reviews import Review, parse_review, read_review, read_reviews, take_in
from studio.judging.shortlist import finalists, shortlist
from studio.reports.review import MOST_REVIEWED, write_review
from studio.ui.common.field_errors import at_field
from studio.ui.common.frame import listen, page_link
from studio.ui.common.reviews import review_said, reviews_html
from studio.ui.common.shortlist import MOST_COMPARED, left_out_words
from studio.ui.common.studio import Studio, download_folder

# Whoever stars a model in the large view sees it here when that is closed.
SCRIPT = 'document.addEventListener("studio-marks", () => { if (element.isConnected) trigger("refresh"); });'


@dataclass(frozen=True)
class ShortlistFields:
    """The components of the shortlist."""

    bar: gr.HTML
    make: gr.Button
    made: gr.DownloadButton
    returned: gr.File
    pasted: gr.Textbox
    read: gr.Button
    said: gr.HTML


def shortlist_fields(lang: Lang) -> ShortlistFields:
    """Lay the shortlist out."""
    bar = gr.HTML(elem_id="shortlist", js_on_load=SCRIPT)
    with gr.Accordion(t(lang, "review"), open=False, elem_id="review"):
        with gr.Row(elem_classes="bar"):
            make = gr.Button(t(lang, "review_make"), scale=0, min_width=220, elem_id="review-make")
            made = gr.DownloadButton(
                t(lang, "review_page"), scale=0, min_width=220, visible=False, elem_id="review-page"
            )
            gr.Markdown(t(lang, "review_info", most=MOST_REVIEWED), elem_classes="quiet")
        with gr.Row(elem_classes="bar needs-judge"):
            returned = gr.File(
                label=t(lang, "review_returned"), file_types=[".json"], type="filepath", height=110, elem_id="returned"
            )
            pasted = gr.Textbox(label=t(lang, "review_pasted"), lines=3, max_lines=3, elem_id="pasted")
            read = gr.Button(t(lang, "review_read"), scale=0, min_width=160, elem_id="review-read")
        said = gr.HTML(elem_id="review-said")
    return ShortlistFields(bar, make, made, returned, pasted, read, said)


def wire_shortlist(
    studio: Studio, lang: Lang, fields: ShortlistFields, chosen: gr.Dropdown, marked: Sequence[Any]
) -> None:
    """Wire it.

    Args:
        studio: whose runs are shown.
        lang: of the page.
        fields: of `shortlist_fields`.
        chosen: the run.
        marked: events after which a model may have been starred.
    """
    shown = [fields.bar, fields.said]

    def on_shown(name: str | None) -> list[Any]:
        return [shortlist_bar(studio, lang, name), reviews_of(studio, lang, name)] if name else ["", ""]

    def on_run(name: str | None) -> list[Any]:
        return [*on_shown(name), gr.DownloadButton(visible=False)]

    def on_make(name: str) -> Any:
        return gr.DownloadButton(value=str(review_file(studio, lang, name)), visible=True)

    def on_returned(name: str, file: str) -> list[Any]:
        with at_field("returned"):
            gr.Info(received(studio, lang, name, read_review(Path(file))))
        return [None, *on_shown(name)]

    def on_pasted(name: str, text: str) -> list[Any]:
        with at_field("pasted"):
            gr.Info(received(studio, lang, name, parse_review(text)))
        return ["", *on_shown(name)]

    hidden = {"show_progress": "hidden"}
    listen(chosen.change, lang, on_run, chosen, [*shown, fields.made], role="viewer", **hidden)
    for trigger in (fields.bar.refresh, *marked):
        listen(trigger, lang, on_shown, chosen, shown, role="viewer", **hidden)
    listen(fields.make.click, lang, on_make, chosen, fields.made, show_progress_on=fields.make, role="judge")
    does: dict[str, Any] = {"role": "judge", "does": "take in a review", **hidden}
    listen(fields.returned.upload, lang, on_returned, [chosen, fields.returned], [fields.returned, *shown], **does)
    listen(fields.read.click, lang, on_pasted, [chosen, fields.pasted], [fields.pasted, *shown], **does)


def shortlist_bar(studio: Studio, lang: Lang, name: str) -> Markup:
    """Name the models of a run's shortlist, and lead to the pages that take them.

    Raises:
        RunError: there is no such run.
    """
    with studio.run(name) as store:
        found = shortlist(store)
        ids, compared = [one.id for one in found], finalists(store, found, MOST_COMPARED)
    if not ids:
        return Markup('<p class="quiet">★ {}</p>').format(t(lang, "shortlist_none"))
    ways = [("compare", {"id": ",".join(compared.ids)}), ("export", {"id": ids[0], "shortlist": "1"})]
    if len(ids) > 1:
        ways.insert(1, ("judge", {"shortlist": "1"}))
    links = Markup(" ").join(
        Markup('<a class="action" href="{}">{}</a>').format(
            page_link(lang, page, run=name, **query), t(lang, f"shortlist_{page}")
        )
        for page, query in ways
    )
    return Markup('<p class="shortlist"><b>★ {}</b> <span>{}</span> {} <span class="quiet">{}</span></p>').format(
        t(lang, "shortlist_of", n=len(ids)), ", ".join(ids), links, left_out_words(lang, compared)
    )


def review_file(studio: Studio, lang: Lang, name: str) -> Path:
    """Write the page for a client, to be downloaded.

    Raises:
        RunError: there is no such run, or its shortlist is empty.
    """
    with studio.run(name) as store:
        return write_review(store, lang, download_folder() / f"{name}-review-{lang}.html")


def received(studio: Studio, lang: Lang, name: str, review: Review) -> str:
    """Take in what a client sent back; returns what was taken in, in words.

    Raises:
        RunError: there is no such run, or it is a review of another.
    """
    with studio.run(name) as store:
        return review_said(lang, take_in(store, review))


def reviews_of(studio: Studio, lang: Lang, name: str) -> Markup:
    """What clients said of a run's models.

    Raises:
        RunError: there is no such run, or what they said cannot be read.
    """
    with studio.run(name) as store:
        return reviews_html(lang, read_reviews(store))
