"""The part of the page that shows a run: its components, and what each of them is filled with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.i18n import Lang, t
from studio.ui.common.frame import page_link
from studio.ui.common.studio import Studio

from .deletion import deletion
from .learned import LearnedPart, learned_part
from .plots import LINES, SPREAD, line_plot
from .progress import RunView, results_header
from .workers import worker_buttons


@dataclass(frozen=True)
class LivePart:
    """The components.

    Attributes:
        seen: those that `live_values` fills, by name.
        drawn: those that are drawn when everything else is there: two plots, the niche map, the family tree.
        learned: what the scores say, drawn where somebody unfolds it.
        of_one: those that another run has nothing to do with: a question that was asked, a file that was made.
        buttons: the others that somebody presses or types into, by name.
    """

    seen: Mapping[str, Any]
    drawn: list[Any]
    learned: LearnedPart
    of_one: list[Any]
    buttons: Mapping[str, Any]


def live_part(lang: Lang, studio: Studio, *, visible: bool) -> LivePart:
    """Lay the part out."""
    seen: dict[str, Any] = {"mark": gr.State(""), "run": gr.State(None)}
    buttons: dict[str, Any] = {}
    with gr.Column(visible=visible) as seen["live"]:
        with gr.Row(elem_classes="bar"):
            seen["chosen"] = gr.Dropdown([], label=t(lang, "run"), scale=2)
            seen["halt"] = gr.Button(t(lang, "pause"), scale=1, interactive=False, elem_id="halt")
            seen["again"] = gr.Button(t(lang, "resume"), scale=1, interactive=False, elem_id="again")
            seen["end"] = gr.Button(t(lang, "finish"), variant="stop", scale=1, interactive=False, elem_id="end")
        seen["headline"] = gr.HTML(elem_id="headline", min_height=64)
        with gr.Row(visible=False, elem_id="steering", elem_classes="bar flush needs-editor") as seen["steering"]:
            buttons["steer"] = gr.Button(t(lang, "steer"), scale=0, min_width=240, elem_id="steer")
            seen["unsteer"] = gr.Button(t(lang, "steer_end"), scale=0, min_width=180, visible=False, elem_id="unsteer")
            gr.Markdown(t(lang, "steer_info"), elem_classes="quiet")
        with gr.Column(visible=False, elem_id="workers-now", elem_classes="flush") as seen["at_work"]:
            seen["workers"] = gr.HTML(container=True)
            worker_buttons(lang, studio, seen["chosen"])
        with gr.Column(visible=False, elem_id="accept", elem_classes="flush needs-editor") as seen["asked"]:
            seen["differs"] = gr.HTML(container=True)
            with gr.Row(equal_height=True):
                buttons["reason"] = gr.Textbox(label=t(lang, "accept_why"), scale=2, elem_id="accept-why")
                buttons["agree"] = gr.Button(t(lang, "accept_go"), scale=1, elem_id="accept-go")
        seen["onward"] = gr.Accordion(
            t(lang, "go_on"), open=False, visible=False, elem_id="go-on", elem_classes="needs-editor"
        )
        with seen["onward"], gr.Row(equal_height=True):
            seen["budget"] = gr.Number(
                label=t(lang, "budget"), info=t(lang, "budget_info"), precision=0, elem_id="budget"
            )
            buttons["more"] = gr.Button(t(lang, "go_on_now"), elem_id="more")
            seen["fork"] = gr.Button(t(lang, "fork"), elem_id="fork")
        with seen["onward"]:
            deleting = deletion(lang, studio, seen["chosen"])
        seen["film"] = gr.HTML(elem_id="film", min_height=190, container=True)
        seen["newest"] = gr.HTML(elem_id="newest", min_height=190, container=True)
        with gr.Row():
            with gr.Column(min_width=320, elem_classes="flush"), gr.Tabs():
                with gr.Tab(t(lang, "climb")):
                    plot = line_plot(lang, "score", "best_so_far", LINES)
                with gr.Tab(t(lang, "spread"), render_children=True):
                    breadth = line_plot(lang, "value", "spread_value", SPREAD)
                    gr.Markdown(t(lang, "spread_note"), elem_classes="quiet")
            niches = gr.HTML(elem_id="niches", min_height=300, container=True)
        tree = gr.HTML(elem_id="tree", container=True)
        learned = learned_part(lang)
        with gr.Column(visible=False, elem_id="report", elem_classes="flush") as seen["report"]:
            with gr.Row(elem_classes="bar"):
                seen["verdict"] = gr.Markdown()
                buttons["make_page"] = gr.Button(t(lang, "report_make"), scale=0, min_width=220, elem_id="report-make")
                made_page = gr.DownloadButton(
                    t(lang, "report_page"), scale=0, min_width=220, elem_id="report-page", visible=False
                )
            seen["table"] = gr.Dataframe(
                headers=results_header(lang), label=t(lang, "report"), interactive=False, wrap=True
            )
            gr.Markdown(f"{t(lang, 'report_note')} {t(lang, 'cmmd_note')}", elem_classes="quiet")
    return LivePart(seen, [plot, breadth, niches, tree], learned, [made_page, deleting], buttons)


def live_values(lang: Lang, found: RunView, runs: list[tuple[str, str]], name: str) -> dict[str, Any]:
    """Return the value of each component of `LivePart.seen`, by its name."""
    return {
        "mark": found.mark,
        "run": name,
        "live": gr.Column(visible=True),
        "chosen": gr.Dropdown(choices=runs, value=name),
        "halt": gr.Button(t(lang, "queue_leave" if found.waits else "pause"), interactive=found.can_stop),
        "again": gr.Button(interactive=found.can_resume),
        "end": gr.Button(interactive=found.can_finish),
        "headline": found.headline,
        "workers": found.workers,
        "at_work": gr.Column(visible=bool(found.workers)),
        "steering": gr.Row(visible=found.can_steer),
        "unsteer": gr.Button(visible=found.is_steered),
        "asked": gr.Column(visible=bool(found.question)),
        "differs": found.question,
        "onward": gr.Accordion(visible=not found.can_stop),
        "budget": gr.update(value=found.budget) if found.budget else gr.skip(),
        "fork": gr.Button(link=page_link(lang, "new", fork=name)),
        "film": found.film,
        "newest": found.newest,
        "report": gr.Column(visible=found.table is not None),
        "verdict": found.verdict,
        "table": found.table,
    }
