"""The Evolve page: choose sources and captions, start, watch, pause, end, go on with more, fork.

The work is in a process of its own; the page reads the run's folder every few seconds and may be closed at any time.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr
from markupsafe import Markup

import assets
from eval.prompts.prompt_set import load_prompts
from pipelines.checkpoints.sources import open_source
from pipelines.errors import M2N2Error
from studio.i18n import Lang, t, worded
from studio.ui.common import html
from studio.ui.common.address import asked_run, not_found
from studio.ui.common.frame import keep_in_address, listen, page_header
from studio.ui.common.shared import SharedAnswers
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import asks_as
from studio.ui.evolve.report_file import report_file

from .deletion import deletion
from .fields import cross_choices, fields_of, forks, former_runs, voted_runs
from .form import EvolveForm, asked_form, form_of, typed_form
from .plots import line_plot
from .progress import (
    LINES,
    SPREAD,
    Drawings,
    RunView,
    drawings,
    glance,
    results_header,
    run_view,
    span,
    unreadable,
)
from .run_control import accept, begin, cost, extend, finish, resume, stop

QUICK = 40  # offspring of a first look around: a visit of ten minutes, where 200 show what merging can do
POLL = 2.0  # seconds between two looks at the run


def welcome(lang: Lang) -> Markup:
    """The embedded family's cards, or what to do where it is not there."""
    try:
        sources = [open_source(path) for path in assets.sources()]
        prompts = [prompt for file in (assets.EVOLVE, assets.HELD_OUT) for prompt in load_prompts(file).prompts]
        return html.source_cards(lang, sources, prompts)
    except M2N2Error as error:
        return html.empty_message(worded(lang, error))


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "evolve")
    mark = gr.State("")
    broken = gr.HTML(elem_id="unreadable")
    returning = bool(studio.run_names())  # a guess for the first paint; loading the page decides
    with gr.Column(visible=returning) as live:
        with gr.Row(elem_classes="bar"):
            chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
            halt = gr.Button(t(lang, "pause"), scale=1, interactive=False, elem_id="halt")
            again = gr.Button(t(lang, "resume"), scale=1, interactive=False, elem_id="again")
            end = gr.Button(t(lang, "finish"), variant="stop", scale=1, interactive=False, elem_id="end")
        headline = gr.HTML(elem_id="headline", min_height=64)
        with gr.Column(visible=False, elem_id="accept", elem_classes="flush needs-editor") as asked:
            differs = gr.HTML(container=True)
            with gr.Row(equal_height=True):
                reason = gr.Textbox(label=t(lang, "accept_why"), scale=2, elem_id="accept-why")
                agree = gr.Button(t(lang, "accept_go"), scale=1, elem_id="accept-go")
        onward = gr.Accordion(t(lang, "go_on"), open=False, visible=False, elem_id="go-on", elem_classes="needs-editor")
        with onward, gr.Row(equal_height=True):
            budget = gr.Number(
                label=t(lang, "budget"), info=t(lang, "budget_info"), precision=0, minimum=1, elem_id="budget"
            )
            more = gr.Button(t(lang, "go_on_now"), elem_id="more")
            fork = gr.Button(t(lang, "fork"), elem_id="fork")
        with onward:
            deletion(lang, studio, chosen)
        film = gr.HTML(elem_id="film", min_height=190, container=True)
        newest = gr.HTML(elem_id="newest", min_height=190, container=True)
        with gr.Row():
            with gr.Column(min_width=320, elem_classes="flush"), gr.Tabs():
                with gr.Tab(t(lang, "climb")):
                    plot = line_plot(lang, "score", "best_so_far", LINES)
                with gr.Tab(t(lang, "spread"), render_children=True):
                    breadth = line_plot(lang, "value", "spread_value", SPREAD)
                    gr.Markdown(t(lang, "spread_note"), elem_classes="quiet")
            niches = gr.HTML(elem_id="niches", min_height=300, container=True)
        tree = gr.HTML(elem_id="tree", container=True)
        with gr.Column(visible=False, elem_id="report", elem_classes="flush") as report:
            with gr.Row(elem_classes="bar"):
                verdict = gr.Markdown()
                make_page = gr.Button(t(lang, "report_make"), scale=0, min_width=220, elem_id="report-make")
                made_page = gr.DownloadButton(
                    t(lang, "report_page"), scale=0, min_width=220, elem_id="report-page", visible=False
                )
            table = gr.Dataframe(headers=results_header(lang), label=t(lang, "report"), interactive=False, wrap=True)
            gr.Markdown(f"{t(lang, 'report_note')} {t(lang, 'cmmd_note')}", elem_classes="quiet")
    with gr.Accordion(t(lang, "new_run"), open=not returning, elem_classes="needs-editor") as new:
        gr.HTML(Markup("<h2>{}</h2><p>{}</p>").format(t(lang, "start_here"), t(lang, "start_here_text")))
        with gr.Row(equal_height=True):
            go = gr.Button(t(lang, "evolve_four"), variant="primary", scale=1, elem_id="go")
            quick = gr.Button(t(lang, "quick", n=QUICK), scale=1, elem_id="quick", visible=not returning)
            price = gr.Markdown(elem_id="cost", container=True, min_height=64)
        gr.HTML(welcome(lang), elem_id="cards")
        fields = fields_of(lang, studio)
    # Whoever watches a run sees the same. What somebody does to it is not asked of these, and is seen at once.
    seen_by_all: SharedAnswers[tuple[str, Markup]] = SharedAnswers(POLL / 2)
    viewed_by_all: SharedAnswers[RunView] = SharedAnswers(POLL)
    drawn_for_all: SharedAnswers[Drawings] = SharedAnswers(POLL)
    controls = [halt, again, end, onward, budget]
    outputs = [mark, live, chosen, headline, *controls, film, newest, report, table, verdict, asked, differs]

    def shown(name: str | None) -> list[Any]:
        """Every output of the live part, for one run."""
        if name is None:
            return [gr.skip()] * len(outputs)
        return [*_updates(lang, run_view(studio, lang, name), studio.run_choices(), name)]

    def watched(name: str | None) -> list[Any]:
        """The same, for whoever looks without having done anything to the run."""
        if name is None:
            return shown(None)
        mark, _ = seen_by_all.get(name, lambda: glance(studio, lang, name))
        found = viewed_by_all.get(mark, lambda: run_view(studio, lang, name))
        return _updates(lang, found, studio.run_choices(), name)

    def on_change(name: str | None) -> list[Any]:
        if not name:
            return [gr.skip()] * 4
        mark, _ = seen_by_all.get(name, lambda: glance(studio, lang, name))
        found = drawn_for_all.get(mark, lambda: drawings(studio, lang, name))
        return [gr.LinePlot(found.progress, y_lim=span(found.progress)), *found[1:]]

    def on_load(request: gr.Request) -> list[Any]:
        asked = asked_run(studio, lang, request)
        lacking: tuple[str, ...]
        try:
            form, lacking = asked_form(studio, request.query_params), ()
        except M2N2Error as error:
            form, lacking = None, (worded(lang, error),)
        notices = [not_found([*asked.missing, *lacking]), unreadable(lang, studio.unreadable_runs())]
        return [*notices, gr.Accordion(open=asked.run is None or form is not None), *filled(form), *watched(asked.run)]

    def filled(form: EvolveForm | None) -> list[Any]:
        """The form's fields; as they are where nobody asked for anything."""
        values = asdict(form) if form else {}
        updates = {key: gr.update(value=values[key]) if form else gr.skip() for key in fields}
        if form:
            updates["host"] = gr.update(choices=form.names, value=form.lender)
            updates["cross"] = gr.update(choices=cross_choices(lang, form.names), value=form.cross)
            updates["fork"] = gr.update(choices=forks(lang, form.fork), value=form.fork, visible=bool(form.fork))
        for key, runs in (("start", former_runs), ("votes", voted_runs)):
            updates[key] = gr.update(choices=runs(studio, lang), value=values.get(key, ""))
        return list(updates.values())

    def on_tick(name: str | None, seen: str) -> list[Any]:
        """Only what changed is sent: a page must not jump or flicker while somebody reads it."""
        if not name or name not in studio.run_names():
            return [gr.skip()] * len(outputs)
        mark, words = seen_by_all.get(name, lambda: glance(studio, lang, name))
        if mark == seen:
            return [words if output is headline else gr.skip() for output in outputs]
        return watched(name)

    def on_start(**values: Any) -> list[Any]:
        name = begin(studio, typed_form(values))
        return [gr.Accordion(open=False), *shown(name)]

    def on_quick(**values: Any) -> list[Any]:
        return on_start(**{**values, "evaluations": QUICK})

    def on_stop(name: str) -> Any:
        if not stop(studio, name):
            gr.Info(t(lang, "stopping"))
        return gr.Button(interactive=False)

    def on_resume(name: str) -> Any:
        resume(studio, name)
        gr.Info(t(lang, "resuming"))
        return gr.Button(interactive=False)

    def on_accept(name: str, why: str) -> list[Any]:
        accept(studio, name, why)
        gr.Info(t(lang, "resuming"))
        return [gr.Column(visible=False), gr.Textbox(value="")]

    def on_finish(name: str) -> Any:
        finish(studio, name)
        gr.Info(t(lang, "finishing"))
        return gr.Button(interactive=False)

    def on_more(name: str, evaluations: float) -> list[Any]:
        extend(studio, name, int(evaluations or 0))
        return shown(name)

    def on_report(name: str) -> Any:
        return gr.DownloadButton(value=str(report_file(studio, lang, name)), visible=True)

    def on_fork(name: str) -> list[Any]:
        with studio.run(name) as store:
            form = form_of(store.config, fork=store.folder)
        return [gr.Accordion(open=True), *filled(form)]

    def on_opened(**values: Any) -> list[Any]:
        """The price of a form that an address filled: for those who may start the run, as it opens what is named."""
        return on_form(**values) if asks_as("editor") else [gr.skip()] * 4

    def on_form(**values: Any) -> list[Any]:
        form = typed_form(values)
        cross = gr.Dropdown(choices=cross_choices(lang, form.names), value=form.cross_here)
        four = form.names == list(assets.NAMES)
        button = gr.Button(t(lang, "evolve_four") if four else t(lang, "evolve_these", n=len(form.names)))
        return [cost(studio, lang, form), button, gr.Dropdown(choices=form.names, value=form.lender), cross]

    priced: dict[str, Any] = {
        "outputs": [price, go, fields["host"], fields["cross"]],
        "inputs_kwargs": fields,
        "preprocess": False,  # or Gradio refuses numbers in words of its own
        "show_progress": "hidden",
    }
    loaded = listen(
        demo.load,
        lang,
        on_load,
        None,
        [lost, broken, new, *fields.values(), *outputs],
        show_progress="hidden",
        role="viewer",
    )
    keep_in_address(chosen)
    listen(loaded.then, lang, on_opened, None, role="viewer", **priced)
    listen(gr.Timer(POLL).tick, lang, on_tick, [chosen, mark], outputs, show_progress="hidden", role="viewer")
    listen(chosen.input, lang, watched, chosen, outputs, show_progress="hidden", role="viewer")
    # Drawn when everything else is there: a page is read from its top.
    listen(mark.change, lang, on_change, chosen, [plot, breadth, niches, tree], show_progress="hidden", role="viewer")
    for button, on_click in ((go, on_start), (quick, on_quick)):
        started = listen(
            button.click,
            lang,
            on_click,
            None,
            [new, *outputs],
            inputs_kwargs=fields,
            preprocess=False,
            role="editor",
            does="start a run",
        )
        started.success(None, None, None, js="() => window.scrollTo({ top: 0 })")
    listen(halt.click, lang, on_stop, chosen, halt, role="editor", does="stop a run")
    listen(again.click, lang, on_resume, chosen, again, role="editor", does="resume a run")
    listen(agree.click, lang, on_accept, [chosen, reason], [asked, reason], role="editor", does="resume a changed run")
    listen(end.click, lang, on_finish, chosen, end, role="editor", does="finish a run")
    listen(more.click, lang, on_more, [chosen, budget], outputs, role="editor", does="extend a run")
    listen(make_page.click, lang, on_report, chosen, made_page, role="editor")
    listen(
        chosen.input,
        lang,
        lambda: gr.DownloadButton(visible=False),
        None,
        made_page,
        show_progress="hidden",
        role="viewer",
    )
    forked = listen(fork.click, lang, on_fork, chosen, [new, *fields.values()], role="editor")
    listen(forked.then, lang, on_form, None, role="editor", **priced).then(
        None, None, None, js="() => document.getElementById('go').scrollIntoView({ block: 'center' })"
    )
    for field in fields.values():
        listen(field.input, lang, on_form, None, trigger_mode="always_last", role="editor", **priced)


def _updates(lang: Lang, found: RunView, runs: list[tuple[str, str]], name: str) -> list[Any]:
    """The live part's outputs, in the order of `page`."""
    return [
        found.mark,
        gr.Column(visible=True),
        gr.Dropdown(choices=runs, value=name),
        found.headline,
        gr.Button(t(lang, "queue_leave" if found.waits else "pause"), interactive=found.can_stop),
        gr.Button(interactive=found.can_resume),
        gr.Button(interactive=found.can_finish),
        gr.Accordion(visible=not found.can_stop),
        gr.update(value=found.budget) if found.budget else gr.skip(),
        found.film,
        found.newest,
        gr.Column(visible=found.table is not None),
        found.table,
        found.verdict,
        gr.Column(visible=bool(found.question)),
        found.question,
    ]
