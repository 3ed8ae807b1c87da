"""The first step of the Export page: whom to export, and what to call it."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from studio.exporting import export_names
from studio.i18n import Lang, t
from studio.ui.common import html
from studio.ui.common.address import asked_individual
from studio.ui.common.frame import keep_in_address, listen
from studio.ui.common.shortlist import asks_for_shortlist
from studio.ui.common.studio import Studio

from . import steps as offer

_VIEWING: dict[str, Any] = {"role": "viewer", "show_progress": "hidden"}


class WhoFields(NamedTuple):
    """The components of the step."""

    run: gr.Dropdown
    who: gr.Dropdown
    only: gr.Checkbox
    title: gr.Textbox
    said: gr.HTML
    portrait: gr.HTML


def who_fields(lang: Lang) -> WhoFields:
    """Lay the step out."""
    with gr.Row(elem_classes="bar"):
        run = gr.Dropdown([], label=t(lang, "run"), scale=2)
        who = gr.Dropdown([], label=t(lang, "individual"), scale=2)
        only = gr.Checkbox(label=t(lang, "only_shortlist"), min_width=160, elem_id="only")
        title = gr.Textbox(label=t(lang, "title"), scale=2, max_lines=1, elem_id="called")
    return WhoFields(run, who, only, title, gr.HTML(elem_id="name-said"), gr.HTML(min_height=150))


def wire_who(
    demo: gr.Blocks,
    studio: Studio,
    lang: Lang,
    fields: WhoFields,
    *,
    lost: gr.HTML,
    empty: gr.HTML,
    forward: gr.Button,
    again: gr.Button,
) -> None:
    """Fill the step when the page opens, when somebody else is chosen, and for another export.

    Args:
        demo: the pages.
        studio: whose runs there are.
        lang: of the page.
        fields: of the step.
        lost: where what an address names in vain is said.
        empty: what is shown while there is no run.
        forward: goes on, once the name is one.
        again: asks for another export.
    """
    run, who, only, title, said, portrait = fields
    # The run, whether only its shortlist, and whom the step shows. Gradio tells of input as well where Tab passes by a
    # list; by the time that was answered, somebody would be typing the name.
    showing = gr.State([])
    rest = [showing, title, portrait, said, forward]

    def checked(called: str) -> list[Any]:
        problem = export_names.name_problem(called, studio.exports)
        return [html.alert(t(lang, f"name_{problem}") if problem else ""), gr.Button(interactive=problem is None)]

    def of_individual(name: str, starred: bool, id: str, shown: list[Any]) -> list[Any]:
        if shown == [name, starred, id]:
            return [gr.skip()] * len(rest)
        called = offer.suggested(studio, name, id)
        return [[name, starred, id], called, offer.portrait(studio, lang, name, id), *checked(called)]

    def of_run(name: str | None, starred: bool, shown: list[Any], id: str | None = None) -> list[Any]:
        if shown[:2] == [name, starred]:
            return [gr.skip()] * (1 + len(rest))
        nobody = [[name, starred, None], "", "", "", gr.Button(interactive=False)]
        if name is None:
            return [gr.skip(), *nobody]
        found, first = offer.first_choice(studio, lang, name, id, starred=starred)
        filled = of_individual(name, starred, first, []) if first else nobody
        return [gr.Dropdown(choices=found, value=first), *filled]

    def on_load(request: gr.Request) -> list[Any]:
        asked = asked_individual(studio, lang, request)
        runs = gr.Dropdown(choices=studio.run_choices(), value=asked.run)
        starred = asks_for_shortlist(studio, asked.run, request)
        filled = of_run(asked.run, starred, [], asked.individual)
        return [asked.notice, gr.HTML(visible=asked.run is None), runs, starred, *filled]

    def on_again(name: str, starred: bool, id: str) -> list[Any]:
        return of_individual(name, starred, id, [])

    listen(demo.load, lang, on_load, None, [lost, empty, run, only, who, *rest], **_VIEWING)
    keep_in_address(run)
    keep_in_address(who, "id")
    for trigger in (run.input, only.input):
        listen(trigger, lang, of_run, [run, only, showing], [who, *rest], **_VIEWING)
    listen(who.input, lang, of_individual, [run, only, who, showing], rest, **_VIEWING)
    listen(title.change, lang, checked, title, [said, forward], trigger_mode="always_last", **_VIEWING)
    listen(again.click, lang, on_again, [run, only, who], rest, role="viewer")
