"""The Prompts page: look through prompt sets, write them, import, check, split and save them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import gradio as gr
from markupsafe import Markup

import assets
from eval.prompts.editing import PromptRow
from eval.scorers import names as naming
from eval.scorers.catalogue import RECOMMENDED
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from studio.errors import RunError
from studio.i18n import Lang, phrase, t
from studio.library import prompt_library, source_library
from studio.markdown import markdown_text
from studio.ui.common.address import not_found
from studio.ui.common.field_errors import at_field
from studio.ui.common.frame import keep_in_address, listen, listen_to_choice, page_header, query_value
from studio.ui.common.studio import Studio

from .editor import (
    Cells,
    cells,
    choices,
    exported,
    imported,
    known,
    links,
    measured,
    open_set,
    pictures,
    save,
    save_split,
    state,
)
from .rows_table import rows_table


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "prompts")
    place, current = gr.State(""), gr.State(None)
    with gr.Row(elem_classes="bar"):
        chosen = gr.Dropdown([], label=t(lang, "prompt_set"), scale=3, elem_id="set")
        new = gr.Button(t(lang, "new_set"), scale=1, elem_id="new-set")
        use = gr.HTML(elem_id="use")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=480):
            table = rows_table(lang)
        with gr.Column(scale=3, min_width=320):
            stands = gr.Markdown(elem_id="stands", container=True, min_height=80)
            name = gr.Textbox(label=t(lang, "title"), max_lines=1, elem_id="set-name")
            about = gr.Textbox(label=t(lang, "description"), max_lines=2)
            over = gr.Checkbox(False, label=t(lang, "overwrite"), elem_id="over")
            with gr.Row(elem_classes="bar"):
                keep = gr.Button(t(lang, "save"), variant="primary", elem_id="save", min_width=90)
                csv = gr.Button(t(lang, "as_csv"), elem_id="csv", min_width=70)
                yaml = gr.Button(t(lang, "as_yaml"), elem_id="yaml", min_width=70)
            file = gr.File(label=t(lang, "exported_file"), interactive=False, visible=False, elem_id="exported")
    with gr.Accordion(t(lang, "import"), open=False, elem_id="import", elem_classes="needs-editor"):
        gr.Markdown(t(lang, "import_text"), elem_classes="quiet")
        with gr.Row():
            dropped = gr.File(
                label=t(lang, "drop_set"),
                file_types=[".csv", ".tsv", ".txt", ".yaml", ".yml"],
                height=130,
                elem_id="dropped-set",
            )
            with gr.Column():
                path = gr.Textbox(label=t(lang, "set_path"), info=t(lang, "set_path_info"), max_lines=1, elem_id="path")
                join = gr.Radio(
                    [(t(lang, "import_replace"), False), (t(lang, "import_join"), True)],
                    value=False,
                    label=t(lang, "import_how"),
                    elem_id="join",
                )
                read = gr.Button(t(lang, "import"), elem_id="read")
    with gr.Accordion(t(lang, "check_tokens"), open=False, elem_id="tokens", elem_classes="needs-editor"):
        with gr.Row(elem_classes="bar"):
            judge = gr.Dropdown(
                [
                    (t(lang, "scorer_emoji"), naming.of_folder(assets.JUDGE)),
                    *((one.model, one.name) for one in RECOMMENDED),
                ],
                value=naming.of_folder(assets.JUDGE),
                label=t(lang, "scorer"),
                info=t(lang, "scorer_info"),
                allow_custom_value=True,
                scale=2,
            )
            painter = gr.Dropdown([], label=t(lang, "encoders_of"), info=t(lang, "encoders_of_info"), scale=2)
            reads = gr.Radio(
                [(t(lang, f"syntax_{one}"), one) for one in get_args(PromptSyntax)],
                value=PLAIN,
                label=t(lang, "prompt_syntax"),
                scale=2,
            )
            count = gr.Button(t(lang, "count_tokens"), elem_id="count")
        verdict = gr.Markdown(elem_id="verdict")
        counted = gr.Dataframe(interactive=False, wrap=True, max_height=320, label=t(lang, "check_tokens"))
    with gr.Accordion(t(lang, "split"), open=False, elem_id="split", elem_classes="needs-editor"):
        gr.Markdown(t(lang, "split_text"), elem_classes="quiet")
        with gr.Row(elem_classes="bar"):
            share = gr.Slider(5, 95, 60, step=5, label=t(lang, "split_share"))
            seed = gr.Number(0, precision=0, label=t(lang, "seed"))
            cut = gr.Button(t(lang, "split_save"), elem_id="cut")
        halves = gr.Markdown(elem_id="halves")
    with gr.Accordion(t(lang, "references"), open=False, elem_id="references"):
        shown = gr.HTML()

    opened = [current, name, about, table, place, stands, shown, use]

    def fill(which: str) -> list[Any]:
        found = open_set(studio, which)
        return [
            which,
            *found,
            state(lang, found.cells),
            pictures(lang, which, found.cells),
            links(studio, lang, which),
        ]

    def sets_now(which: str | None) -> Any:
        return gr.Dropdown(choices=choices(studio, lang), value=which)

    def on_load(request: gr.Request) -> list[Any]:
        wanted = query_value(request, "set")
        there = prompt_library.prompt_sets(studio.prompts)
        first = wanted if wanted in there else next(iter(prompt_library.SHIPPED))
        absent = [] if wanted in (None, "", first) else [t(lang, "no_such_set", set=wanted)]
        sources = [(one.name, one.uri) for one in source_library.known_sources(studio.runs)]
        ja = next((uri for called, uri in sources if called == "ja"), None)
        return [not_found(absent), sets_now(first), gr.Dropdown(choices=sources, value=ja), *fill(first)]

    def on_new() -> list[Any]:
        blank = cells([PromptRow(id="1")])
        return [sets_now(None), None, "", "", blank, str(studio.prompts), t(lang, "set_empty"), *_nothing()]

    def _nothing() -> list[Any]:
        return [pictures(lang, None, []), links(studio, lang, None)]

    def on_edit(now: Cells) -> list[Any]:
        return [state(lang, now), links(studio, lang, None)]

    def on_import(file: str | None, typed: str, now: Cells, joining: bool) -> list[Any]:
        typed = typed.strip().strip('"')
        with at_field("dropped-set" if file and not typed else "path"):
            if not (typed or file):
                raise RunError(phrase("import_nothing"))
            given = studio.open_folders.path(typed) if typed else Path(file or "")
            read_table = imported(given, now, join=joining)
        came_from = gr.skip() if joining else str(given.resolve().parent)
        title = gr.skip() if joining else given.stem
        which = [gr.skip(), gr.skip()] if joining else [sets_now(None), None]  # it is none of those that are saved
        return [*which, title, read_table, came_from, state(lang, read_table), *_nothing(), None, ""]

    def on_count(now: Cells, scorer: str, source: str | None, syntax: PromptSyntax) -> list[Any]:
        studio.open_folders.scorer(scorer)
        studio.open_folders.sources(filter(None, [source]))
        return [*measured(lang, now, scorer, source, syntax)]

    def on_save(now: Cells, called: str, words: str, folder: str, overwrite: bool) -> list[Any]:
        saved = save(studio, now, called, words, folder, overwrite=overwrite)
        gr.Info(t(lang, "set_saved", path=Markup.escape(str(known(studio, saved)))))
        return [sets_now(saved), gr.Checkbox(False), *fill(saved)]

    def on_split(now: Cells, called: str, folder: str, part: float, number: float, overwrite: bool) -> list[Any]:
        names, sizes = save_split(
            studio, now, called, folder, share=part / 100, seed=int(number or 0), overwrite=overwrite
        )
        said = t(
            lang, "split_done", evolve=markdown_text(names[0]), held_out=markdown_text(names[1]), n=sizes[0], m=sizes[1]
        )
        return [gr.Dropdown(choices=choices(studio, lang)), said]

    quiet = {"show_progress": "hidden"}
    listen(demo.load, lang, on_load, None, [lost, chosen, painter, *opened], role="viewer", **quiet)
    keep_in_address(chosen, "set")
    listen_to_choice(chosen, current, lang, lambda which: fill(which)[1:], opened[1:], role="viewer", **quiet)
    listen(new.click, lang, on_new, None, [chosen, *opened], role="editor", **quiet)
    listen(table.input, lang, on_edit, table, [stands, use], trigger_mode="always_last", role="editor", **quiet)
    listen(
        read.click,
        lang,
        on_import,
        [dropped, path, table, join],
        [chosen, current, name, table, place, stands, shown, use, dropped, path],
        role="editor",
        **quiet,
    )
    listen(
        count.click,
        lang,
        on_count,
        [table, judge, painter, reads],
        [verdict, counted],
        show_progress_on=verdict,
        role="editor",
    )
    listen(
        keep.click,
        lang,
        on_save,
        [table, name, about, place, over],
        [chosen, over, *opened],
        role="editor",
        does="save a prompt set",
        **quiet,
    )
    listen(
        cut.click,
        lang,
        on_split,
        [table, name, place, share, seed, over],
        [chosen, halves],
        role="editor",
        does="split a prompt set",
        **quiet,
    )
    for button, kind in ((csv, "csv"), (yaml, "yaml")):

        def on_export(now: Cells, called: str, folder: str, kind: str = kind) -> Any:
            return gr.File(exported(now, called, folder, kind), visible=True)

        listen(button.click, lang, on_export, [table, name, place], file, role="editor", **quiet)
