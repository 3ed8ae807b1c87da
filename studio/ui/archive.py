"""The Archive page: a wall of individuals to sort and filter; click one for its pictures, recipe and ancestors."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import gradio as gr
from markupsafe import Markup
from PIL import Image

from eval.prompts import PromptSet
from studio.i18n import Lang, t
from studio.i18n import category as category_name
from studio.store import Individual, RunStore
from studio.summary import lineage

from . import maps, views
from .evolve import current
from .shared import Studio, asked, best_source, head, listen, page_link, score

Sort = Literal["ja", "en", "consistency", "newest"]
SORTS: tuple[Sort, ...] = ("ja", "en", "consistency", "newest")
TILE = 128  # pixels of a picture on the wall
WALL = 60  # individuals on the wall
ANCESTORS = 24


def arranged(
    everyone: Sequence[Individual], prompts: PromptSet, *, sort: Sort, category: str | None, alive: bool
) -> list[Individual]:
    """The individuals on the wall, best first.

    Args:
        everyone: all of the run.
        prompts: its niches.
        sort: by a score, or by age.
        category: scores count only over this category's prompts; `None` counts all.
        alive: leave out the dead.
    """
    rows = [row for row, name in enumerate(prompts.categories) if category in (None, name)]
    wanted = [one for one in everyone if "ja" in one.scores and (one.alive or not alive)]
    if sort == "newest":
        return wanted[::-1][:WALL]
    measured = [one for one in wanted if sort in one.scores]
    return sorted(measured, key=lambda one: -float(one.scores[sort][rows].mean()))[:WALL]


def wall(
    lang: Lang, store: RunStore, individuals: Sequence[Individual], category: str | None
) -> list[tuple[Image.Image, str]]:
    """A tile per individual, four pictures that show it at its best and its worst, with its scores."""
    prompts = store.config.niches()
    rows = [row for row, name in enumerate(prompts.categories) if category in (None, name)]
    tiles = []
    for one in individuals:
        means = " · ".join(
            f"{t(lang, f'{kind}_short')} {score(float(one.scores[kind][rows].mean()))}"
            for kind in ("ja", "en")
            if kind in one.scores
        )
        tiles.append((tile(tuple(shown_pictures(store, one, prompts, rows))), f"{one.id} · {means}"))
    return tiles


def shown_pictures(store: RunStore, one: Individual, prompts: PromptSet, rows: Sequence[int]) -> list[Path]:
    """The files of up to four Japanese pictures among these prompts, from its best to its worst."""
    kept = [row for row in rows if store.image(one.id, prompts.prompts[row].id, "ja", 0).is_file()]
    known = one.scores.get("ja", one.scores.get("partial"))  # who was turned away early has pictures of some prompts
    order = kept if known is None else sorted(kept, key=lambda row: -float(known[row].mean()))
    half = views.STRIP // 2
    chosen = order if len(order) <= views.STRIP else [*order[:half], *order[-half:]]
    return [store.image(one.id, prompts.prompts[row].id, "ja", 0) for row in chosen]


@functools.lru_cache(maxsize=512)
def tile(files: tuple[Path, ...]) -> Image.Image:
    """Up to four pictures as one, two by two; missing ones stay grey. Kept, for pictures of a run never change."""
    canvas = Image.new("RGB", (2 * TILE, 2 * TILE), (128, 128, 128))
    for place, file in enumerate(files[:4]):
        with Image.open(file) as picture:
            small = picture.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS)
        canvas.paste(small, (place % 2 * TILE, place // 2 * TILE))
    return canvas


class Detail(NamedTuple):
    """One individual as the page shows it."""

    title: Markup
    depth: Markup
    pairs: Markup
    recipe: str
    command: str
    ancestors: list[str]
    family: list[tuple[Image.Image, str]]


def detail(studio: Studio, lang: Lang, name: str, id: str) -> Detail:
    """Read an individual for the page.

    Raises:
        RunError: there is no such run or individual.
    """
    with studio.run(name) as store:
        one = store.individual(id)
        everyone = store.individuals()
        known = {other.id: other for other in everyone}
        others = [
            views.Against(t(lang, key, id=parent), known[parent])
            for key, parent in (("mother", one.mother), ("father", one.father))
            if parent is not None
        ]
        best = best_source(everyone)
        if best is not None and best.id not in {one.id, *(other.individual.id for other in others)}:
            others.append(views.Against(t(lang, "best_source", id=best.id), best))
        ancestors = lineage(store, id)[1 : ANCESTORS + 1]
        prompts = store.config.niches()
        rows = range(len(prompts))
        return Detail(
            title=_title(lang, name, one, best),
            depth=maps.depth_strip(lang, one),
            pairs=views.prompt_pairs(lang, store, one, others),
            recipe=one.recipe.to_json(),
            command=f"m2n2 export {studio.runs / name} {id} --out {studio.exports / f'{name}-{id}'}",
            ancestors=[other.id for other in ancestors],
            family=[(tile(tuple(shown_pictures(store, other, prompts, rows))), other.id) for other in ancestors],
        )


def _title(lang: Lang, name: str, one: Individual, best: Individual | None) -> Markup:
    numbers = Markup(" · ").join(
        Markup("{} <b>{}</b> {}").format(
            t(lang, f"kind_{kind}"),
            score(one.mean(kind)),
            views.change(one.mean(kind), best.mean(kind), t(lang, "against_best_source", name=best.id))
            if best is not None and best.id != one.id
            else "",
        )
        for kind in ("ja", "en", "consistency")
    )
    origin = t(lang, "is_source") if one.is_source else t(lang, "child_of", mother=one.mother, father=one.father)
    links = Markup(" ").join(
        Markup('<a class="action" href="{}">{}</a>').format(
            page_link(lang, page, run=name, id=one.id), t(lang, f"to_{page}")
        )
        for page in ("compare", "export")
    )
    return Markup('<div class="title"><h2>{}</h2><p>{}</p><p class="quiet">{}</p><p>{}</p></div>').format(
        one.id, numbers, origin, links
    )


def categories(studio: Studio, name: str) -> list[str]:
    """The categories of a run's prompts."""
    with studio.run(name) as store:
        return list(dict.fromkeys(store.config.niches().categories))


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    head(lang, "archive")
    shown_ids, chosen_id, ancestor_ids = gr.State([]), gr.State(None), gr.State([])
    with gr.Row(elem_classes="bar"):
        chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
        sort = gr.Dropdown([(t(lang, f"sort_{key}"), key) for key in SORTS], value="ja", label=t(lang, "sort"))
        category = gr.Dropdown([], label=t(lang, "category"))
        alive = gr.Radio([(t(lang, "alive"), True), (t(lang, "all"), False)], value=True, label=t(lang, "show"))
    empty = gr.HTML(visible=False)
    with gr.Row(equal_height=False) as found_row:
        with gr.Column(scale=5, min_width=360):
            gr.Markdown(t(lang, "archive"), elem_classes="quiet")
            gallery = gr.Gallery(
                show_label=False,
                columns=3,
                height=520,
                object_fit="contain",
                allow_preview=False,
                interactive=False,
                buttons=[],
                elem_id="wall",
            )
        with gr.Column(scale=6, min_width=420, elem_id="detail"):
            title = gr.HTML(views.message(t(lang, "click_one")), elem_id="title", min_height=90)
            depth = gr.HTML(min_height=40)
            pairs = gr.HTML()
            with gr.Accordion(t(lang, "lineage"), open=False):
                family = gr.Gallery(
                    show_label=False,
                    columns=6,
                    height=180,
                    allow_preview=False,
                    interactive=False,
                    buttons=[],
                    elem_id="family",
                )
            with gr.Accordion(t(lang, "recipe"), open=False):
                command = gr.Code(language="shell", label=t(lang, "command"), interactive=False, buttons=["copy"])
                recipe = gr.Code(
                    language="json",
                    label=t(lang, "recipe_json"),
                    interactive=False,
                    buttons=["copy", "download"],
                    max_lines=16,
                )
    details = [chosen_id, title, depth, pairs, recipe, command, ancestor_ids, family]

    def refill(name: str | None, by: Sort, of: str, living: bool) -> list[Any]:
        if name is None:
            return [[], [], gr.HTML(views.message(t(lang, "no_runs")), visible=True), gr.Row(visible=False)]
        with studio.run(name) as store:
            of_category = of if of in store.config.niches().categories else None
            found = arranged(store.individuals(), store.config.niches(), sort=by, category=of_category, alive=living)
            tiles = wall(lang, store, found, of_category)
        nobody = gr.HTML(views.message(t(lang, "nobody_yet")), visible=not found)
        return [tiles, [one.id for one in found], nobody, gr.Row(visible=bool(found))]

    def opened(name: str | None, id: str | None) -> list[Any]:
        if not name or not id:
            return [None, views.message(t(lang, "click_one")), "", "", "", "", [], []]
        return [id, *detail(studio, lang, name, id)]

    def of_run(name: str | None) -> Any:
        names = (
            [(t(lang, "all_categories"), ""), *((category_name(lang, c), c) for c in categories(studio, name))]
            if name
            else []
        )
        return gr.Dropdown(choices=names, value="" if name else None)

    def on_load(request: gr.Request) -> list[Any]:
        name = current(studio, asked(request, "run"))
        runs = gr.Dropdown(choices=studio.names(), value=name)
        return [runs, of_run(name), *refill(name, "ja", "", True), *opened(name, asked(request, "id"))]

    def on_run(name: str, by: Sort, living: bool) -> list[Any]:
        return [of_run(name), *refill(name, by, "", living), *opened(name, None)]

    def on_select(name: str, ids: list[str], event: gr.SelectData) -> list[Any]:
        return opened(name, ids[event.index])

    filled = [gallery, shown_ids, empty, found_row]
    hidden = {"show_progress": "hidden"}
    listen(demo.load, lang, on_load, None, [chosen, category, *filled, *details], **hidden)
    listen(chosen.input, lang, on_run, [chosen, sort, alive], [category, *filled, *details], **hidden)
    for control in (sort, category, alive):
        listen(control.input, lang, refill, [chosen, sort, category, alive], filled, **hidden)
    for gallery_of, ids in ((gallery, shown_ids), (family, ancestor_ids)):
        listen(gallery_of.select, lang, on_select, [chosen, ids], details, **hidden).then(
            None, [chosen, chosen_id], None, js="(run, id) => studioAddress(run, id)"
        )
