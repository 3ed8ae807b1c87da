"""The Monitor page: every export, whether it still is what it was, and which one is in use.

Measuring is done by a process of its own; the page reads what it leaves in the exports folder and may be closed.
"""

from __future__ import annotations

import shlex
from typing import Any

import gradio as gr

from studio.errors import RunError
from studio.exporting import registry
from studio.exporting.registry import Export
from studio.i18n import Lang, t
from studio.monitoring import scheduler
from studio.monitoring.scheduler import SCHEDULES, Schedule
from studio.ui.common import html
from studio.ui.common.address import not_found
from studio.ui.common.field_errors import at_field
from studio.ui.common.frame import keep_in_address, listen, listen_to_choice, page_header, query_value
from studio.ui.common.studio import Studio

from . import measurements

POLL = 2.0  # seconds between two looks at a measurement that is going on


@at_field("which")
def found(studio: Studio, name: str | None) -> Export:
    """An export by its name; only one that is listed reaches the disk.

    Raises:
        RunError: there is none of that name.
    """
    export = next((one for one in registry.list_exports(studio.exports) if one.name == name), None)
    if export is None:
        raise RunError(
            "There is no export called {name!r} in {folder}. Choose one of the list.", name=name, folder=studio.exports
        )
    return export


def begin(studio: Studio, name: str) -> None:
    """Measure an export in a process of its own.

    Raises:
        M2N2Error: it is being measured already, or has no birth certificate.
    """
    export = found(studio, name)
    studio.previewer.release()  # or the process would find the device taken by the page beside
    scheduler.start_measurement(export)


def choose(studio: Studio, name: str) -> None:
    """Say that an export is the one in use.

    Raises:
        M2N2Error: there is no such export.
    """
    registry.put_in_use(studio.exports, found(studio, name).name)


