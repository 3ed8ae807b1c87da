"""The Weak spots page: what nobody in a run's archive draws well, who owns the rest, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr
import pandas as pd
from markupsafe import Markup

from eval.prompts.prompt_set import Language
from eval.scorers import names
from studio.analysis.weak_spots import (
    CategoryBest,
    PromptBest,
    Suggestion,
    best_by_category,
    best_by_prompt,
    suggestions,
)
from studio.errors import RunError
from studio.formatting import format_score
from studio.i18n import Lang, category_label, t
from studio.library import prompt_library
from studio.library.source_strengths import LANGUAGES
from studio.markdown import markdown_text
from studio.runs.store import RunStore
from studio.ui.common import html
from studio.ui.common.address import asked_run
from studio.ui.common.frame import keep_in_address, listen, listen_to_choice, page_header, page_link
from studio.ui.common.studio import Studio

PICTURED = 24  # weak prompts whose pictures are shown
GONE = "†"  # after the name of a source that is not alive


class Survey(NamedTuple):
    """A run's weak spots as the page shows them."""

    headline: str
    advice: Markup
    plot: pd.DataFrame
    by_category: list[list[str]]
    by_prompt: list[list[str]]
    pictures: Markup


def survey(studio: Studio, lang: Lang, name: str, language: Language) -> Survey:
    """Read a run for the page.

    Raises:
        RunError: there is no such run.
    """
    with studio.run(name) as store:
        everyone, prompts = store.individuals(), store.prompts.niches.prompts
        found = best_by_prompt(everyone, prompts, language)
        if not found:
            return Survey(t(lang, "nobody_yet"), Markup(""), _plot(lang, []), [], [], Markup(""))
        grouped = best_by_category(everyone, found, language)
        weak = sorted((spot for spot in found if spot.weak), key=lambda spot: spot.score)
        judge = names.label(store.config.scorer)
        return Survey(
            headline=_headline(lang, language, found, weak, judge),
            advice=advice(lang, name, suggestions(everyone, found, language)),
            plot=_plot(lang, grouped),
            by_category=[_category_row(lang, one) for one in grouped],
            by_prompt=[_prompt_row(lang, spot, language) for spot in sorted(found, key=lambda spot: spot.score)],
            pictures=attempts(lang, store, weak[:PICTURED], language),
        )


def _headline(
    lang: Lang, language: Language, found: Sequence[PromptBest], weak: Sequence[PromptBest], judge: str
) -> str:
    spoken, judge = t(lang, f"kind_{language}"), markdown_text(judge)
    if not weak:
        return t(lang, "weak_none", language=spoken, n=len(found), judge=judge)
    threshold = max(spot.score for spot in weak)
    return t(
        lang, "weak_some", language=spoken, n=len(weak), of=len(found), threshold=format_score(threshold), judge=judge
    )


def advice(lang: Lang, name: str, said: Sequence[Suggestion]) -> Markup:
    """What the numbers suggest, each with the way to a run that tries it."""
    if not said:
        return html.empty_message(t(lang, "advice_none"))
    items = []
    for one in said:
        values = dict(one.values)
        if "category" in values:
            values["category"] = category_label(lang, values["category"])
        more = {"noises": str(one.noises)} if one.noises else {}
        link = Markup('<a class="action" href="{}">{}</a>').format(
            page_link(lang, "new", fork=name, **more), t(lang, f"try_{one.kind}", noises=one.noises)
        )
        if one.kind == "undrawn":
            link += Markup(' <a class="action" href="{}">{}</a>').format(
                page_link(lang, "sources"), t(lang, "find_source")
            )
        items.append(Markup("<li>{}<br>{}</li>").format(t(lang, f"advice_{one.kind}", **values), link))
    return Markup('<h3 class="heading">{}</h3><ul class="advice">{}</ul>').format(
        t(lang, "advice"), Markup("").join(items)
    )


