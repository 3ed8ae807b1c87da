"""The handlers of a search for a better image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.i18n import Lang, t
from studio.ui.common.frame import listen
from studio.ui.common.studio import Studio

from .fields import SearchFields
from .found import WantedPicture, found_html, search_on_page
from .progress import SearchProgress

_POLL = 1.0  # seconds between two looks at how far the search is


def wire_search(
    fields: SearchFields,
    studio: Studio,
    lang: Lang,
    wanted: Callable[..., WantedPicture],
    inputs: Mapping[str, Any],
) -> None:
    """Wire the fields of a search.

    Args:
        fields: see `lay_out_search`.
        studio: who draws and scores.
        lang: of the page.
        wanted: called with the values of `inputs` and of the fields by name; says what is searched for.
        inputs: components of the page by name.
    """
    progress = SearchProgress()

    def on_begin(request: gr.Request) -> list[Any]:
        progress.begin(request)
        loading = Markup('<div class="drawing">{}</div>').format(t(lang, "loading"))
        return [gr.Button(interactive=False), gr.Button(visible=True, interactive=True), gr.Timer(active=True), loading]

    def on_search(request: gr.Request, **values: Any) -> Markup:
        try:
            asked = wanted(**values)
            progress.start(request, asked.wish.budget)
            found = search_on_page(
                studio,
                asked,
                on_attempt=lambda _: progress.arrive(request),
                is_stopped=lambda: progress.is_stopped(request),
            )
            return found_html(lang, found)
        finally:
            progress.end(request)

    def on_tick(request: gr.Request) -> Any:
        words = progress.words(lang, request)
        return gr.skip() if words is None else words

    def on_cancel(request: gr.Request) -> Any:
        progress.stop(request)
        return gr.Button(interactive=False)

    def on_end() -> list[Any]:
        return [gr.Button(interactive=True), gr.Button(visible=False), gr.Timer(active=False), ""]

    hidden: dict[str, Any] = {"show_progress": "hidden", "role": "editor"}
    watch = gr.Timer(_POLL, active=False)
    parts = [fields.start, fields.cancel, watch, fields.progress]
    begun = listen(fields.start.click, lang, on_begin, None, parts, **hidden)
    ended = listen(
        begun.then, lang, on_search, None, fields.found, inputs_kwargs={**inputs, **fields.chosen}, concurrency_limit=1,
        concurrency_id="pictures", does="draw pictures", **hidden,
    )  # fmt: skip
    listen(ended.then, lang, on_end, None, parts, **hidden)
    listen(watch.tick, lang, on_tick, None, fields.progress, **hidden)
    listen(fields.cancel.click, lang, on_cancel, None, fields.cancel, **hidden)
    how, wordings = fields.chosen["better_how"], fields.chosen["better_wordings"]
    listen(how.input, lang, lambda how: gr.Textbox(visible=how == "ab-mcts"), how, wordings, **hidden)
