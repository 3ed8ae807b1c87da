"""The Judge page: two pictures of one caption, no names; after thirty votes the names and how people and CLIP agree."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import RunError
from studio.i18n import Lang, phrase, t
from studio.judging.votes import ANSWERS, READER_LANGUAGES, ReaderLanguage, Vote
from studio.ui.common import html
from studio.ui.common.address import asked_run
from studio.ui.common.frame import keep_in_address, listen, page_header
from studio.ui.common.shortlist import asks_for_shortlist
from studio.ui.common.steering import steer
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import rater_of

from . import results as verdict
from .blind_pair import SCRIPT, question
from .share_out import share_out_part
from .sitting import SITTING, Open, Rater, answer, checked_shortlist, named, put, take_back

# Kept in the visitor's browser. Both are set, for Gradio's own are random at every start and would forget.
REMEMBERED, KEY = "m2n2-rater", "m2n2-studio"


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "judge")
    remembered = gr.BrowserState({"name": "", "reads": lang}, storage_key=REMEMBERED, secret=KEY)
    who, pending = gr.State(None), gr.State(None)
    with gr.Column(elem_id="start") as form:
        gr.Markdown(t(lang, "judge_intro", n=SITTING), elem_classes="inset")
        with gr.Row(elem_classes="bar"):
            chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
            name = gr.Textbox(
                label=t(lang, "your_name"), info=t(lang, "your_name_info"), scale=2, max_lines=1, elem_id="your-name"
            )
            reads = gr.Radio(
                [(t(lang, f"reads_{each}"), each) for each in READER_LANGUAGES],
                value=lang,
                label=t(lang, "reads_best"),
                scale=3,
            )
            only = gr.Checkbox(label=t(lang, "only_shortlist"), scale=1, min_width=160, elem_id="only")
            go = gr.Button(t(lang, "start_judging"), variant="primary", scale=1, min_width=120, elem_id="go")
        share_out_part(studio, lang, chosen, only)
    blind = gr.HTML(js_on_load=SCRIPT, elem_id="question", visible=False)
    with gr.Row():
        undo = gr.Button(t(lang, "undo_vote"), size="sm", scale=0, min_width=200, visible=False, elem_id="undo")
        show = gr.Button(t(lang, "show_results"), size="sm", scale=0, min_width=200, visible=False, elem_id="show")
        more = gr.Button(t(lang, "judge_more"), scale=0, min_width=200, visible=False, elem_id="more")
        steering = gr.Button(t(lang, "steer"), scale=0, min_width=240, visible=False, elem_id="steer")
    results = gr.HTML(elem_id="results", visible=False)
    taste = gr.HTML(elem_id="taste", visible=False)
    steered = gr.HTML(elem_id="steered", visible=False)
    outputs = [pending, form, blind, undo, show, more, steering, results, taste, steered]

    def asking(now: Open) -> list[Any]:
        """The page while a question is open: no names anywhere."""
        return [
            now,
            gr.Column(visible=False),
            gr.HTML(question(lang, now.pair, now.tokens, now.number, now.of), visible=True),
            gr.Button(visible=now.before is not None),
            gr.Button(visible=now.number > 1),
            gr.Button(visible=False),
            gr.Button(visible=False),
            gr.HTML("", visible=False),
            gr.HTML("", visible=False),
            gr.HTML("", visible=False),
        ]

    def telling(rater: Rater, *, done: bool = False) -> list[Any]:
        """The page with names, when there is something left to ask or when all is `done`."""
        return [
            None,
            gr.Column(visible=False),
            gr.HTML("", visible=False),
            gr.Button(visible=False),
            gr.Button(visible=False),
            gr.Button(visible=not done),
            gr.Button(visible=verdict.can_steer(studio, rater.run)),
            gr.HTML(verdict.page(studio, lang, rater.run, rater.name, rater.reads, done=done), visible=True),
            gr.HTML(html.empty_message(t(lang, "learning")), visible=True),
            gr.HTML("", visible=False),
        ]

    def onward(rater: Rater, before: Vote | None = None) -> list[Any]:
        if now := put(studio, rater, before):
            return asking(now)
        with studio.run(rater.run) as store:
            if not rater.votes(store):
                raise RunError(phrase("nothing_to_judge"))
        return telling(rater, done=True)

    def on_load(kept: dict[str, str], request: gr.Request) -> list[Any]:
        asked = asked_run(studio, lang, request)
        known = kept["reads"] if kept.get("reads") in READER_LANGUAGES else lang
        return [
            asked.notice,
            gr.Dropdown(choices=studio.run_choices(), value=asked.run),
            gr.Textbox(value=rater_of(request) or kept.get("name", ""), interactive=rater_of(request) is None),
            known,
            asks_for_shortlist(studio, asked.run, request),
        ]

    def on_start(run: str | None, typed: str, best: ReaderLanguage, starred: bool, request: gr.Request) -> list[Any]:
        if run is None:
            raise RunError(phrase("no_runs"))
        rater = checked_shortlist(studio, Rater(run, named(typed, rater_of(request)), best, starred))
        return [{"name": rater.name, "reads": best}, rater, *onward(rater)]

    def on_answer(rater: Rater | None, now: Open | None, event: gr.EventData) -> list[Any]:
        if rater is None:  # so many pages were opened since that this one was forgotten
            raise RunError(phrase("page_forgotten"))
        if now is None or event.choice not in ANSWERS:
            return [gr.skip()] * len(outputs)
        ended = answer(studio, rater, now, event.choice)
        return telling(rater) if ended else onward(rater, now.pair.vote(rater.name, rater.reads, event.choice))

    def on_undo(rater: Rater | None, now: Open | None) -> list[Any]:
        if rater is None:
            raise RunError(phrase("page_forgotten"))
        before = take_back(studio, rater, now) if now else None
        return asking(before) if before else [gr.skip()] * len(outputs)

    def on_show(rater: Rater, now: Open) -> list[Any]:
        studio.blind.forget(now.tokens)
        return telling(rater)

    def on_results(rater: Rater, now: Open | None) -> Any:
        """What may take a while comes after the rankings."""
        return gr.skip() if now else verdict.taste(studio, lang, rater.run)

    def on_steer(rater: Rater) -> Any:
        steer(studio, rater.run, rater.name)
        return gr.HTML(verdict.steered(studio, lang, rater.run), visible=True)

    hidden = {"show_progress": "hidden"}
    listen(demo.load, lang, on_load, remembered, [lost, chosen, name, reads, only], role="viewer", **hidden)
    keep_in_address(chosen)
    for trigger in (go.click, name.submit):
        listen(
            trigger, lang, on_start, [chosen, name, reads, only], [remembered, who, *outputs], role="judge", **hidden
        )
    listen(blind.answer, lang, on_answer, [who, pending], outputs, role="judge", does="vote", **hidden)
    listen(undo.click, lang, on_undo, [who, pending], outputs, role="judge", does="take a vote back", **hidden)
    listen(show.click, lang, on_show, [who, pending], outputs, role="judge", **hidden)
    listen(more.click, lang, onward, who, outputs, role="judge", **hidden)
    listen(steering.click, lang, on_steer, who, steered, role="editor", does="steer a run", **hidden)
    listen(
        results.change,
        lang,
        on_results,
        [who, pending],
        taste,
        concurrency_limit=1,
        concurrency_id="pictures",
        role="judge",
        **hidden,
    )
