"""The Archive page: a wall of models to sort and filter; click one for its pictures, recipe and ancestors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.analysis.selection import (
    WALL_SHOWS,
    WALL_SORTS,
    WallFilter,
    WallShow,
    WallSort,
)
from studio.i18n import Lang, category_label, t
from studio.judging.annotations import MAX_STARS, annotate, read_annotations
from studio.judging.pinned_prompts import MOST_PINNED, pin_prompts, pinned_prompts
from studio.ui.common import html
from studio.ui.common.address import asked_individual, no_run_yet
from studio.ui.common.frame import listen, page_header
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import rater_of

from .individual import detail, said_of
from .picture_lookup import found_by_picture
from .shortlist import shortlist_fields, wire_shortlist
from .wall import SCRIPT, wall, why_nobody


@dataclass(frozen=True)
class Choices:
    """What a run's models can be filtered by, and the prompts that can be pinned, and are."""

    categories: list[str]
    sources: list[str]
    tags: list[str]
    prompts: list[tuple[str, str]]
    pinned: list[str]


def choices_of(studio: Studio, name: str) -> Choices:
    """Categories of the prompts, sources, and tags that somebody gave.

    Raises:
        RunError: there is no such run.
    """
    with studio.run(name) as store:
        return Choices(
            categories=list(dict.fromkeys(store.prompts.niches.categories)),
            sources=[one.id for one in store.sources()],
            tags=sorted({tag for marked in read_annotations(store).values() for tag in marked.tags}),
            prompts=[(html.both_captions(prompt), prompt.id) for prompt in store.prompts.niches.prompts],
            pinned=[prompt.id for prompt in pinned_prompts(store)],
        )


