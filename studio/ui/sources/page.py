"""The Sources page: what each checkpoint is and is good at, how they go together, and adding one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

import assets
from eval.prompts.prompt_set import load_prompts
from pipelines.checkpoints.source_uri import default_name
from pipelines.errors import M2N2Error
from studio.i18n import Lang, t
from studio.library import source_library
from studio.library.source_strengths import source_strengths
from studio.ui.common import html
from studio.ui.common.cancellable import CancellableWork, Cancelled
from studio.ui.common.frame import listen, listen_to_choice, page_header, page_link
from studio.ui.common.studio import Studio

from .adding import add, look, sources_in
from .cards import cards, entry
from .checking import check
from .similarity import Measured, Tell, heat_maps, measure


def ledger(studio: Studio, lang: Lang) -> Markup:
    """Every known source's card."""
    known = source_library.known_sources(studio.runs)
    return cards(lang, [entry(one) for one in known], source_strengths(studio.runs, known), _captions())


def choices(studio: Studio) -> list[tuple[str, str]]:
    """The known sources as (label, uri); the place tells apart those of one name."""
    known = source_library.known_sources(studio.runs)
    names = [one.name for one in known]
    return [(one.name if names.count(one.name) == 1 else f"{one.name} ({one.uri})", one.uri) for one in known]


def in_order(studio: Studio, uris: Sequence[str]) -> list[str]:
    """Chosen sources in the order of the shelf, whatever the order they were ticked in; unknown ones are left out."""
    return [one.uri for one in source_library.known_sources(studio.runs) if one.uri in uris]


def new_run_link(lang: Lang, uris: Sequence[str]) -> Markup:
    """The way to a new run with these sources chosen."""
    if len(uris) < 2:
        return Markup('<p class="quiet">{}</p>').format(t(lang, "choose_two"))
    return Markup('<a class="action primary" href="{}">{}</a>').format(
        page_link(lang, "new", sources="\n".join(uris)), t(lang, "evolve_these", n=len(uris))
    )


