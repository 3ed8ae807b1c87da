"""The Export page, a walk in steps: who, licences, format, preview, write.

A step is open once the one before it is answered. What is previewed and what is written come from one plan.
"""

from __future__ import annotations

import shutil
from typing import Any, NamedTuple

import gradio as gr

from pipelines.exporting.export import PRECISIONS, SINGLE_FILE_SUFFIX
from pipelines.exporting.lora_export import DEFAULT_RANK
from studio.exporting import export_names, registry
from studio.i18n import Lang, t
from studio.ui.common.address import no_run_yet
from studio.ui.common.cancellable import CancellableWork, Cancelled
from studio.ui.common.frame import listen, page_header, page_link
from studio.ui.common.studio import Studio, download_folder

from . import licences
from . import steps as offer
from .licence_step import licence_fields, shown
from .on_disk import exports_on_disk
from .publish import publish_fields, wire_publishing
from .who_step import who_fields, wire_who
from .wish import FORMS, HOST, ExportFormat, Wish, base_choices, export_plan_of, plan

VIEWING: dict[str, Any] = {"role": "viewer", "show_progress": "hidden"}
EDITING: dict[str, Any] = {"role": "editor", "show_progress": "hidden"}


class _Fields(NamedTuple):
    """What is asked for, over all steps: the inputs of a `Wish`."""

    run: gr.Dropdown
    id: gr.Dropdown
    title: gr.Textbox
    form: gr.Radio
    precision: gr.Radio
    credit: gr.Textbox
    base: gr.Dropdown
    rank: gr.Slider
    reason: gr.Textbox
    stated_by: gr.Textbox


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "export")
    empty = gr.HTML(no_run_yet(lang), visible=False)
    answered = gr.State([])  # run and individual that the later steps are about
    with gr.Walkthrough(selected=1, elem_id="steps") as steps:
        with gr.Step(t(lang, "step_who"), id=1):
            chosen = who_fields(lang)
            run, who, title = chosen.run, chosen.who, chosen.title
            (next1,) = _buttons(lang, 1)
        with gr.Step(t(lang, "step_licences"), id=2):
            legal = licence_fields(lang)
            back2, next2 = _buttons(lang, 2)
        with gr.Step(t(lang, "step_format"), id=3):
            form = gr.Radio([(t(lang, f"form_{one}"), one) for one in FORMS], value="folder", label=t(lang, "form"))
            kinds = [(t(lang, "precision_host"), HOST), *((name, name) for name in PRECISIONS)]
            precision = gr.Radio(kinds, value=HOST, label=t(lang, "precision"), elem_id="precision")
            with gr.Row(visible=False) as of_lora:
                base = gr.Dropdown([], label=t(lang, "lora_base"), info=t(lang, "lora_base_info"), elem_id="base")
                words = {"label": t(lang, "lora_rank"), "info": t(lang, "lora_rank_info")}
                rank = gr.Slider(4, 256, DEFAULT_RANK, step=4, **words, elem_id="rank")
            facts = gr.Markdown(container=True, min_height=110, elem_id="facts")
            back3, next3 = _buttons(lang, 3)
        with gr.Step(t(lang, "step_preview"), id=4):
            with gr.Row(equal_height=False):
                with gr.Column(scale=3, min_width=360):
                    gr.Markdown(t(lang, "card_preview"), elem_classes="quiet")
                    card = gr.Markdown(container=True, max_height=460, elem_id="card")
                with gr.Column(scale=2, min_width=320):
                    gr.Markdown(t(lang, "gone_along"), elem_classes="quiet")
                    samples = gr.HTML(elem_id="samples")
                    with gr.Accordion(t(lang, "metadata"), open=True):
                        metadata = gr.JSON(show_label=False, max_height=220, elem_id="metadata")
                    with gr.Accordion(t(lang, "front_matter"), open=False):
                        front = gr.Code(language="yaml", show_label=False, interactive=False, max_lines=16)
            back4, next4 = _buttons(lang, 4)
        with gr.Step(t(lang, "step_write"), id=5):
            place = gr.Markdown(container=True, elem_id="place")
            with gr.Row():
                back5 = gr.Button(t(lang, "back"), elem_id="back-5")
                go = gr.Button(t(lang, "export"), variant="primary", elem_id="go")
                cancel = gr.Button(t(lang, "cancel"), variant="stop", elem_id="cancel", visible=False)
            finished = gr.Markdown(min_height=60, elem_id="finished")
            with gr.Column(visible=False, elem_id="howto") as opening:
                with gr.Tabs():
                    with gr.Tab("diffusers"):
                        code = gr.Code(language="python", label=t(lang, "open_in_diffusers"), interactive=False)
                    with gr.Tab("ComfyUI"):
                        comfyui = gr.Markdown(elem_id="comfyui")
                    with gr.Tab("A1111 / Forge"):
                        a1111 = gr.Markdown()
                with gr.Row():
                    in_use = gr.Button(t(lang, "use_this"), elem_id="use")
                    gr.Button(t(lang, "page_monitor"), link=page_link(lang, "monitor"), elem_id="to-monitor")
                publishing = publish_fields(lang)
            with gr.Column(visible=False, elem_id="packed") as packed:
                commands = gr.Code(language="shell", label=t(lang, "rebuild_commands"), interactive=False)
                zipped = gr.DownloadButton(t(lang, "download_recipe"), elem_id="recipe")
            again = gr.Button(t(lang, "export_another"), visible=False, elem_id="again")
    exports_on_disk(demo, studio, lang)
    fields = _Fields(run, who, title, form, precision, legal.credit, base, rank, legal.reason, legal.stated_by)

    def planned(*values: Any) -> Any:
        return plan(studio, Wish(*values))

    def to_licences(name: str, id: str, called: str, before: list[str]) -> list[Any]:
        if before == [name, id]:  # somebody went back, and keeps what was answered
            return [gr.Walkthrough(selected=2), *[gr.skip()] * (len(legal) + 5)]
        found = licences.terms(lang, planned(name, id, called))
        forward = gr.Button(interactive=not found.warnings)
        fitting = offer.fitting_form(studio, name, id)
        known, host = base_choices(studio, name, id)
        bases = gr.Dropdown(choices=known, value=host)
        return [gr.Walkthrough(selected=2), [name, id], *shown(lang, found), fitting, HOST, forward, bases]

    def on_read(ticked: list[str], name: str, id: str, called: str) -> Any:
        wanted = licences.terms(lang, planned(name, id, called)).warnings
        return gr.Button(interactive=set(wanted) <= set(ticked))

    def described(*values: Any) -> list[Any]:
        words, fits = offer.facts(studio, lang, planned(*values))
        return [words, gr.Button(interactive=fits)]

    def on_form(*values: Any) -> list[Any]:
        return [gr.Row(visible=Wish(*values).form == "lora"), *described(*values)]

    def to_format(*values: Any) -> list[Any]:
        return [gr.Walkthrough(selected=3), *on_form(*values)]

    def to_preview(*values: Any) -> list[Any]:
        shown = offer.preview(lang, planned(*values), *values[:2])
        return [gr.Walkthrough(selected=4), shown.card, shown.front_matter, shown.metadata, shown.pictures]

    def to_write(*values: Any) -> list[Any]:
        words, fits = offer.facts(studio, lang, planned(*values))
        closed = [gr.Column(visible=False), gr.Column(visible=False), gr.Button(visible=False)]
        return [gr.Walkthrough(selected=5), words, gr.Button(interactive=fits), "", *closed]

    walk: dict[str, Any] = {"role": "editor", "show_progress": "minimal"}
    wire_who(demo, studio, lang, chosen, lost=lost, empty=empty, forward=next1, again=again)
    outputs = [steps, answered, *legal, form, precision, next2, base]
    for trigger in (next1.click, title.submit):
        listen(trigger, lang, to_licences, [run, who, title, answered], outputs, **walk)
    listen(legal.read.input, lang, on_read, [legal.read, run, who, title], next2, trigger_mode="always_last", **EDITING)
    listen(next2.click, lang, to_format, [*fields], [steps, of_lora, facts, next3], **walk)
    listen(form.input, lang, on_form, [*fields], [of_lora, facts, next3], trigger_mode="always_last", **EDITING)
    for change in (precision.input, base.input, rank.release):
        listen(change, lang, described, [*fields], [facts, next3], trigger_mode="always_last", **EDITING)
    listen(next3.click, lang, to_preview, [*fields], [steps, card, front, metadata, samples], role="editor")
    listen(next4.click, lang, to_write, [*fields], [steps, place, go, finished, opening, packed, again], **walk)
    for number, button in ((1, back2), (2, back3), (3, back4), (4, back5), (1, again)):
        listen(button.click, lang, lambda number=number: gr.Walkthrough(selected=number), None, steps, **VIEWING)
    results = [finished, opening, packed, again, code, comfyui, a1111, commands, zipped, in_use, publishing.asked]
    _wire_writing(studio, lang, fields, legal.read, (go, cancel, back5), results)
    wire_publishing(studio, lang, publishing, [*fields])

    def on_use(called: str, kind: str) -> Any:
        name = export_names.without_ending(called)
        registry.put_in_use(studio.exports, name if kind == "folder" else f"{name}{SINGLE_FILE_SUFFIX}")
        return gr.Button(t(lang, "is_in_use"), interactive=False)

    listen(in_use.click, lang, on_use, [title, form], in_use, role="editor", does="put an export in use")