def say(studio: Studio, name: str, id: str, *, rater: str, stars: int, tags: str, note: str) -> None:
    """Star, tag and note an individual.

    Raises:
        RunError: there is no such run or individual, or no so many stars.
    """
    with studio.run(name) as store:
        annotate(store, store.individual(id), rater=rater, stars=stars, tags=tags, note=note)


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "archive")
    chosen_id, ancestor_ids = gr.State(None), gr.State([])
    walled = gr.State(None)  # the run and the filter that the wall shows
    with gr.Row(elem_classes="bar"):
        chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
        sort = gr.Dropdown([(t(lang, f"sort_{key}"), key) for key in WALL_SORTS], value="ja", label=t(lang, "sort"))
        category = gr.Dropdown([], label=t(lang, "category"))
        show = gr.Radio(
            [(t(lang, f"show_{key}"), key) for key in WALL_SHOWS], value="alive", label=t(lang, "show"), scale=2
        )
    with gr.Row(elem_classes="folds"):
        pins = gr.Dropdown(
            [],
            multiselect=True,
            max_choices=MOST_PINNED,
            label=t(lang, "pinned"),
            info=t(lang, "pinned_info", most=MOST_PINNED),
            elem_id="pins",
        )
        with gr.Accordion(t(lang, "filter"), open=False), gr.Row(elem_classes="bar"):
            text = gr.Textbox(label=t(lang, "filter_text"), info=t(lang, "filter_text_info"), max_lines=1)
            source = gr.Dropdown([], label=t(lang, "filter_source"), info=t(lang, "filter_source_info"))
            share = gr.Slider(0, 100, 30, step=5, label=t(lang, "filter_share"))
            stars = gr.Slider(0, MAX_STARS, 0, step=1, label=t(lang, "filter_stars"))
            tag = gr.Dropdown([], label=t(lang, "filter_tag"))
            fold = gr.Checkbox(True, label=t(lang, "filter_fold"), min_width=160)
        with gr.Accordion(t(lang, "drop_picture"), open=False):
            dropped = gr.File(
                label=t(lang, "drop_picture_info"), file_types=[".png"], type="filepath", height=110, elem_id="dropped"
            )
        starred = shortlist_fields(lang)
    empty = gr.HTML(visible=False)
    with gr.Row(equal_height=False) as found_row:
        with gr.Column(scale=6, min_width=360):
            with gr.Row(elem_classes="wall-top"):
                gr.Markdown(t(lang, "archive"), elem_classes="quiet inset")
                gr.HTML(
                    Markup('<label id="picture-size">{} {}</label>').format(
                        t(lang, "picture_size"),
                        Markup('<input type="range" min="160" max="480" step="20" value="160">'),
                    ),
                    elem_classes="wall-size",
                )
            number = gr.Slider(1, 2, 1, step=1, label=t(lang, "wall_page"), visible=False, elem_id="wall-page")
            gallery = gr.HTML(js_on_load=SCRIPT, elem_id="wall")
        with gr.Column(scale=4, min_width=420, elem_id="detail", visible=False) as drawer:
            shut = gr.Button(t(lang, "lightbox_close"), size="sm", elem_id="shut")
            title = gr.HTML(elem_id="title", min_height=90)
            depth = gr.HTML(min_height=40)
            pairs = gr.HTML()
            with gr.Accordion(t(lang, "marks"), open=False, visible=False, elem_id="marks") as marking:
                said = gr.HTML(elem_id="said")
                with gr.Row(elem_classes="bar"):
                    given = gr.Radio([(t(lang, "stars_none"), 0), *(("★" * n, n) for n in range(1, MAX_STARS + 1))],
                                     value=0, label=t(lang, "stars"), scale=3)  # fmt: skip
                    rater = gr.Textbox(label=t(lang, "rater"), max_lines=1, elem_classes="typed-name")
                with gr.Row(elem_classes="bar"):
                    tags = gr.Textbox(label=t(lang, "tags"), placeholder=t(lang, "tags_info"), max_lines=1)
                    note = gr.Textbox(label=t(lang, "note"), max_lines=2, scale=2)
                    keep = gr.Button(t(lang, "keep_mark"), min_width=90, scale=0, elem_id="keep")
            with gr.Accordion(t(lang, "lineage"), open=False):
                family = gr.Gallery(
                    show_label=False,
                    columns=6,
                    height=180,
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    elem_id="family",
                )
            with gr.Accordion(t(lang, "recipe"), open=False):
                command = gr.Code(language="shell", label=t(lang, "command"), interactive=False, buttons=["copy"])
                recipe = gr.Code(
                    language="json",
                    label=t(lang, "recipe_json"),
                    interactive=False,
                    buttons=["copy", "download"],
                    max_lines=16,
                )
    details = [chosen_id, title, depth, pairs, recipe, command, ancestor_ids, family, said, marking, drawer]
    filters = [sort, show, category, text, source, share, stars, tag, fold]
    of_the_run = [*filters, pins]

    def wanted(
        by: WallSort,
        whom: WallShow,
        of: str,
        words: str,
        made_of: str,
        percent: float,
        least: float,
        word: str,
        folded: bool,
    ) -> WallFilter:
        share = percent / 100 if made_of else WallFilter().share  # of no source, it says nothing
        return WallFilter(by, whom, of or "", words or "", made_of or "", share, least, word or "", folded)

    def filled(name: str | None, asked_for: WallFilter, page: int = 1) -> list[Any]:
        if name is None:
            return [None, "", gr.HTML(no_run_yet(lang), visible=True), gr.Row(visible=False), gr.skip()]
        found = wall(studio, lang, name, asked_for, page)
        nobody = gr.HTML(html.empty_message(t(lang, why_nobody(asked_for))), visible=not found.ids)
        pages = gr.update(
            maximum=max(2, found.pages), value=min(page, found.pages), visible=found.pages > 1,
            info=t(lang, "wall_found", n=found.found),
        )  # fmt: skip
        return [(name, asked_for), found.cards, nobody, gr.Row(visible=bool(found.ids)), pages]

    def opened(name: str | None, id: str | None) -> list[Any]:
        if not name or not id:
            return [None, *[""] * 5, [], [], "", gr.Accordion(visible=False), gr.Column(visible=False)]
        return [id, *detail(studio, lang, name, id), gr.Accordion(visible=True), gr.Column(visible=True)]

    def of_run(name: str | None) -> list[Any]:
        """The filters, as they are before anybody sets them."""
        if not name:
            return [gr.skip()] * len(of_the_run)
        found = choices_of(studio, name)
        any_of = (t(lang, "anything"), "")
        return [
            gr.skip(),
            gr.skip(),
            gr.Dropdown(
                choices=[(t(lang, "all_categories"), ""), *((category_label(lang, c), c) for c in found.categories)],
                value="",
            ),
            "",
            gr.Dropdown(choices=[any_of, *found.sources], value=""),
            gr.skip(),
            0,
            gr.Dropdown(choices=[any_of, *found.tags], value=""),
            True,
            gr.Dropdown(choices=found.prompts, value=found.pinned),
        ]

    def on_load(request: gr.Request) -> list[Any]:
        asked = asked_individual(studio, lang, request)
        runs = gr.Dropdown(choices=studio.run_choices(), value=asked.run)
        shown = [*of_run(asked.run), *filled(asked.run, WallFilter()), *opened(asked.run, asked.individual)]
        return [asked.notice, runs, *shown]

    # Gradio tells of input as well where a list loses the focus, as when Tab passes by it: the model that is open, the
    # page of the wall and its filters stay then.
    def on_run(shows: tuple[str, WallFilter] | None, name: str, by: WallSort, whom: WallShow) -> list[Any]:
        if shows and shows[0] == name:
            return [gr.skip()] * len([*of_the_run, *wall_parts, *details])
        return [*of_run(name), *filled(name, WallFilter(sort=by, show=whom)), *opened(name, None)]

    def on_drop(file: str, by: WallSort, whom: WallShow) -> list[Any]:
        name, id = found_by_picture(studio, Path(file))
        chosen_run = gr.Dropdown(value=name)
        return [None, chosen_run, *of_run(name), *filled(name, WallFilter(sort=by, show=whom)), *opened(name, id)]

    def on_filter(shows: tuple[str, WallFilter] | None, name: str | None, *values: Any) -> list[Any]:
        if shows == (name, wanted(*values)):
            return [gr.skip()] * len(wall_parts)
        return filled(name, wanted(*values))

    def on_pin(name: str, ids: list[str], *values: Any) -> list[Any]:
        with studio.run(name) as store:
            pin_prompts(store, ids)
        return filled(name, wanted(*values))

    def on_page(name: str | None, page: float, *values: Any) -> list[Any]:
        return filled(name, wanted(*values), int(page))

    def on_open(name: str, event: gr.EventData) -> list[Any]:
        return opened(name, event.id or None)

    def on_ancestor(name: str, ids: list[str], event: gr.SelectData) -> list[Any]:
        return opened(name, ids[event.index])

    def on_keep(name: str, id: str, who: str, count: int, words: str, text: str, request: gr.Request) -> list[Any]:
        say(studio, name, id, rater=rater_of(request) or who, stars=count, tags=words, note=text)
        found = choices_of(studio, name)
        with studio.run(name) as store:
            now = said_of(lang, store, store.individual(id))
        return [now, gr.Dropdown(choices=[(t(lang, "anything"), ""), *found.tags])]

    wall_parts = [walled, gallery, empty, found_row, number]
    hidden = {"show_progress": "hidden"}
    listen(demo.load, lang, on_load, None, [lost, chosen, *of_the_run, *wall_parts, *details], role="viewer", **hidden)
    listen(chosen.input, lang, on_run, [walled, chosen, sort, show], [*of_the_run, *wall_parts, *details],
           trigger_mode="always_last", role="viewer", **hidden)  # fmt: skip
    for trigger in (*(one.input for one in (sort, show, category, source, tag, fold)), text.submit, text.blur,
                    share.release, stars.release):  # fmt: skip
        listen(
            trigger,
            lang,
            on_filter,
            [walled, chosen, *filters],
            wall_parts,
            trigger_mode="always_last",
            role="viewer",
            **hidden,
        )
    listen(pins.input, lang, on_pin, [chosen, pins, *filters], wall_parts, role="judge", does="pin prompts", **hidden)
    listen(number.release, lang, on_page, [chosen, number, *filters], wall_parts, role="viewer", **hidden)
    kept = listen(
        keep.click,
        lang,
        on_keep,
        [chosen, chosen_id, rater, given, tags, note],
        [said, tag],
        role="judge",
        does="rate an individual",
        **hidden,
    )
    listen(
        dropped.upload,
        lang,
        on_drop,
        [dropped, sort, show],
        [dropped, chosen, *of_the_run, *wall_parts, *details],
        role="judge",
    )
    for trigger, handler, inputs in (
        (gallery.open, on_open, [chosen]),
        (family.select, on_ancestor, [chosen, ancestor_ids]),
    ):
        listen(trigger, lang, handler, inputs, details, role="viewer", **hidden)
    listen(shut.click, lang, lambda name: opened(name, None), chosen, details, role="viewer", **hidden)
    wire_shortlist(studio, lang, starred, chosen, [kept.then])
