"""The rows of a prompt set as fields of their own: Gradio's table loses the first key, and words of an input method."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from eval.prompts.editing import ROW_COLUMNS
from studio.i18n import Lang, t

_SCRIPT = Path(__file__).with_suffix(".js")
_LONG = ("ja", "en")  # columns of captions, which wrap


def rows_table(lang: Lang) -> gr.HTML:
    """Make the table; its value is a list of rows of text, in the order of `ROW_COLUMNS`.

    Its event `input` comes when somebody stops to type, pastes, adds or takes out a row; its value is ahead of it.
    """
    return gr.HTML(
        [],
        html_template='<div class="rows"></div>',
        js_on_load=_SCRIPT.read_text("utf-8"),
        elem_id="rows",
        words={
            "headers": [t(lang, f"column_{column}") for column in ROW_COLUMNS],
            "langs": [column if column in _LONG else "" for column in ROW_COLUMNS],
            "long": [ROW_COLUMNS.index(column) for column in _LONG],
            "remove": t(lang, "row_remove"),
            "add": t(lang, "row_add"),
            "search": t(lang, "rows_search"),
        },
    )