def _wire_writing(
    studio: Studio,
    lang: Lang,
    fields: _Fields,
    read: gr.CheckboxGroup,
    buttons: tuple[gr.Button, gr.Button, gr.Button],
    results: list[Any],
) -> None:
    """The last step: write, with bytes and the time left; cancel."""
    go, cancel, _ = buttons
    finished, opening, packed, again, *_ = results
    writing = CancellableWork()

    def on_begin(request: gr.Request) -> list[Any]:
        writing.begin(request)
        hidden = [gr.Column(visible=False), gr.Column(visible=False), gr.Button(visible=False)]
        wait, may_cancel = gr.Button(interactive=False), gr.Button(visible=True, interactive=True)
        return [wait, may_cancel, wait, "", *hidden]

    def on_export(
        ticked: list[str],
        name: str,
        id: str,
        called: str,
        kind: ExportFormat,
        precision: str,
        credit: str,
        base: str | None,
        rank: int,
        reason: str,
        stated_by: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> list[Any]:
        clock = offer.Clock(lang)

        def tell(done: int, of: int) -> None:
            writing.check(request)
            progress(done / max(1, of), desc=clock.words(done, of), unit="%")

        try:
            wish = Wish(name, id, called, kind, precision, credit, base, rank, reason, stated_by)
            done = offer.export(studio, lang, wish, ticked, tell)
        except Cancelled:
            return [t(lang, "cancelled"), *[gr.skip()] * (len(results) - 1)]
        return _results(lang, done)

    def on_cancel(request: gr.Request) -> Any:
        writing.stop(request)
        return gr.Button(interactive=False)

    def on_end(called: str, request: gr.Request) -> list[Any]:
        writing.end(request)
        free = export_names.name_problem(called, studio.exports) is None  # not once it is written
        return [gr.Button(interactive=free), gr.Button(visible=False), gr.Button(interactive=True)]

    began = listen(go.click, lang, on_begin, None, [*buttons, finished, opening, packed, again], **EDITING)
    ended = listen(
        began.then,
        lang,
        on_export,
        [read, *fields],
        results,
        show_progress_on=finished,
        concurrency_limit=1,
        concurrency_id="weights",
        role="editor",
        does="export",
    )
    for after in (ended.then, ended.failure):  # Gradio runs `then` after what went well only, whatever it says
        listen(after, lang, on_end, fields.title, [*buttons], **EDITING)
    listen(cancel.click, lang, on_cancel, None, cancel, **EDITING)


def _results(lang: Lang, done: offer.Done) -> list[Any]:
    """What the last step shows of a finished export, in the order of its outputs."""
    said = [offer.told(lang, done), gr.Column(visible=not done.is_recipe), gr.Column(visible=done.is_recipe)]
    more = gr.Button(visible=True)
    if done.is_recipe:
        copy = shutil.copy(done.planned.target, download_folder())
        return [*said, more, "", "", "", done.code, gr.DownloadButton(value=str(copy)), gr.skip(), gr.skip()]
    others = [offer.how_to(lang, done, "comfyui"), offer.how_to(lang, done, "a1111")]
    fresh = gr.Button(t(lang, "use_this"), interactive=not done.is_lora)
    asked = gr.Markdown(visible=any(entry.asks_for_recipe for entry in export_plan_of(done.planned).inherited))
    return [*said, more, done.code, *others, "", gr.skip(), fresh, asked]


def _buttons(lang: Lang, number: int) -> list[gr.Button]:
    """Back and Next of a step; the first has nothing to go back to, and waits for somebody to be chosen."""
    with gr.Row(elem_classes="bar"):
        back = [gr.Button(t(lang, "back"), elem_id=f"back-{number}")] if number > 1 else []
        forward = gr.Button(t(lang, "next"), variant="primary", elem_id=f"next-{number}", interactive=number > 1)
        return [*back, forward]