def _plot(lang: Lang, grouped: Sequence[CategoryBest]) -> pd.DataFrame:
    """The mean of the best scores by category, the weakest first."""
    rows = [(category_label(lang, one.name), one.best) for one in sorted(grouped, key=lambda one: one.best)]
    return pd.DataFrame(rows, columns=["category", "score"])


def _category_row(lang: Lang, one: CategoryBest) -> list[str]:
    bred = f"{one.offspring} ({format_score(one.offspring_score)})" if one.offspring else "–"
    ahead = f"{one.offspring_score - one.source_score:+z.3f}" if one.offspring_score is not None else "–"
    interval = " [{:+z.3f}, {:+z.3f}]".format(*one.interval) if one.interval else ""
    return [
        category_label(lang, one.name),
        f"{one.weak} / {one.prompts}",
        format_score(one.best),
        f"{one.source} ({format_score(one.source_score)})",
        f"+{one.margin:.3f}",
        bred,
        ahead + interval,
    ]


def _prompt_row(lang: Lang, spot: PromptBest, language: Language) -> list[str]:
    bred = f"{spot.offspring} ({format_score(spot.offspring_score)})" if spot.offspring else "–"
    return [
        t(lang, "weak_mark") if spot.weak else "",
        getattr(spot.prompt, language) or "–",
        category_label(lang, spot.prompt.category),
        format_score(spot.score),
        spot.best,
        f"{spot.source} ({format_score(spot.source_score)})",
        f"+{spot.margin:.3f}",
        bred,
    ]


def attempts(lang: Lang, store: RunStore, weak: Sequence[PromptBest], language: Language) -> Markup:
    """The best attempts at each weak prompt beside its reference picture."""
    if not weak:
        return html.empty_message(t(lang, "weak_no_pictures"))
    tiles = []
    for spot in weak:
        text = getattr(spot.prompt, language) or spot.prompt.id
        figures = [
            html.figure(
                html.reference_picture(store, spot.prompt.id), f"{t(lang, 'reference')}: {text}", t(lang, "reference")
            )
        ] * bool(spot.prompt.reference)
        shown = {spot.best: spot.score, spot.source: spot.source_score}
        if spot.offspring is not None and spot.offspring_score is not None:
            shown[spot.offspring] = spot.offspring_score
        figures += [
            html.figure(
                html.run_picture(store, id, spot.prompt.id, language),
                f"{id}: {text}",
                Markup("{}{} <b>{}</b>").format(
                    id, GONE if id == spot.source and not spot.source_alive else "", format_score(value)
                ),
            )
            for id, value in sorted(shown.items(), key=lambda item: -item[1])
        ]
        tiles.append(
            Markup(
                '<article class="tile"><h4>{} <span class="number">{}</span></h4><div class="strip three">{}</div>'
                "</article>"
            ).format(html.both_captions(spot.prompt), format_score(spot.score), Markup("").join(figures))
        )
    return Markup('<h3 class="heading">{}</h3><div class="tiles attempts">{}</div>').format(
        t(lang, "attempts"), Markup("").join(tiles)
    )


