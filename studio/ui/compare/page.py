"""The Compare page: up to eight models draw the same captions in both languages, from the same noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from eval.prompts.prompt_set import LANGUAGES
from studio.i18n import Lang, t
from studio.ui.common import html
from studio.ui.common.address import asked_run, not_found
from studio.ui.common.cancellable import CancellableWork, Cancelled
from studio.ui.common.frame import listen, page_header, query_value, query_values
from studio.ui.common.studio import Studio

from .cells import AS_RUN, MOST_PROMPTS, Quality, ask
from .downloads import sheet_files
from .grid import Grid, draw, look
from .grid_html import first_two, noise_label, overlay, picture_names, table
from .models import MOST, asked_models, contenders, first_choice

NOISES = 8  # of a caption, at most
QUALITIES: tuple[Quality, ...] = (AS_RUN, "draft", "final")
# Arrow keys step through noises, but not while somebody types, chooses or moves a slider.
KEYS = """document.addEventListener("keydown", (event) => {
  const busy = event.target.closest("input, textarea, select, [contenteditable], [role=listbox], [role=slider]");
  const button = { ArrowLeft: "noise-back", ArrowRight: "noise-next" }[event.key];
  if (button && !busy && !event.altKey && !event.ctrlKey && !event.metaKey) document.getElementById(button)?.click();
});"""
ADDRESS = """(run, ids, prompts, ja, en) =>
  studioAddress(run, ids.join(","), { prompt: prompts.join(","), ...(ja && { ja }), ...(en && { en }) })"""


def compared(
    studio: Studio,
    lang: Lang,
    name: str,
    models: Sequence[str],
    known: Sequence[str],
    ja: str,
    en: str,
    noises: int,
    quality: Quality,
) -> Grid | None:
    """What there is of a comparison, without drawing; `None` while no model or no caption is chosen.

    Raises:
        M2N2Error: too many models or captions; one that is not there; sources that a preset asks are gone.
    """
    if not models or not (known or ja.strip() or en.strip()):
        return None
    with studio.run(name) as store:
        wanted = ask(store.config, known, ja, en, noises=noises, quality=quality)
    return look(studio, contenders(studio, lang, name, models), wanted)


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "compare")
    drawing = CancellableWork()
    shown_grid, shown_noise = gr.State(None), gr.State(0)
    with gr.Row(elem_classes="bar"):
        chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
        models = gr.Dropdown(
            [],
            multiselect=True,
            max_choices=MOST,
            allow_custom_value=True,
            label=t(lang, "models"),
            info=t(lang, "models_info", most=MOST),
            scale=6,
            elem_id="models",
        )
        quality = gr.Dropdown(
            [(t(lang, f"quality_{one}"), one) for one in QUALITIES],
            value=AS_RUN,
            label=t(lang, "quality"),
            scale=2,
        )
    with gr.Row(elem_classes="bar"):
        known = gr.Dropdown(
            [],
            multiselect=True,
            max_choices=MOST_PROMPTS,
            label=t(lang, "from_set"),
            info=t(lang, "from_set_info"),
            scale=4,
            elem_id="known",
        )
        ja = gr.Textbox(label=t(lang, "caption_ja"), placeholder="金継ぎの茶碗", scale=3, max_lines=1)
        en = gr.Textbox(label=t(lang, "caption_en"), placeholder=t(lang, "twin_optional"), scale=3, max_lines=1)
        noises = gr.Slider(1, NOISES, 2, step=1, label=t(lang, "noises_drawn"), scale=2)
    with gr.Row(elem_classes="bar"):
        go = gr.Button(t(lang, "draw"), variant="primary", elem_id="draw")
        cancel = gr.Button(t(lang, "cancel"), variant="stop", elem_id="cancel", visible=False)
        back = gr.Button(t(lang, "noise_back"), elem_id="noise-back", min_width=120)
        which = gr.HTML(elem_id="noise", min_height=24)
        following = gr.Button(t(lang, "noise_next"), elem_id="noise-next", min_width=120)
        make = gr.Button(t(lang, "contact_sheet"), elem_id="make-sheet")
        as_png = gr.DownloadButton(t(lang, "sheet_png"), visible=False, elem_id="sheet-png")
        as_html = gr.DownloadButton(t(lang, "sheet_html"), visible=False, elem_id="sheet-html")
    with gr.Row(equal_height=False):
        # Beside what is laid over each other where there is room for both, else above it.
        with gr.Column(scale=7, min_width=960):
            shown_table = gr.HTML(
                html.empty_message(t(lang, "compare_empty")), elem_id="sheet", min_height=380, js_on_load=KEYS
            )
        with gr.Column(scale=4, min_width=320, elem_classes="flush"):
            slider = gr.ImageSlider(
                label=t(lang, "laid_over"), interactive=False, format="png", max_height=420, elem_id="over"
            )
            with gr.Row():
                left = gr.Dropdown([], label=t(lang, "left_picture"), min_width=140)
                right = gr.Dropdown([], label=t(lang, "right_picture"), min_width=140)

    def view(grid: Grid | None, noise: int = 0) -> list[Any]:
        """Every output that shows a grid, in the order of `viewed`."""
        hidden = [gr.DownloadButton(visible=False)] * 2
        if grid is None:
            nothing, off = gr.Dropdown(choices=[], value=None), gr.Button(interactive=False)
            go_off = gr.Button(t(lang, "draw"), interactive=False)
            empty = html.empty_message(t(lang, "compare_empty"))
            return [None, 0, empty, go_off, off, "", off, off, nothing, nothing, None, *hidden]
        noise %= grid.asked.noises
        names = picture_names(lang, grid, noise)
        two = first_two(names)
        steps = gr.Button(interactive=grid.asked.noises > 1)
        lacking = len(grid.missing)
        return [
            grid,
            noise,
            table(lang, grid, noise),
            gr.Button(t(lang, "draw_missing", n=lacking) if lacking else t(lang, "all_drawn"), interactive=lacking > 0),
            steps,
            noise_label(lang, grid, noise),
            steps,
            gr.Button(interactive=bool(grid.cells)),
            gr.Dropdown(choices=names, value=two[0]),
            gr.Dropdown(choices=names, value=two[1]),
            overlay(studio, grid, noise, *two),
            *hidden,
        ]

    def on_form(shown: Grid | None, name: str | None, *form: Any) -> list[Any]:
        grid = compared(studio, lang, name, *form) if name else None
        # Opening the page fills its boxes, which reads as a change: by then somebody may look at another noise.
        if grid is not None and shown is not None and grid.is_like(shown):
            return [gr.skip()] * len(viewed)
        return view(grid)

    def filled(
        name: str | None, ids: Sequence[str] = (), captions: Sequence[str] = (), japanese: str = "", english: str = ""
    ) -> list[Any]:
        if name is None:
            return [gr.skip(), gr.skip(), *view(None)]
        found, first = first_choice(studio, lang, name, ids)
        with studio.run(name) as store:
            prompts = store.prompts.niches.prompts
        names = [(html.both_captions(prompt), prompt.id) for prompt in prompts]
        there = {prompt.id for prompt in prompts}
        wanted = [id for id in captions if id in there][:MOST_PROMPTS]
        if not (wanted or japanese or english):
            wanted = [prompts[0].id]
        grid = compared(studio, lang, name, first, wanted, japanese, english, 2, AS_RUN)
        return [gr.Dropdown(choices=found, value=first), gr.Dropdown(choices=names, value=wanted), *view(grid)]

    def on_load(request: gr.Request) -> list[Any]:
        asked = asked_run(studio, lang, request)
        name, missing = asked.run, asked.missing
        chosen_run = gr.Dropdown(choices=studio.run_names(), value=name)
        japanese, english = (query_value(request, language) or "" for language in LANGUAGES)
        ids, prompts = query_values(request, "id"), query_values(request, "prompt")
        models, lacking = asked_models(studio, lang, name, ids, prompts) if name and not missing else ([], [])
        shown = filled(name, models, prompts, japanese, english)
        return [not_found([*missing, *lacking]), chosen_run, *shown, japanese, english]

    def on_run(name: str | None) -> list[Any]:
        return [*filled(name), "", "", 2, AS_RUN]

    def on_step(grid: Grid, noise: int, by: int) -> list[Any]:
        return view(grid, noise + by)

    def on_overlay(grid: Grid | None, noise: int, one: str | None, other: str | None) -> Any:
        return overlay(studio, grid, noise, one, other) if grid else None

    def on_begin(request: gr.Request) -> list[Any]:
        drawing.begin(request)
        return [gr.Button(interactive=False), gr.Button(visible=True, interactive=True)]

    def on_draw(
        name: str | None,
        noise: int,
        ids: list[str],
        captions: list[str],
        japanese: str,
        english: str,
        count: int,
        how: Quality,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[Any]:
        def tell(done: int, of: int) -> None:
            drawing.check(request)
            progress((done, of), desc=t(lang, "drawing"), unit=t(lang, "pictures"))

        grid = compared(studio, lang, name, ids, captions, japanese, english, count, how) if name else None
        if grid is not None:
            progress(0.0, desc=t(lang, "loading"))
            try:
                draw(studio, grid, tell)
            except Cancelled:
                gr.Info(t(lang, "drawing_cancelled"))
            grid = look(studio, grid.rows, grid.asked)
        return view(grid, noise)

    def on_cancel(request: gr.Request) -> Any:
        drawing.stop(request)
        return gr.Button(interactive=False)

    def on_end(request: gr.Request) -> Any:
        drawing.end(request)
        return gr.Button(visible=False)

    def on_failure(request: gr.Request) -> list[Any]:
        return [gr.Button(interactive=True), on_end(request)]

    def on_sheet(name: str, grid: Grid) -> list[Any]:
        files = sheet_files(studio, lang, name, grid)
        if not files.has_japanese:
            gr.Warning(t(lang, "no_japanese_font"), duration=15)
        return [gr.DownloadButton(value=str(file), visible=True) for file in (files.png, files.html)]

    form = [models, known, ja, en, noises, quality]
    viewed = [
        shown_grid,
        shown_noise,
        shown_table,
        go,
        back,
        which,
        following,
        make,
        left,
        right,
        slider,
        as_png,
        as_html,
    ]
    hidden = {"show_progress": "hidden"}
    address = {"fn": None, "inputs": [chosen, models, known, ja, en], "outputs": None, "js": ADDRESS}
    listen(demo.load, lang, on_load, None, [lost, chosen, models, known, *viewed, ja, en], role="viewer", **hidden)
    listen(
        chosen.input, lang, on_run, chosen, [models, known, *viewed, ja, en, noises, quality], role="viewer", **hidden
    ).then(**address)
    # Gradio tells of input neither what is pasted or comes from an input method, nor a choice that is on no list.
    typed = (models.key_up, models.blur, ja.change, en.change)
    for change in (models.input, known.input, *typed, noises.release, quality.input):
        listen(
            change,
            lang,
            on_form,
            [shown_grid, chosen, *form],
            viewed,
            trigger_mode="always_last",
            role="viewer",
            **hidden,
        ).then(**address)
    for button, by in ((back, -1), (following, 1)):
        listen(
            button.click,
            lang,
            lambda grid, noise, by=by: on_step(grid, noise, by),
            [shown_grid, shown_noise],
            viewed,
            role="viewer",
            **hidden,
        )
    for picked in (left, right):
        listen(picked.input, lang, on_overlay, [shown_grid, shown_noise, left, right], slider, role="viewer", **hidden)
    begun = listen(go.click, lang, on_begin, None, [go, cancel], role="editor", **hidden)
    ended = listen(
        begun.then,
        lang,
        on_draw,
        [chosen, shown_noise, *form],
        viewed,
        show_progress_on=shown_table,
        concurrency_limit=1,
        concurrency_id="pictures",
        role="editor",
        does="draw pictures",
    )
    listen(ended.then, lang, on_end, None, cancel, role="editor", **hidden)
    listen(ended.failure, lang, on_failure, None, [go, cancel], role="editor", **hidden)
    listen(cancel.click, lang, on_cancel, None, cancel, role="editor", **hidden)
    listen(make.click, lang, on_sheet, [chosen, shown_grid], [as_png, as_html], show_progress_on=make, role="editor")