def command(export: Export) -> str:
    """What cron runs."""
    return f"m2n2 monitor {shlex.quote(str(export.path.resolve()))} --json"


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "monitor")
    mark, current = gr.State(""), gr.State(None)
    empty = gr.HTML(html.empty_message(t(lang, "no_exports")), visible=False)
    with gr.Column() as shown:
        with gr.Row(elem_classes="bar"):
            chosen = gr.Dropdown([], label=t(lang, "export_name"), scale=3, elem_id="which")
            kinds = [(t(lang, f"schedule_{one}"), one) for one in SCHEDULES]
            schedule = gr.Dropdown(kinds, value="off", label=t(lang, "schedule"), scale=2, elem_id="schedule")
            go = gr.Button(t(lang, "measure"), variant="primary", scale=1, elem_id="go", interactive=False)
            cancel = gr.Button(t(lang, "cancel"), variant="stop", scale=1, elem_id="cancel", interactive=False)
            in_use = gr.Button(t(lang, "use_this"), scale=1, elem_id="use", interactive=False)
        progress = gr.HTML(elem_id="headline")
        verdict = gr.HTML(elem_id="verdict", min_height=80)
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=360):
                plot = gr.LinePlot(
                    x="when",
                    y="change",
                    color="line",
                    x_title=t(lang, "when"),
                    y_title=t(lang, "change_since"),
                    color_title=" ",
                    color_map=measurements.colours(lang),
                    label=t(lang, "over_time"),
                    height=260,
                    buttons=["fullscreen"],
                )
                gr.HTML(measurements.legend(lang))
            with gr.Column(scale=2, min_width=300):
                gr.Markdown(t(lang, "what_counts"), elem_classes="quiet", elem_id="what-counts")
        pairs = gr.HTML(elem_id="then-and-now")
        table = gr.Dataframe(
            headers=measurements.header(lang),
            label=t(lang, "all_exports"),
            interactive=False,
            wrap=True,
            elem_id="all",
            elem_classes="inset",
        )
        choices = gr.Dataframe(
            headers=[t(lang, key) for key in ("when", "export_name", "former")],
            label=t(lang, "history"),
            interactive=False,
            max_height=200,
            elem_id="history",
            elem_classes="inset",
        )
        with gr.Accordion(t(lang, "by_itself"), open=False):
            gr.Markdown(t(lang, "cron_text"))
            cron = gr.Code(language="shell", show_label=False, interactive=False, buttons=["copy"])
            certificate = gr.JSON(label=t(lang, "birth_certificate"), max_height=300)
    of_one = [schedule, go, cancel, in_use, progress, verdict, plot, pairs, cron, certificate]
    of_all = [table, choices]

    def one(name: str | None) -> list[Any]:
        if name is None:
            return [gr.skip()] * len(of_one)
        export = found(studio, name)
        seen = measurements.export_view(lang, export)
        used = registry.in_use(studio.exports) == name
        return [
            gr.Dropdown(value=scheduler.schedule_of(export), interactive=seen.can_measure or seen.going_on),
            gr.Button(interactive=seen.can_measure),
            gr.Button(interactive=seen.going_on),
            gr.Button(t(lang, "is_in_use" if used else "use_this"), interactive=not used),
            seen.progress,
            seen.verdict,
            gr.LinePlot(seen.plot, y_lim=measurements.span(seen.plot)),
            seen.pairs,
            command(export),
            seen.certificate,
        ]

    def everything() -> list[Any]:
        return [measurements.rows(lang, studio.exports), measurements.choices(studio.exports)]

    def on_load(request: gr.Request) -> list[Any]:
        listed = [export.name for export in registry.list_exports(studio.exports)]
        wanted = (query_value(request, "export"), registry.in_use(studio.exports), *listed)
        name = next((one for one in wanted if one in listed), None)
        names = gr.Dropdown(choices=measurements.labels(lang, studio.exports), value=name)
        seen = measurements.mark(found(studio, name)) if name else ""
        absent = [t(lang, "no_such_export", export=wanted[0])] if wanted[0] not in (None, "", name) else []
        around = [
            not_found(absent),
            seen,
            gr.HTML(visible=name is None),
            gr.Column(visible=name is not None),
            name,
            names,
        ]
        return [*around, *one(name), *everything()]

    def on_tick(name: str | None, before: str) -> list[Any]:
        """While it is measured the bar alone is sent: a page must not jump or flicker while somebody reads it."""
        if not name or name not in [export.name for export in registry.list_exports(studio.exports)]:
            return ["", *[gr.skip()] * len(of_one + of_all)]
        now = measurements.mark(found(studio, name))
        if now == before:
            bar = measurements.progress(lang, found(studio, name))
            return [now, *(bar if output is progress else gr.skip() for output in of_one + of_all)]
        return [now, *one(name), *everything()]

    def on_go(name: str) -> list[Any]:
        begin(studio, name)
        return one(name)

    def on_cancel(name: str) -> Any:
        scheduler.ask_measurement_to_stop(found(studio, name))
        return gr.Button(interactive=False)

    def on_schedule(name: str, how: Schedule) -> None:
        if how == scheduler.schedule_of(found(studio, name)):  # the list lost the focus
            return
        scheduler.set_schedule(found(studio, name), how)
        gr.Info(t(lang, f"schedule_{how}_set"))

    def on_use(name: str) -> list[Any]:
        choose(studio, name)
        names = gr.Dropdown(choices=measurements.labels(lang, studio.exports), value=name)
        return [names, *one(name), *everything()]

    def on_row(event: gr.SelectData) -> list[Any]:
        name = event.row_value[0]
        return [name, name, *one(name)]

    hidden = {"show_progress": "hidden"}
    listen(
        demo.load,
        lang,
        on_load,
        None,
        [lost, mark, empty, shown, current, chosen, *of_one, *of_all],
        role="viewer",
        **hidden,
    )
    keep_in_address(chosen, "export")
    listen(gr.Timer(POLL).tick, lang, on_tick, [chosen, mark], [mark, *of_one, *of_all], role="viewer", **hidden)
    listen_to_choice(chosen, current, lang, one, of_one, role="viewer", **hidden)
    listen(table.select, lang, on_row, None, [current, chosen, *of_one], role="viewer", **hidden)
    listen(go.click, lang, on_go, chosen, of_one, role="editor", does="measure an export")
    listen(cancel.click, lang, on_cancel, chosen, cancel, role="editor", does="stop a measurement", **hidden)
    listen(
        schedule.input,
        lang,
        on_schedule,
        [chosen, schedule],
        None,
        role="editor",
        does="schedule measurements",
        **hidden,
    )
    listen(
        in_use.click,
        lang,
        on_use,
        chosen,
        [chosen, *of_one, *of_all],
        role="editor",
        does="put an export in use",
        **hidden,
    )