def save_weak(studio: Studio, name: str, language: Language) -> tuple[str, int]:
    """Save a run's weak prompts as a set of one's own, over the one of an earlier look; returns its file and size.

    Raises:
        M2N2Error: no such run, or nothing in it is weak.
    """
    with studio.run(name) as store:
        prompts = store.prompts.niches
        folder = store.folder
        weak = [spot.prompt for spot in best_by_prompt(store.individuals(), prompts.prompts, language) if spot.weak]
    if not weak:
        raise RunError(
            "Run {name} has no weak prompts. Expected some to save; look at another run or language.", name=name
        )
    path = prompt_library.prompt_set_path(studio.prompts, f"weak-{name}-{language}")
    some = prompts.model_copy(update={"name": path.stem, "prompts": tuple(weak)}).with_absolute_references(folder)
    return str(prompt_library.save_prompt_set(path, some, overwrite=True)), len(weak)


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost, current = page_header(lang, "weak"), gr.State(None)
    with gr.Row(elem_classes="bar"):
        chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
        spoken = gr.Radio(
            [(t(lang, f"kind_{language}"), language) for language in LANGUAGES],
            value="ja",
            label=t(lang, "language"),
            scale=2,
            elem_id="spoken",
        )
        keep = gr.Button(t(lang, "save_weak"), scale=1, elem_id="save-weak", interactive=False)
    headline = gr.Markdown(elem_id="headline", min_height=24, elem_classes="inset")
    saved = gr.HTML(visible=False, elem_id="saved")
    with gr.Row(equal_height=False):
        with gr.Column(scale=3, min_width=420):
            advised = gr.HTML(elem_id="advice", min_height=120, container=True)
        with gr.Column(scale=2, min_width=340):
            plot = gr.BarPlot(
                x="category",
                y="score",
                x_title=t(lang, "category"),
                y_title=t(lang, "best_alive"),
                title=t(lang, "weak_plot"),
                show_label=False,
                height=300,
                sort="y",
                buttons=["fullscreen"],
                elem_id="plot",
            )
    grouped = gr.Dataframe(
        headers=[
            t(lang, f"weak_column_{key}") for key in ("category", "weak", "best", "source", "margin", "bred", "ahead")
        ],
        label=t(lang, "weak_categories"),
        interactive=False,
        wrap=True,
        elem_id="grouped",
        elem_classes="inset",
    )
    pictures = gr.HTML(min_height=120, elem_id="attempts")
    with gr.Accordion(t(lang, "weak_prompts"), open=False, elem_id="all-prompts"):
        table = gr.Dataframe(
            headers=[
                t(lang, f"weak_column_{key}")
                for key in ("mark", "caption", "category", "score", "who", "source", "margin", "bred")
            ],
            interactive=False,
            wrap=True,
            max_height=420,
            show_search="filter",
        )

    shown = [headline, advised, plot, grouped, table, pictures]

    def filled(name: str | None, language: Language) -> list[Any]:
        if name is None:
            return [t(lang, "no_runs"), "", None, None, None, "", gr.Button(interactive=False), gr.HTML(visible=False)]
        found = survey(studio, lang, name, language)
        top = 1.15 * float(found.plot["score"].max()) if len(found.plot) else 1.0
        return [
            found.headline,
            found.advice,
            gr.BarPlot(found.plot, y_lim=[0, top]),
            found.by_category,
            found.by_prompt,
            found.pictures,
            gr.Button(interactive=bool(found.by_prompt)),
            gr.HTML(visible=False),
        ]

    def on_load(request: gr.Request) -> list[Any]:
        asked = asked_run(studio, lang, request)
        runs = gr.Dropdown(choices=studio.run_choices(), value=asked.run)
        return [asked.notice, asked.run, runs, *filled(asked.run, "ja")]

    def on_save(name: str, language: Language) -> Any:
        path, n = save_weak(studio, name, language)
        link = Markup('<a class="action primary" href="{}">{}</a>').format(
            page_link(lang, "new", fork=name, prompts=path), t(lang, "try_weak")
        )
        return gr.HTML(Markup("<p>{} {}</p>").format(t(lang, "weak_saved", n=n, path=path), link), visible=True)

    quiet = {"show_progress": "hidden"}
    listen(demo.load, lang, on_load, None, [lost, current, chosen, *shown, keep, saved], role="viewer", **quiet)
    keep_in_address(chosen)
    filling = [*shown, keep, saved]
    listen_to_choice(chosen, current, lang, filled, filling, given=[spoken], role="viewer", **quiet)
    listen(spoken.input, lang, filled, [chosen, spoken], filling, role="viewer", **quiet)
    listen(keep.click, lang, on_save, [chosen, spoken], saved, role="editor", does="save a prompt set", **quiet)
