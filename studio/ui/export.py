"""The Export page: an individual as a checkpoint that other programs open, with its recipe and licences."""

from __future__ import annotations

import threading
from typing import Any

import gradio as gr

from pipelines.errors import ExportError
from pipelines.export import PRECISIONS
from studio.i18n import Lang, t

from . import views
from .evolve import current
from .offer import HOST, Form, export, first_choice, fitting_form, how_to, offer, recipe_file, told
from .shared import Studio, asked, gigabytes, head, listen


class Cancelled(ExportError):
    """Somebody pressed Cancel."""


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    head(lang, "export")
    cancels: dict[str | None, threading.Event] = {}  # by session: an export that is going on
    empty = gr.HTML(views.message(t(lang, "no_runs")), visible=False)
    with gr.Row(elem_classes="bar"):
        chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
        who = gr.Dropdown([], label=t(lang, "individual"), scale=2)
        title = gr.Textbox(label=t(lang, "title"), scale=2, max_lines=1)
    with gr.Row(equal_height=False):
        with gr.Column(scale=3):
            warned = gr.Markdown(elem_id="warnings", visible=False, container=True)
            licences = gr.Dataframe(
                headers=[t(lang, key) for key in ("source_name", "licence", "gives", "duty")],
                label=t(lang, "licences"),
                interactive=False,
                wrap=True,
                column_widths=["12%", "20%", "34%", "34%"],
            )
            finished = gr.Markdown(min_height=60, elem_id="finished")
        with gr.Column(scale=2):
            forms = [(t(lang, f"form_{form}"), form) for form in ("file", "folder")]
            form = gr.Radio(forms, value="folder", label=t(lang, "form"), elem_id="form")
            kinds = [(t(lang, "precision_host"), HOST), *((name, name) for name in PRECISIONS)]
            precision = gr.Radio(kinds, value=HOST, label=t(lang, "precision"), elem_id="precision")
            facts = gr.Markdown(container=True, min_height=110, elem_id="facts")
            go = gr.Button(t(lang, "export"), variant="primary", elem_id="go")
            cancel = gr.Button(t(lang, "cancel"), variant="stop", elem_id="cancel", visible=False)
            recipe = gr.DownloadButton(t(lang, "recipe_only"), elem_id="recipe")
    with gr.Column(visible=False, elem_id="howto") as opening, gr.Tabs():
        with gr.Tab("diffusers"):
            code = gr.Code(language="python", label=t(lang, "open_in_diffusers"), interactive=False, buttons=["copy"])
        with gr.Tab("ComfyUI"):
            comfyui = gr.Markdown()
        with gr.Tab("A1111 / Forge"):
            a1111 = gr.Markdown()

    def described(name: str | None, id: str | None, called: str, chosen_form: Form, kind: str) -> list[Any]:
        if not name or not id:
            return [gr.skip(), gr.skip(), "", gr.Button(interactive=False), gr.DownloadButton(interactive=False)]
        found = offer(studio, lang, name, id, called, chosen_form, kind)
        fits = found.size < found.free
        words = t(
            lang,
            "facts" if fits else "facts_too_big",
            size=gigabytes(found.size),
            free=gigabytes(found.free),
            path=str(found.path),
        )
        warning = t(lang, "read_before_publishing", warnings="; ".join(found.warnings))
        return [
            gr.Markdown(warning, visible=bool(found.warnings)),
            found.licences,
            words,
            gr.Button(interactive=fits),
            gr.DownloadButton(value=str(recipe_file(studio, name, id)), interactive=True),
        ]

    def filled(name: str | None, id: str | None = None) -> list[Any]:
        if name is None:
            return [gr.skip(), "", gr.skip(), *described(None, None, "", "folder", HOST)]
        found, first = first_choice(studio, lang, name, id)
        called = f"{name}-{first}"
        fitting = fitting_form(studio, name, first) if first else "folder"
        shown = described(name, first, called, fitting, HOST)
        return [gr.Dropdown(choices=found, value=first), called, fitting, *shown]

    def on_load(request: gr.Request) -> list[Any]:
        name = current(studio, asked(request, "run"))
        return [
            gr.HTML(visible=name is None),
            gr.Dropdown(choices=studio.names(), value=name),
            *filled(name, asked(request, "id")),
        ]

    def on_who(name: str, id: str, chosen_form: Form, kind: str) -> list[Any]:
        called = f"{name}-{id}"
        return [called, *described(name, id, called, chosen_form, kind)]

    def on_begin(request: gr.Request) -> list[Any]:
        cancels[request.session_hash] = threading.Event()
        return [gr.Button(interactive=False), gr.Button(visible=True, interactive=True), "", gr.Column(visible=False)]

    def on_export(
        name: str,
        id: str,
        called: str,
        chosen_form: Form,
        kind: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[Any]:
        asked_to_stop = cancels[request.session_hash]

        def tell(done: int, of: int) -> None:
            if asked_to_stop.is_set():
                raise Cancelled(t(lang, "cancelled"))
            words = t(lang, "written", done=gigabytes(done), of=gigabytes(of)) if done < of else t(lang, "checking")
            progress(done / max(1, of), desc=words, unit="%")

        try:
            written = export(studio, name, id, called, chosen_form, kind, tell)
        except Cancelled as end:
            return [str(end), gr.Column(visible=False), "", "", ""]
        others = [how_to(lang, written, program) for program in ("comfyui", "a1111")]
        return [told(lang, written), gr.Column(visible=True), written.code, *others]

    def on_cancel(request: gr.Request) -> Any:
        if asked_to_stop := cancels.get(request.session_hash):
            asked_to_stop.set()
        return gr.Button(interactive=False)

    def on_end(request: gr.Request) -> list[Any]:
        cancels.pop(request.session_hash, None)
        return [gr.Button(interactive=True), gr.Button(visible=False)]

    offered = [warned, licences, facts, go, recipe]
    settings = [form, precision]
    listen(demo.load, lang, on_load, None, [empty, chosen, who, title, form, *offered], show_progress="hidden")
    listen(chosen.input, lang, filled, chosen, [who, title, form, *offered], show_progress="hidden")
    listen(who.input, lang, on_who, [chosen, who, *settings], [title, *offered], show_progress="hidden")
    for change in (title.blur, form.input, precision.input):
        listen(change, lang, described, [chosen, who, title, *settings], offered, show_progress="hidden")
    begun = listen(go.click, lang, on_begin, None, [go, cancel, finished, opening], show_progress="hidden")
    ended = listen(
        begun.then,
        lang,
        on_export,
        [chosen, who, title, *settings],
        [finished, opening, code, comfyui, a1111],
        show_progress_on=finished,
        concurrency_limit=1,
        concurrency_id="weights",
    )
    for after in (ended.then, ended.failure):  # Gradio runs `then` after what went well only, whatever it says
        listen(after, lang, on_end, None, [go, cancel], show_progress="hidden")
    listen(cancel.click, lang, on_cancel, None, cancel, show_progress="hidden")
