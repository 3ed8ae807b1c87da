"""Deleting a run: asked once more, with what goes with it and what stays."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.formatting import format_bytes
from studio.i18n import Lang, t
from studio.run_folders.removing import remove_run, run_size
from studio.ui.common.frame import listen
from studio.ui.common.studio import Studio


def deletion(lang: Lang, studio: Studio, chosen: gr.Dropdown) -> gr.Column:
    """Lay out a button that deletes the run that is chosen, once a question is answered, and wire it.

    Returns:
        the question, to be hidden when another run is chosen.
    """
    start = gr.Button(t(lang, "delete_run"), elem_id="delete-run")
    with gr.Column(visible=False, elem_id="delete-ask", elem_classes="flush") as asked:
        question = gr.HTML(container=True)
        with gr.Row(equal_height=True):
            keep = gr.Button(t(lang, "delete_keep"), elem_id="delete-keep")
            delete = gr.Button(t(lang, "delete_yes"), variant="stop", elem_id="delete-yes")

    def on_start(name: str) -> list[Any]:
        return [gr.Column(visible=True), deletion_question(studio, lang, name)]

    def on_delete(name: str) -> Any:
        with studio.run(name) as store:
            folder = store.folder
        remove_run(folder)
        return gr.Column(visible=False)

    hidden = {"show_progress": "hidden"}
    listen(start.click, lang, on_start, chosen, [asked, question], role="editor", **hidden)
    listen(keep.click, lang, lambda: gr.Column(visible=False), None, asked, role="editor", **hidden)
    deleted = listen(delete.click, lang, on_delete, chosen, asked, role="editor", does="delete a run", **hidden)
    deleted.success(None, None, None, js="() => window.location.assign(window.location.pathname)")
    return asked


def deletion_question(studio: Studio, lang: Lang, name: str) -> Markup:
    """Ask whether a run is to be deleted, with its models and its size.

    Raises:
        RunError: there is no run of that name.
    """
    with studio.run(name) as store:
        models, size = len(store.individuals()), run_size(store.folder)
    return Markup("<p>{}</p>").format(t(lang, "delete_ask", name=name, n=models, size=format_bytes(size)))
