"""The fields of a search for a better image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import gradio as gr

from studio.i18n import Lang, t
from studio.inference_search.search import SearchName

MODELS = ("winner", "best_source", "average")
_FEWEST, _USUAL, _MOST = 4, 16, 64  # pictures


@dataclass(frozen=True)
class SearchFields:
    """Components of a search: what is chosen by name, buttons, and where progress and what was found are shown."""

    chosen: dict[str, Any]
    start: gr.Button
    cancel: gr.Button
    progress: gr.HTML
    found: gr.HTML


def lay_out_search(lang: Lang) -> SearchFields:
    """Lay the fields out where they stand, within whatever row or column is open."""
    editor = {"elem_classes": "needs-editor"}
    models = [t(lang, "part_winner"), t(lang, "part_best_source"), t(lang, "better_model_average")]
    searches: tuple[SearchName, ...] = get_args(SearchName)
    with gr.Row(elem_classes="bar"):
        chosen: dict[str, Any] = {
            "better_model": gr.Dropdown(
                list(zip(models, MODELS, strict=True)), value=MODELS[0], label=t(lang, "better_model"), scale=2,
                elem_id="better-model", **editor,
            ),
            "better_budget": gr.Slider(
                _FEWEST, _MOST, _USUAL, step=1, label=t(lang, "better_budget"), scale=2, elem_id="better-budget",
                **editor,
            ),
            "better_how": gr.Radio(
                [(t(lang, f"better_{name.replace('-', '_')}"), name) for name in searches], value=searches[0],
                label=t(lang, "better_how"), scale=3, elem_id="better-how", **editor,
            ),
            "better_wordings": gr.Textbox(
                label=t(lang, "better_wordings"), info=t(lang, "better_wordings_info"), lines=2, max_lines=4, scale=3,
                visible=False, elem_id="better-wordings", **editor,
            ),
        }  # fmt: skip
        start = gr.Button(t(lang, "better_start"), min_width=220, scale=1, elem_id="better-start")
        cancel = gr.Button(t(lang, "cancel"), variant="stop", visible=False, scale=1, elem_id="better-cancel")
    return SearchFields(
        chosen,
        start,
        cancel,
        gr.HTML(elem_id="better-progress"),
        gr.HTML(elem_id="better-found"),
    )
