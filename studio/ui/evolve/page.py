"""The Evolve page: watch a run, pause, end, go on with more.

The work is in a process of its own; the page reads the run's folder every few seconds and may be closed at any time.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.i18n import Lang, t
from studio.ui.common.address import asked_run, no_run_yet
from studio.ui.common.frame import keep_in_address, listen, listen_to_choice, page_header
from studio.ui.common.shared import SharedAnswers
from studio.ui.common.steering import steer, steer_no_more
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import rater_of
from studio.ui.evolve.report_file import report_file

from .learned import wire_learned
from .live_part import live_part, live_values
from .plots import span
from .progress import Drawings, Glance, RunView, drawings, glance, run_view, unreadable
from .run_control import accept, extend, finish, resume, stop

POLL = 2.0  # seconds between two looks at the run


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "evolve")
    broken = gr.HTML(elem_id="unreadable")
    returning = bool(studio.run_names())  # a guess for the first paint; loading the page decides
    nobody = gr.HTML(no_run_yet(lang), elem_id="no-run", visible=not returning)
    live = live_part(lang, studio, visible=returning)
    seen, buttons = live.seen, live.buttons
    mark, chosen, headline = seen["mark"], seen["chosen"], seen["headline"]
    # Whoever watches a run sees the same. What somebody does to it is not asked of these, and is seen at once.
    seen_by_all: SharedAnswers[Glance] = SharedAnswers(POLL / 2)
    viewed_by_all: SharedAnswers[RunView] = SharedAnswers(POLL)
    drawn_for_all: SharedAnswers[Drawings] = SharedAnswers(POLL)
    outputs = [*seen.values()]

    def shown(name: str | None) -> list[Any]:
        """Every output of the live part, for one run."""
        if name is None:
            return [gr.skip()] * len(outputs)
        values = live_values(lang, run_view(studio, lang, name), studio.run_choices(), name)
        return [values[part] for part in seen]

    def watched(name: str | None) -> list[Any]:
        """The same, for whoever looks without having done anything to the run."""
        if name is None:
            return shown(None)
        mark = seen_by_all.get(name, lambda: glance(studio, lang, name)).mark
        found = viewed_by_all.get(mark, lambda: run_view(studio, lang, name))
        values = live_values(lang, found, studio.run_choices(), name)
        return [values[part] for part in seen]

    def on_choice(name: str | None) -> list[Any]:
        """Another run; what was asked about the one before is gone."""
        values = dict(zip(seen, watched(name), strict=True))
        return [*(values[part] for part in seen if part != "run"), *[gr.update(visible=False)] * len(live.of_one)]

    def on_change(name: str | None) -> list[Any]:
        if not name:
            return [gr.skip()] * 4
        mark = seen_by_all.get(name, lambda: glance(studio, lang, name)).mark
        found = drawn_for_all.get(mark, lambda: drawings(studio, lang, name))
        return [gr.LinePlot(found.progress, y_lim=span(found.progress)), *found[1:]]

    def on_load(request: gr.Request) -> list[Any]:
        asked = asked_run(studio, lang, request)
        notices = [asked.notice, unreadable(lang, studio.unreadable_runs())]
        return [*notices, gr.HTML(visible=asked.run is None), *watched(asked.run)]

    def on_tick(name: str | None, before: str) -> list[Any]:
        """Only what changed is sent: a page must not jump or flicker while somebody reads it."""
        if not name or name not in studio.run_names():
            return [gr.skip()] * len(outputs)
        now = seen_by_all.get(name, lambda: glance(studio, lang, name))
        if now.mark == before:
            fresh = {headline: now.headline} | ({seen["workers"]: now.workers} if now.workers else {})
            return [fresh.get(output, gr.skip()) for output in outputs]
        return watched(name)

    def on_stop(name: str) -> Any:
        if not stop(studio, name):
            gr.Info(t(lang, "stopping"))
        return gr.Button(interactive=False)

    def on_resume(name: str) -> Any:
        resume(studio, name)
        gr.Info(t(lang, "resuming"))
        return gr.Button(interactive=False)

    def on_accept(name: str, why: str) -> list[Any]:
        accept(studio, name, why)
        gr.Info(t(lang, "resuming"))
        return [gr.Column(visible=False), gr.Textbox(value="")]

    def on_finish(name: str) -> Any:
        finish(studio, name)
        gr.Info(t(lang, "finishing"))
        return gr.Button(interactive=False)

    def on_more(name: str, evaluations: float) -> list[Any]:
        extend(studio, name, int(evaluations or 0))
        return shown(name)

    def on_steer(name: str, request: gr.Request) -> list[Any]:
        steer(studio, name, rater_of(request) or "")
        return shown(name)

    def on_unsteer(name: str, request: gr.Request) -> list[Any]:
        steer_no_more(studio, name, rater_of(request) or "")
        return shown(name)

    def on_report(name: str) -> Any:
        return gr.DownloadButton(value=str(report_file(studio, lang, name)), visible=True)

    listen(
        demo.load,
        lang,
        on_load,
        None,
        [lost, broken, nobody, *outputs],
        show_progress="hidden",
        role="viewer",
    )
    keep_in_address(chosen)
    listen(gr.Timer(POLL).tick, lang, on_tick, [chosen, mark], outputs, show_progress="hidden", role="viewer")
    listen_to_choice(
        chosen,
        seen["run"],
        lang,
        on_choice,
        [*(part for name, part in seen.items() if name != "run"), *live.of_one],
        show_progress="hidden",
        role="viewer",
    )
    # Drawn when everything else is there: a page is read from its top.
    listen(mark.change, lang, on_change, chosen, live.drawn, show_progress="hidden", role="viewer")
    wire_learned(studio, lang, live.learned, chosen, mark)
    halt, again, end = seen["halt"], seen["again"], seen["end"]
    listen(halt.click, lang, on_stop, chosen, halt, role="editor", does="stop a run")
    listen(again.click, lang, on_resume, chosen, again, role="editor", does="resume a run")
    stated = buttons["reason"]
    listen(buttons["agree"].click, lang, on_accept, [chosen, stated], [seen["asked"], stated], role="editor",
           does="resume a changed run")  # fmt: skip
    listen(end.click, lang, on_finish, chosen, end, role="editor", does="finish a run")
    listen(buttons["steer"].click, lang, on_steer, chosen, outputs, role="editor", does="steer a run")
    listen(seen["unsteer"].click, lang, on_unsteer, chosen, outputs, role="editor", does="steer a run no more")
    extended = [chosen, seen["budget"]]
    listen(buttons["more"].click, lang, on_more, extended, outputs, role="editor", does="extend a run")
    listen(buttons["make_page"].click, lang, on_report, chosen, live.of_one[0], role="editor")
