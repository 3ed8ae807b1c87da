"""The Evolve page: choose sources and captions, start, watch, pause, end, go on with more, fork.

The work is in a process of its own; the page reads the run's folder every few seconds and may be closed at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from studio.ui.common.frame import keep_in_address, listen, listen_to_choice, page_header
from studio.ui.common.shared import SharedAnswers
from studio.ui.common.steering import steer, steer_no_more
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import asks_as, rater_of
from studio.ui.evolve.report_file import report_file

from .fields import cross_choices, fields_of, forks, former_runs, voted_runs
from .form import EvolveForm, asked_form, form_of, typed_form
from .live_part import live_part, live_values
from .progress import Drawings, Glance, RunView, drawings, glance, run_view, span, unreadable
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
    broken = gr.HTML(elem_id="unreadable")
    returning = bool(studio.run_names())  # a guess for the first paint; loading the page decides
    live = live_part(lang, studio, visible=returning)
    seen, buttons = live.seen, live.buttons
    mark, chosen, headline = seen["mark"], seen["chosen"], seen["headline"]
    with gr.Accordion(t(lang, "new_run"), open=not returning, elem_classes="needs-editor") as new:
        gr.HTML(Markup("<h2>{}</h2><p>{}</p>").format(t(lang, "start_here"), t(lang, "start_here_text")))
        with gr.Row(equal_height=True):
            go = gr.Button(t(lang, "evolve_four"), variant="primary", scale=1, elem_id="go")
            quick = gr.Button(t(lang, "quick", n=QUICK), scale=1, elem_id="quick", visible=not returning)
            price = gr.Markdown(elem_id="cost", container=True, min_height=64)
        gr.HTML(welcome(lang), elem_id="cards")
        fields = fields_of(lang, studio)
    # Whoever watches a run sees the same. What somebody does to it is not asked of these, and is seen at once.
    seen_by_all: SharedAnswers[Glance] = SharedAnswers(POLL / 2)
    viewed_by_all: SharedAnswers[RunView] = SharedAnswers(POLL)
    drawn_for_all: SharedAnswers[Drawings] = SharedAnswers(POLL)
    outputs = [*seen.values()]

    def shown(name: str | None) -> list[Any]:
        """Every output of the live part, for one run."""
        if name is None:
            return [gr.skip()] * len(outputs)
        values = live_values(lang, run_view(studio, lang, name), studio.run_choices(), name)
        return [values[part] for part in seen]

    def watched(name: str | None) -> list[Any]:
        """The same, for whoever looks without having done anything to the run."""
        if name is None:
            return shown(None)
        mark = seen_by_all.get(name, lambda: glance(studio, lang, name)).mark
        found = viewed_by_all.get(mark, lambda: run_view(studio, lang, name))
        values = live_values(lang, found, studio.run_choices(), name)
        return [values[part] for part in seen]

    def on_choice(name: str | None) -> list[Any]:
        """Another run; what was asked about the one before is gone."""
        values = dict(zip(seen, watched(name), strict=True))
        return [*(values[part] for part in seen if part != "run"), *[gr.update(visible=False)] * len(live.of_one)]

    def on_change(name: str | None) -> list[Any]:
        if not name:
            return [gr.skip()] * 4
        mark = seen_by_all.get(name, lambda: glance(studio, lang, name)).mark
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

    def on_tick(name: str | None, before: str) -> list[Any]:
        """Only what changed is sent: a page must not jump or flicker while somebody reads it."""
        if not name or name not in studio.run_names():
            return [gr.skip()] * len(outputs)
        now = seen_by_all.get(name, lambda: glance(studio, lang, name))
        if now.mark == before:
            fresh = {headline: now.headline} | ({seen["workers"]: now.workers} if now.workers else {})
            return [fresh.get(output, gr.skip()) for output in outputs]
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

    def on_steer(name: str, request: gr.Request) -> list[Any]:
        steer(studio, name, rater_of(request) or "")
        return shown(name)

    def on_unsteer(name: str, request: gr.Request) -> list[Any]:
        steer_no_more(studio, name, rater_of(request) or "")
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
        cross = _offered(cross_choices(lang, form.names), form.cross_here, values["cross"])
        host = _offered(form.names, form.lender, values["host"])
        four = form.names == list(assets.NAMES)
        button = gr.Button(t(lang, "evolve_four") if four else t(lang, "evolve_these", n=len(form.names)))
        return [cost(studio, lang, form), button, host, cross]

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
    listen_to_choice(
        chosen,
        seen["run"],
        lang,
        on_choice,
        [*(part for name, part in seen.items() if name != "run"), *live.of_one],
        show_progress="hidden",
        role="viewer",
    )
    # Drawn when everything else is there: a page is read from its top.
    listen(mark.change, lang, on_change, chosen, live.drawn, show_progress="hidden", role="viewer")
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
    halt, again, end = seen["halt"], seen["again"], seen["end"]
    listen(halt.click, lang, on_stop, chosen, halt, role="editor", does="stop a run")
    listen(again.click, lang, on_resume, chosen, again, role="editor", does="resume a run")
    stated = buttons["reason"]
    listen(buttons["agree"].click, lang, on_accept, [chosen, stated], [seen["asked"], stated], role="editor",
           does="resume a changed run")  # fmt: skip
    listen(end.click, lang, on_finish, chosen, end, role="editor", does="finish a run")
    listen(buttons["steer"].click, lang, on_steer, chosen, outputs, role="editor", does="steer a run")
    listen(seen["unsteer"].click, lang, on_unsteer, chosen, outputs, role="editor", does="steer a run no more")
    extended = [chosen, seen["budget"]]
    listen(buttons["more"].click, lang, on_more, extended, outputs, role="editor", does="extend a run")
    listen(buttons["make_page"].click, lang, on_report, chosen, live.of_one[0], role="editor")
    forked = listen(buttons["fork"].click, lang, on_fork, chosen, [new, *fields.values()], role="editor")
    listen(forked.then, lang, on_form, None, role="editor", **priced).then(
        None, None, None, js="() => document.getElementById('go').scrollIntoView({ block: 'center' })"
    )
    for field in fields.values():
        listen(field.input, lang, on_form, None, trigger_mode="always_last", role="editor", **priced)


def _offered(choices: Sequence[Any], value: str | None, typed: str | None) -> Any:
    """The choices of a list, and its value where what was chosen is none of them: meanwhile somebody may choose."""
    return gr.update(choices=choices) if value == typed else gr.update(choices=choices, value=value)