def _captions() -> dict[str, str]:
    """Captions of the embedded previews, by the stem of their names: `0-1face-ja`."""
    try:
        prompts = [prompt for file in (assets.EVOLVE, assets.HELD_OUT) for prompt in load_prompts(file).prompts]
    except M2N2Error:
        return {}
    known = {prompt.id: prompt for prompt in prompts}
    stems = [file.stem for folder in assets.sources() for file in (folder / "previews").glob("*.png")]
    return {stem: html.preview_caption(stem, known) for stem in stems}


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    page_header(lang, "sources")
    work, measured, drawn = CancellableWork(), gr.State(None), gr.State(None)
    with gr.Row(elem_classes="bar"):
        chosen = gr.CheckboxGroup([], label=t(lang, "choose_sources"), scale=5, elem_id="choose")
        go = gr.HTML(elem_id="evolve-these")
    shown = gr.HTML(min_height=420, elem_id="ledger")
    with gr.Accordion(t(lang, "compatibility"), open=False, elem_id="compatibility"):
        gr.Markdown(t(lang, "compatibility_text"), elem_classes="quiet")
        with gr.Row(elem_classes="bar"):
            base = gr.Dropdown([], label=t(lang, "base"), info=t(lang, "base_info"), interactive=False)
            compare = gr.Button(t(lang, "measure_kinship"), variant="primary", elem_id="measure")
            halt = gr.Button(t(lang, "cancel"), variant="stop", visible=False, elem_id="halt")
        heat = gr.HTML(min_height=60, elem_id="heat")
    with gr.Accordion(t(lang, "check_title"), open=False, elem_id="doctor"):
        gr.Markdown(t(lang, "check_text"), elem_classes="quiet")
        with gr.Row(elem_classes="bar"):
            examine = gr.Button(t(lang, "check_chosen"), variant="primary", elem_id="examine")
            cease = gr.Button(t(lang, "cancel"), variant="stop", visible=False, elem_id="cease")
        examined = gr.HTML(min_height=60, elem_id="examined")
    with gr.Accordion(t(lang, "add_sources"), open=False, elem_id="add", elem_classes="needs-editor"):
        with gr.Row(equal_height=True):
            own = gr.Textbox(lines=3, label=t(lang, "own_folders"), info=t(lang, "add_info"), scale=3, elem_id="own")
            dropped = gr.File(
                label=t(lang, "drop_recipe"), file_types=[".json", ".yaml", ".yml"], height=150, scale=1, elem_id="drop"
            )
        gr.Markdown(t(lang, "drop_info"), elem_classes="quiet")
        seen = gr.Markdown(t(lang, "add_hint"), elem_id="seen", container=True, min_height=60)
        with gr.Row(elem_classes="bar"):
            take = gr.Button(t(lang, "add_these"), variant="primary", elem_id="take")
            leave = gr.Button(t(lang, "cancel"), variant="stop", visible=False, elem_id="leave")
            gone = gr.Dropdown([], label=t(lang, "forget_which"), scale=2, visible=False)
            forget = gr.Button(t(lang, "forget"), visible=False, elem_id="forget")

    def shelf_now(ticked: Sequence[str]) -> list[Any]:
        """Cards, choices, the link, and what can be forgotten."""
        known = choices(studio)
        kept = in_order(studio, ticked)
        own_ones = [(label, uri) for label, uri in known if uri in source_library.added_sources(studio.runs)]
        return [
            ledger(studio, lang),
            gr.CheckboxGroup(choices=known, value=kept),
            new_run_link(lang, kept),
            # Hidden where there is none: the list breaks in Gradio where all go while it shows one of them.
            gr.Dropdown(choices=own_ones, value=own_ones[0][1], visible=True)
            if own_ones
            else gr.Dropdown(visible=False),
            gr.Button(visible=bool(own_ones)),
        ]

    def on_load() -> list[Any]:
        return shelf_now([str(path) for path in assets.sources()])

    def on_chosen(uris: list[str]) -> list[Any]:
        return [
            new_run_link(lang, in_order(studio, uris)),
            None,
            "",
            None,
            gr.Dropdown(choices=[], value=None, interactive=False),
        ]

    def on_drop(file: str | None) -> list[Any]:
        text = "\n".join(sources_in(Path(file))) if file else ""
        return [text, look(studio, lang, text)]

    def begun(request: gr.Request) -> list[Any]:
        work.begin(request)
        return [gr.Button(interactive=False), gr.Button(visible=True, interactive=True)]

    def ended(request: gr.Request) -> list[Any]:
        work.end(request)
        return [gr.Button(interactive=True), gr.Button(visible=False)]

    def stopping(request: gr.Request) -> Any:
        work.stop(request)
        return gr.Button(interactive=False)

    def telling(request: gr.Request, progress: gr.Progress) -> Tell:
        def tell(share: float, words: str) -> None:
            work.check(request)
            progress(share, desc=words, unit="%")

        return tell

    def on_add(
        text: str,
        ticked: list[str],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[Any]:
        try:
            new = add(studio, lang, text, telling(request, progress))
        except Cancelled:
            return [t(lang, "add_cancelled"), gr.skip(), *shelf_now(ticked)]
        names = ", ".join(map(default_name, new))
        return [t(lang, "added", names=names), "", *shelf_now([*ticked, *new])]

    def on_forget(uri: str, ticked: list[str]) -> list[Any]:
        source_library.forget_source(studio.runs, uri)
        return shelf_now(ticked)

    def on_measure(
        uris: list[str],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[Any]:
        try:
            found = measure(in_order(studio, uris), lang, telling(request, progress))
        except Cancelled:
            return [None, t(lang, "measure_cancelled"), gr.skip(), gr.skip()]
        first, names = found.central, found.names
        return [found, heat_maps(lang, found, first), first, gr.Dropdown(choices=names, value=first, interactive=True)]

    def on_check(
        uris: list[str],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        try:
            return check(studio, lang, in_order(studio, uris), telling(request, progress))
        except Cancelled:
            return t(lang, "check_cancelled")

    def on_base(name: str, found: Measured | None) -> list[Any]:
        return [heat_maps(lang, found, name) if found else gr.skip()]

    quiet = {"show_progress": "hidden"}
    shelves = [shown, chosen, go, gone, forget]
    listen(demo.load, lang, on_load, None, shelves, role="viewer", **quiet)
    listen(chosen.input, lang, on_chosen, chosen, [go, measured, heat, drawn, base], role="viewer", **quiet)
    for leaving in (own.blur, own.submit):
        listen(leaving, lang, lambda text: look(studio, lang, text), own, seen, role="editor", **quiet)
    listen(dropped.upload, lang, on_drop, dropped, [own, seen], role="editor", **quiet)
    listen(forget.click, lang, on_forget, [gone, chosen], shelves, role="editor", does="forget a source", **quiet)
    listen_to_choice(base, drawn, lang, on_base, [heat], given=[measured], role="viewer", **quiet)
    for button, cancel, handler, does, inputs, outputs, place in (
        (take, leave, on_add, "add sources", [own, chosen], [seen, own, *shelves], seen),
        (compare, halt, on_measure, None, [chosen], [measured, heat, drawn, base], heat),
        (examine, cease, on_check, None, [chosen], [examined], examined),
    ):
        first = listen(button.click, lang, begun, None, [button, cancel], role="editor", **quiet)
        done = listen(
            first.then,
            lang,
            handler,
            inputs,
            outputs,
            show_progress_on=place,
            concurrency_limit=1,
            concurrency_id="weights",
            role="editor",
            does=does,
        )
        for after in (done.then, done.failure):  # Gradio runs `then` after what went well only, whatever it says
            listen(after, lang, ended, None, [button, cancel], role="editor", **quiet)
        listen(cancel.click, lang, stopping, None, cancel, role="editor", **quiet)
