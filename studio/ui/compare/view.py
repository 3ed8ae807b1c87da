"""What the page shows of a choice: who is compared, what there is of it, and the value of every part that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from markupsafe import Markup

from eval.prompts.prompt_set import written_language
from studio.errors import RunError
from studio.evaluation.picture_search import PictureWish
from studio.i18n import Lang, t
from studio.ui.common import html
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio
from studio.ui.picture_search.fields import MODELS
from studio.ui.picture_search.found import WantedPicture

from .blend import expected_words, stop_models
from .cells import ask, ask_typed
from .choice import Choice, Window, query_of
from .grid import Grid, look
from .matrix_html import count_words, matrix, noise_label
from .models import contenders, yardsticks
from .overlay import first_two, flicker, overlay, picture_names

#: What `shown` gives, by name; a page has a component for each.
SHOWN = ("grid", "window", "table", "draw", "drawing", "back", "noise", "following", "left", "right", "laid", "slider",
         "flicker", "make_sheet", "sheet_png", "sheet_html", "saved", "expected", "address")  # fmt: skip


def compared(studio: Studio, lang: Lang, run: str, choice: Choice) -> Grid | None:
    """What there is of a comparison, without drawing; `None` while too little is chosen.

    Raises:
        M2N2Error: too many models or captions; one that is not there; sources that a preset asks are gone.
    """
    how: dict[str, Any] = {"noises": choice.noises, "quality": choice.quality}
    with studio.run(run) as store:
        config = store.config
    if choice.view == "playground":
        return (
            look(studio, yardsticks(studio, lang, run), ask_typed(config, choice.tried, **how))
            if choice.tried
            else None
        )
    if not choice.has_caption:
        return None
    if choice.view == "blend":
        if not choice.first or not choice.second:
            return None
        models = stop_models(studio, lang, run, choice)
    else:
        if not choice.models:
            return None
        models = contenders(studio, lang, run, choice.models)
    return look(studio, models, ask(config, choice.known, choice.ja, choice.en, **how))


def wanted_picture(
    studio: Studio, lang: Lang, run: str | None, choice: Choice, attempt: str, search: Mapping[str, Any]
) -> WantedPicture:
    """What a search for a better image of the playground is to find; it begins with the playground's first seed.

    Args:
        studio: whose run it is.
        lang: of the page.
        run: the run; `None` while there is none.
        choice: what was asked for.
        attempt: the prompt that is typed; the one tried last where it is blank.
        search: values of the fields of a search, by name.

    Raises:
        M2N2Error: there is no run or no prompt; the model's sources are gone.
    """
    tried = choice.with_tried(attempt)[:1]
    if run is None or not tried:
        with at_field("try"):
            raise RunError("There is no prompt to search an image for. Type one, in Japanese or in English.")
    with studio.run(run) as store:
        asked = ask_typed(store.config, tried, noises=1, quality=choice.quality)
    rows = yardsticks(studio, lang, run)  # the best, if a child is alive; the best source; the average
    row = rows[max(0, len(rows) - len(MODELS) + MODELS.index(search["better_model"]))]
    how = search["better_how"]
    lines = (search["better_wordings"] or "").splitlines()  # a field that was never shown has no value
    wordings = [line.strip() for line in lines if line.strip()]
    wish = PictureWish(
        tried[0],
        int(search["better_budget"]),
        how,
        asked.settings,
        written_language(tried[0]),
        tuple(wordings) if how == "ab-mcts" else (),
        asked.seed(0, 0),
        asked.syntax,
    )
    return WantedPicture(row.label, row.recipe, row.sources(), wish, asked.scorer)


def shown(
    studio: Studio, lang: Lang, run: str | None, choice: Choice, window: Window, grid: Grid | None
) -> dict[str, Any]:
    """The value of every part that shows a comparison, by the names of `SHOWN`.

    Args:
        studio: whose pictures they are.
        lang: of the page.
        run: that is shown.
        choice: what was asked for.
        window: which noises stand beside each other.
        grid: what there is of it; `None` where too little is chosen.
    """
    address = Markup('<i data-query="{}"></i>').format(query_of(run, choice, window)) if run else ""
    hidden = {name: gr.DownloadButton(visible=False) for name in ("sheet_png", "sheet_html", "saved")}
    is_blend = choice.view == "blend" and choice.first and choice.second
    expected = expected_words(studio, lang, run, choice) if run is not None and is_blend else ""
    if grid is None:
        nothing, off = gr.Dropdown(choices=[], value=None), gr.Button(interactive=False)
        return {
            "grid": None,
            "window": Window(0, window.beside),
            "table": html.empty_message(t(lang, f"{choice.view}_empty")),
            "draw": gr.Button(t(lang, "draw"), interactive=False),
            "drawing": "",
            "back": off,
            "noise": "",
            "following": off,
            "left": nothing,
            "right": nothing,
            "laid": (),
            "slider": None,
            "flicker": "",
            "make_sheet": off,
            "expected": expected,
            "address": address,
            **hidden,
        }
    noises = window.shown(grid.asked.noises)
    names = picture_names(lang, grid, noises)
    two = first_two(names)
    steps = gr.Button(interactive=len(noises) < grid.asked.noises)
    lacking = len(grid.missing)
    words = t(lang, "draw_missing", n=lacking) if lacking else t(lang, "all_drawn")
    return {
        "grid": grid,
        "window": Window(noises.start, window.beside),
        "table": matrix(lang, grid, noises, models_across=choice.view != "matrix"),
        "draw": gr.Button(words, interactive=lacking > 0),
        "drawing": count_words(lang, grid),
        "back": steps,
        "noise": noise_label(lang, grid, noises),
        "following": steps,
        "left": gr.Dropdown(choices=names, value=two[0]),
        "right": gr.Dropdown(choices=names, value=two[1]),
        "laid": two,
        "slider": overlay(studio, grid, *two),
        "flicker": flicker(lang, grid, *two),
        "make_sheet": gr.Button(interactive=bool(grid.cells)),
        "expected": expected,
        "address": address,
        **hidden,
    }
