"""The Compare page: models beside each other on any caption, a playground, and what lies between two models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as fields_of
from dataclasses import replace
from typing import Any

import gradio as gr
from markupsafe import Markup

from studio.i18n import Lang, t
from studio.ui.common import html
from studio.ui.common.address import asked_run, not_found
from studio.ui.common.cancellable import Cancelled
from studio.ui.common.frame import listen, listen_to_choice, page_header, page_link, query_values
from studio.ui.common.shortlist import fill_with_shortlist
from studio.ui.common.studio import Studio
from studio.ui.picture_search.found import WantedPicture
from studio.ui.picture_search.wiring import wire_search

from .blend import save_mix
from .cells import MOST_PROMPTS
from .choice import Choice, Window, asked_choice
from .downloads import sheet_files
from .fields import lay_out, rows_of, sliders_of
from .grid import Grid, draw
from .matrix_html import arrivals, progress_words
from .models import MOST, asked_models, first_choice
from .more import begin_with
from .overlay import flicker, overlay
from .progress import DrawingProgress
from .view import compared, shown, wanted_picture

POLL = 1.0  # seconds between two looks for pictures that came
_SCORES = """(on) => { document.getElementById("sheet").dataset.scores = on ? "on" : "off"; }"""


def choice_of(values: Mapping[str, Any]) -> Choice:
    """Read what was chosen from the values of the page's fields by name; numbers come as Gradio has them."""
    named: dict[str, Any] = {field.name: values[field.name] for field in fields_of(Choice)}
    numbers = {key: int(value) for key, value in named.items() if isinstance(value, float)}
    return Choice(**(named | numbers))


