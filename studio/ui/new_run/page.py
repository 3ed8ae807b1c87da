"""The New run page: choose sources and prompts, see what that will cost, start. The way leads on to the Evolve page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

import assets
from eval.prompts.prompt_set import load_prompts
from pipelines.checkpoints.sources import open_source
from pipelines.errors import M2N2Error
from studio.i18n import Lang, t, worded
from studio.ui.common import html
from studio.ui.common.address import not_found
from studio.ui.common.frame import listen, page_header, page_link
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import asks_as

from .beginning import begin, cost
from .fields import (
    cross_choices,
    fields_beyond_the_paper,
    forks,
    former_runs,
    further_fields,
    simple_fields,
    voted_runs,
)
from .form import RunForm
from .form_values import asked_form, shown_values, typed_form

_GO_THERE = """(said) => {
  const link = new DOMParser().parseFromString(said, "text/html").querySelector("a");
  if (link) window.location.assign(link.getAttribute("href"));
}"""
QUICK = 40  # offspring of a first look around: a visit of ten minutes, where 200 show what merging can do


def welcome(lang: Lang) -> Markup:
    """The embedded family's cards, or what to do where it is not there."""
    try:
        sources = [open_source(path) for path in assets.sources()]
        prompts = [prompt for file in (assets.EVOLVE, assets.HELD_OUT) for prompt in load_prompts(file).prompts]
        return html.source_cards(lang, sources, prompts)
    except M2N2Error as error:
        return html.empty_message(worded(lang, error))


def begun(lang: Lang, name: str) -> Markup:
    """Say that a run has begun, and lead to it: the page goes there by itself."""
    return Markup('<p role="status">{} <a href="{}">{}</a></p>').format(
        t(lang, "run_begun"), page_link(lang, "evolve", run=name), name
    )


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "new")
    gr.HTML(html.empty_message(t(lang, "new_run_not_yours")), elem_classes="not-for-editors")
    with gr.Column(elem_classes="needs-editor"):
        gr.HTML(Markup("<h2>{}</h2><p>{}</p>").format(t(lang, "page_new"), t(lang, "start_here_text")), container=True)
        with gr.Row(equal_height=True, elem_classes="bar"):
            go = gr.Button(t(lang, "evolve_four"), variant="primary", scale=1, elem_id="go")
            quick = gr.Button(t(lang, "quick", n=QUICK), scale=1, elem_id="quick", visible=not studio.run_names())
            price = gr.Markdown(elem_id="cost", container=True, min_height=64)
        started = gr.HTML(elem_id="begun")
        fields = simple_fields(lang)
        with gr.Accordion(t(lang, "options"), open=False, elem_id="beyond") as beyond:
            fields |= fields_beyond_the_paper(lang, studio)
        with gr.Accordion(t(lang, "advanced"), open=False):
            fields |= further_fields(lang)
        gr.HTML(welcome(lang), elem_id="cards", container=True)

    def on_load(request: gr.Request) -> list[Any]:
        try:
            form, lacking = asked_form(studio, request.query_params), []
        except M2N2Error as error:
            form, lacking = None, [worded(lang, error)]
        opened = gr.Accordion(open=True) if form and (form.start or form.options) else gr.skip()
        return [not_found(lacking), gr.Button(visible=not studio.run_names()), opened, *filled(form)]

    def filled(form: RunForm | None) -> list[Any]:
        """The form's components; as they are where nobody asked for anything."""
        values = shown_values(form) if form else {}
        updates = {key: gr.update(value=values[key]) if form else gr.skip() for key in fields}
        if form:
            updates["host"] = gr.update(choices=form.names, value=form.lender)
            updates["cross"] = gr.update(choices=cross_choices(lang, form.names), value=form.cross)
            updates["fork"] = gr.update(choices=forks(lang, form.fork), value=form.fork, visible=bool(form.fork))
        for key, runs in (("start", former_runs), ("votes", voted_runs)):
            updates[key] = gr.update(choices=runs(studio, lang), value=values.get(key, ""))
        return list(updates.values())

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

    def on_start(**values: Any) -> Markup:
        return begun(lang, begin(studio, typed_form(values)))

    def on_quick(**values: Any) -> Markup:
        return on_start(**{**values, "evaluations": QUICK})

    # Without Gradio's own reading of the components: it refuses numbers in words of its own.
    form_as_sent: dict[str, Any] = {"inputs_kwargs": fields, "preprocess": False}
    priced: dict[str, Any] = {
        "outputs": [price, go, fields["host"], fields["cross"]],
        "show_progress": "hidden",
        **form_as_sent,
    }
    loaded = listen(
        demo.load,
        lang,
        on_load,
        None,
        [lost, quick, beyond, *fields.values()],
        show_progress="hidden",
        role="viewer",
    )
    listen(loaded.then, lang, on_opened, None, role="viewer", **priced)
    for button, on_click in ((go, on_start), (quick, on_quick)):
        listen(button.click, lang, on_click, None, started, role="editor", does="start a run", **form_as_sent)
    started.change(None, started, None, js=_GO_THERE)
    for field in fields.values():
        listen(field.input, lang, on_form, None, trigger_mode="always_last", role="editor", **priced)


def _offered(choices: Sequence[Any], value: str | None, typed: str | None) -> Any:
    """The choices of a list, and its value where what was chosen is none of them: meanwhile somebody may choose."""
    return gr.update(choices=choices) if value == typed else gr.update(choices=choices, value=value)