def opened(
    studio: Studio, lang: Lang, run: str | None, choice: Choice, window: Window, asked_for: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Every part of the page as it opens with a run: the choices that there are, and what is shown of those asked for.

    Args:
        studio: whose runs they are.
        lang: of the page.
        run: which one; `None` while there is none.
        choice: what was asked for.
        window: which noises stand beside each other.
        asked_for: models that the address names; the best and the best source where it names none.

    Raises:
        M2N2Error: one that is asked for is not there.
    """
    if run is None:
        return shown(studio, lang, None, choice, window, None)
    found, models = first_choice(studio, lang, run, asked_for)
    with studio.run(run) as store:
        prompts = store.prompts.niches.prompts
    there = {prompt.id for prompt in prompts}
    known = tuple(id for id in choice.known if id in there)[:MOST_PROMPTS]
    if not (known or choice.ja or choice.en):
        known = (prompts[0].id,)
    ids = [id for _, id in found]
    pair = [*(one for one in first_choice(studio, lang, run)[1] if one in ids), None, None]
    first = choice.first if choice.first in ids else pair[0]
    second = (
        choice.second if choice.second in ids else next((id for id in (*pair, *ids) if id not in (first, None)), None)
    )
    choice = replace(choice, models=models, known=known, first=first, second=second)
    return {
        "models": gr.Dropdown(choices=found, value=models),
        "known": gr.Dropdown(choices=[(html.both_captions(one), one.id) for one in prompts], value=list(known)),
        "first": gr.Dropdown(choices=found, value=first),
        "second": gr.Dropdown(choices=found, value=second),
        **{name: getattr(choice, name) for name in ("view", "ja", "en", "noises", "quality", "tried", "moved")},
        **{
            name: gr.update(**{**update, "value": getattr(choice, name)})
            for name, update in sliders_of(lang, choice.moved).items()
        },
        "beside": window.beside,
        **rows_of(choice.view),
        **shown(studio, lang, run, choice, window, compared(studio, lang, run, choice)),
    }


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "compare")
    parts = lay_out(lang)
    progress = DrawingProgress()
    opens = gr.State(None)  # the run that the page shows
    everything, viewed = {"lost": lost, **parts.all}, parts.shown
    trying = {"tried": parts.choice["tried"], "attempt": parts.attempt, **viewed}

    def filled(values: Mapping[str, Any], outputs: Mapping[str, Any]) -> list[Any]:
        """The values of outputs in their order; those that are not there stay."""
        return [values.get(name, gr.skip()) for name in outputs]

    def looked(grid: Grid | None, **values: Any) -> dict[str, Any]:
        """What the form asks for, as far as it differs from the grid that is shown."""
        run, choice = values["run"], choice_of(values)
        window = Window(values["window"].start, int(values["beside"]))
        now = compared(studio, lang, run, choice) if run else None
        # Opening the page fills its boxes, which reads as a change: by then somebody may look at another noise.
        if now is not None and grid is not None and now.is_like(grid) and window == values["window"]:
            return {}
        return shown(studio, lang, run, choice, window, now)

    def on_form(grid: Grid | None = None, **values: Any) -> list[Any]:
        return filled(looked(grid, **values), viewed)

    def on_view(**values: Any) -> list[Any]:
        return filled({**rows_of(values["view"]), **looked(None, **values)}, {**parts.rows, **viewed})

    def on_load(request: gr.Request) -> list[Any]:
        asked = asked_run(studio, lang, request)
        choice, window = asked_choice(request.query_params)
        ids, prompts = query_values(request, "id"), query_values(request, "prompt")
        pair = [one for one in (choice.first, choice.second) if one]
        models: list[str] = []
        lacking: list[str] = []
        if asked.run and not asked.missing:
            models, lacking = asked_models(studio, lang, asked.run, ids, prompts)
            lacking += asked_models(studio, lang, asked.run, pair, [])[1]
        values = opened(studio, lang, asked.run, replace(choice, known=prompts), window, tuple(models))
        run = gr.Dropdown(choices=studio.run_choices(), value=asked.run)
        notice = not_found([*asked.missing, *lacking])
        return [asked.run, *filled({**values, "run": run, "lost": notice, "address": ""}, everything)]

    def on_run(run: str | None, view: Any) -> list[Any]:
        return filled(opened(studio, lang, run, Choice(view=view), Window()), everything)

    def on_step(by: int, **values: Any) -> list[Any]:
        choice = choice_of(values)
        window = Window(values["window"].start, int(values["beside"])).stepped(by, choice.noises)
        return on_form(**{**values, "window": window})

    def on_overlay(laid: tuple[str, ...], grid: Grid | None, left: str | None, right: str | None) -> list[Any]:
        if laid == (left, right):  # a list of pictures lost the focus: the handle stays where it was drawn to
            return [gr.skip()] * len(laid_over)
        if grid is None:
            return [(), None, ""]
        return [(left, right), overlay(studio, grid, left, right), flicker(lang, grid, left, right)]

    def on_pick(grid: Grid | None, right: str | None, event: gr.EventData) -> list[Any]:
        return [right, event.place, *on_overlay((), grid, right, event.place)]

    def on_how(how: str) -> list[Any]:
        return [gr.ImageSlider(visible=how == "handle"), gr.HTML(visible=how == "turns")]

    def on_try(attempt: str, **values: Any) -> list[Any]:
        tried = choice_of(values).with_tried(attempt)
        return filled({"tried": tried, "attempt": "", **looked(None, **{**values, "tried": tried})}, trying)

    def wanted(run: str | None, attempt: str, **values: Any) -> WantedPicture:
        return wanted_picture(studio, lang, run, choice_of(values), attempt, values)

    def on_begin(request: gr.Request) -> list[Any]:
        progress.begin(request)
        loading = Markup('<div class="drawing">{}</div>').format(t(lang, "loading"))
        return [gr.Button(interactive=False), gr.Button(visible=True, interactive=True), gr.Timer(active=True), loading]

    def on_draw(request: gr.Request, run: str | None, **values: Any) -> None:
        grid = compared(studio, lang, run, choice_of(values)) if run else None
        if grid is None:
            return
        try:
            progress.start(request, grid)
            draw(studio, grid, lambda place, cell: progress.arrive(request, place, cell))
        except Cancelled:
            gr.Info(t(lang, "drawing_cancelled"))
        finally:
            progress.end(request)  # also where the page was closed by then, so that nobody asks any more

    def on_tick(request: gr.Request) -> list[Any]:
        news = progress.news(request)
        if news is None:
            return [gr.skip(), gr.skip()]
        return [arrivals(lang, news) if news.arrived else gr.skip(), progress_words(lang, news)]

    def on_cancel(request: gr.Request) -> Any:
        progress.stop(request)
        return gr.Button(interactive=False)

    def on_end(request: gr.Request) -> list[Any]:
        progress.end(request)  # where nothing was to be drawn
        return [gr.Button(visible=False), gr.Timer(active=False), ""]

    def on_sheet(run: str, grid: Grid) -> list[Any]:
        files = sheet_files(studio, lang, run, grid)
        if not files.has_japanese:
            gr.Warning(t(lang, "no_japanese_font"), duration=15)
        return [gr.DownloadButton(value=str(file), visible=True) for file in (files.png, files.html)]

    def on_save(run: str, **values: Any) -> Any:
        return gr.DownloadButton(value=str(save_mix(studio, lang, run, choice_of(values))), visible=True)

    def on_more(run: str, models: list[str]) -> Any:
        name = begin_with(studio, lang, run, models)
        link = Markup('<a href="{}">{}</a>').format(page_link(lang, "evolve", run=name), t(lang, "more_watch"))
        return gr.HTML(Markup('<p role="status">{} {}</p>').format(t(lang, "more_begun", run=name), link), visible=True)

    choice, buttons = parts.choice, parts.buttons
    hidden: dict[str, Any] = {"show_progress": "hidden"}
    looks: dict[str, Any] = {"role": "viewer", "outputs": list(viewed.values()), **hidden}
    listen(demo.load, lang, on_load, None, [opens, *everything.values()], role="viewer", **hidden)
    listen_to_choice(
        parts.run, opens, lang, on_run, list(everything.values()), given=[choice["view"]], role="viewer", **hidden
    )
    # Gradio tells of input neither what is pasted or comes from an input method, nor a choice that is on no list.
    typed = (choice["models"].key_up, choice["models"].blur, choice["ja"].change, choice["en"].change)
    chosen = (choice[name].input for name in ("models", "known", "quality", "first", "second", "moved"))
    moved = (slider.release for slider in (choice["noises"], parts.beside, choice["attention"], choice["rest"]))
    grid_and_asked = {"grid": viewed["grid"], **parts.asked}
    starred = fill_with_shortlist(studio, lang, buttons["shortlist"], parts.run, choice["models"], MOST)
    for change in (*typed, *chosen, *moved, starred.success):
        listen(change, lang, on_form, None, inputs_kwargs=grid_and_asked, trigger_mode="always_last", **looks)
    listen(
        choice["view"].input,
        lang,
        on_view,
        None,
        [*parts.rows.values(), *viewed.values()],
        inputs_kwargs=parts.asked,
        role="viewer",
        **hidden,
    )
    sliders = [choice["attention"], choice["rest"]]
    listen(choice["moved"].input, lang, lambda moved: list(sliders_of(lang, moved).values()), choice["moved"], sliders,
           role="viewer", **hidden)  # fmt: skip
    for button, by in ((viewed["back"], -1), (viewed["following"], 1)):
        listen(
            button.click, lang, lambda by=by, **values: on_step(by, **values), None, inputs_kwargs=parts.asked, **looks
        )
    turned = [viewed["slider"], viewed["flicker"]]
    laid_over = [viewed["laid"], *turned]
    two = [viewed["left"], viewed["right"]]
    for picked in two:
        listen(
            picked.input, lang, on_overlay, [viewed["laid"], viewed["grid"], *two], laid_over, role="viewer", **hidden
        )
    listen(viewed["table"].select, lang, on_pick, [viewed["grid"], viewed["right"]], [*two, *laid_over], role="viewer",
           **hidden)  # fmt: skip
    listen(buttons["how"].input, lang, on_how, buttons["how"], turned, role="viewer", **hidden)
    buttons["scores"].input(None, buttons["scores"], None, js=_SCORES)
    watch = gr.Timer(POLL, active=False)
    listen(watch.tick, lang, on_tick, None, [buttons["arrived"], viewed["drawing"]], role="viewer", **hidden)
    attempts = [
        listen(trigger, lang, on_try, None, list(trying.values()),
               inputs_kwargs={"attempt": parts.attempt, **parts.asked}, role="editor", **hidden)
        for trigger in (parts.attempt.submit, buttons["try"].click)
    ]  # fmt: skip
    for trigger in (viewed["draw"].click, *(attempt.success for attempt in attempts)):
        begun = listen(trigger, lang, on_begin, None, [viewed["draw"], buttons["cancel"], watch, viewed["drawing"]],
                       role="editor", **hidden)  # fmt: skip
        ended = listen(begun.then, lang, on_draw, None, None, inputs_kwargs=parts.asked, concurrency_limit=1,
                       concurrency_id="pictures", role="editor", does="draw pictures", **hidden)  # fmt: skip
        seen = listen(ended.then, lang, on_form, None, inputs_kwargs=parts.asked, **looks)
        listen(seen.failure, lang, lambda: gr.Button(interactive=True), None, viewed["draw"], role="editor", **hidden)
        listen(seen.then, lang, on_end, None, [buttons["cancel"], watch, buttons["arrived"]], role="editor", **hidden)
    listen(buttons["cancel"].click, lang, on_cancel, None, buttons["cancel"], role="editor", **hidden)
    sheets = [viewed["sheet_png"], viewed["sheet_html"]]
    listen(buttons["more"].click, lang, on_more, [parts.run, choice["models"]], buttons["begun"], role="editor",
           does="start a run", **hidden)  # fmt: skip
    listen(viewed["make_sheet"].click, lang, on_sheet, [parts.run, viewed["grid"]], sheets,
           show_progress_on=viewed["make_sheet"], role="editor")  # fmt: skip
    wire_search(parts.search, studio, lang, wanted, {"attempt": parts.attempt, **parts.asked})
    listen(
        buttons["save"].click, lang, on_save, None, viewed["saved"], inputs_kwargs=parts.asked, role="editor", **hidden
    )
