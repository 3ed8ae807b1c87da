"""The Compare page: two to four individuals draw the same prompt in both languages, from the same noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from markupsafe import Markup
from PIL import Image

from eval.metrics import consistency
from pipelines.generate import Request
from studio.errors import RunError
from studio.evaluate import noise_seed
from studio.i18n import Lang, t
from studio.models import open_recipe_sources

from . import views
from .evolve import current
from .shared import Studio, asked, choices, head, listen, score

MOST = 4  # models side by side
NOISES = 3


@dataclass(frozen=True)
class Cell:
    """One picture on the page."""

    image: Image.Image
    score: float


@dataclass(frozen=True)
class Row:
    """What one individual draws: per noise the picture of each caption, and how alike the two are."""

    id: str
    cells: list[dict[str, Cell]]
    consistency: list[float | None]


@dataclass(frozen=True)
class Asked:
    """What to draw: captions by language, and the seeds of the noise."""

    captions: dict[str, str]
    seeds: list[int]


def ask(studio: Studio, name: str, ja: str, en: str, noises: int) -> Asked:
    """What a prompt typed or chosen asks for; a prompt of the run's set gets the noise it was judged by.

    Raises:
        RunError: both captions are blank.
    """
    captions = {language: text.strip() for language, text in (("ja", ja), ("en", en)) if text.strip()}
    if not captions:
        raise RunError("Both captions are blank. Expected a prompt in Japanese, in English, or in both.")
    with studio.run(name) as store:
        known = {(prompt.ja, prompt.en): prompt.id for prompt in store.config.niches().prompts}
    seeded = known.get((captions.get("ja"), captions.get("en")), "/".join(captions.values()))
    return Asked(captions, [noise_seed(seeded, noise) for noise in range(noises)])


def draw(
    studio: Studio, name: str, ids: list[str], wanted: Asked, progress: Callable[[int, int], None] | None = None
) -> list[Row]:
    """Draw and score.

    Args:
        studio: whose pipeline and scorer are used.
        name: the run.
        ids: individuals or sources of it.
        wanted: what each of them draws.
        progress: told (pictures done, pictures in all).

    Raises:
        M2N2Error: too few or too many individuals; their sources are gone; a picture could not be made.
    """
    if not 1 <= len(ids) <= MOST:
        raise RunError(f"Expected one to {MOST} individuals to compare, found {len(ids)}. Choose them from the list.")
    requests = [Request(text, seed) for seed in wanted.seeds for text in wanted.captions.values()]
    total = len(ids) * len(requests)
    with studio.run(name) as store:
        config = store.config
        recipes = [store.individual(id).recipe for id in ids]
    scorer = studio.scorer(config.scorer)
    rows = []
    for k, (id, recipe) in enumerate(zip(ids, recipes, strict=True)):
        told = (lambda done, k=k: progress(k * len(requests) + done, total)) if progress else None
        images = studio.previewer.draw(
            recipe, open_recipe_sources(recipe), requests, config.pictures, told, scorer=scorer.weights_bytes
        )
        with scorer.on_device():
            scores = scorer.text_image(images, [request.prompt for request in requests])
            features = scorer.image_features(images)
        width = len(wanted.captions)
        cells, alike = [], []
        for start in range(0, len(images), width):
            places = range(start, start + width)
            cells.append(
                {
                    language: Cell(images[p], float(scores[p]))
                    for language, p in zip(wanted.captions, places, strict=True)
                }
            )
            alike.append(float(consistency(features[[start]], features[[start + 1]])[0]) if width == 2 else None)
        rows.append(Row(id, cells, alike))
    return rows


def sheet(studio: Studio, lang: Lang, wanted: Asked, rows: list[Row]) -> Markup:
    """The pictures as a table: a row per individual, a column per noise, Japanese beside English in each."""
    tops = Markup("").join(
        Markup('<th scope="col">{}</th>').format(t(lang, "noise_column", n=n + 1, seed=seed))
        for n, seed in enumerate(wanted.seeds)
    )
    lines = []
    for row in rows:
        columns = []
        for cells, alike in zip(row.cells, row.consistency, strict=True):
            pictures = Markup("").join(
                views.figure(
                    studio.drawn.keep(cell.image),
                    f"{row.id}: {wanted.captions[language]}",
                    Markup('<span lang="{}">{}</span> <b>{}</b>').format(
                        language, wanted.captions[language], score(cell.score)
                    ),
                )
                for language, cell in cells.items()
            )
            note = t(lang, "pair_consistency", value=score(alike)) if alike is not None else ""
            columns.append(
                Markup('<td><div class="strip two">{}</div><p class="quiet">{}</p></td>').format(pictures, note)
            )
        lines.append(Markup('<tr><th scope="row">{}</th>{}</tr>').format(row.id, Markup("").join(columns)))
    return Markup(
        '<div class="sheet" tabindex="0" role="region" aria-label="{}"><table><thead><tr><td></td>{}</tr></thead>'
        "<tbody>{}</tbody></table></div>"
    ).format(t(lang, "page_compare"), tops, Markup("").join(lines))


def first_choice(studio: Studio, lang: Lang, name: str, id: str | None) -> tuple[list[tuple[str, str]], list[str]]:
    """Whom the page can compare, and who is chosen at first: the one asked for or the best, and the best source."""
    with studio.run(name) as store:
        found = choices(lang, store)
        ids = [value for _, value in found]
        sources = [one.id for one in store.individuals() if one.is_source]
        if id and id not in ids:
            store.individual(id)  # refuses an unknown one; the dead can be looked at too
            found, ids = [(id, id), *found], [id, *ids]
    best = next((value for value in ids if value in sources), None)
    chosen = [id] if id else ids[:1]
    return found, list(dict.fromkeys([*chosen, *([best] if best else [])]))


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    head(lang, "compare")
    with gr.Row(elem_classes="bar"):
        chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
        models = gr.Dropdown(
            [],
            multiselect=True,
            max_choices=MOST,
            label=t(lang, "models"),
            info=t(lang, "models_info", most=MOST),
            scale=5,
        )
    with gr.Row(elem_classes="bar"):
        known = gr.Dropdown([], label=t(lang, "from_set"), scale=2)
        ja = gr.Textbox(label=t(lang, "caption_ja"), placeholder="金継ぎの茶碗", scale=3, max_lines=1)
        en = gr.Textbox(label=t(lang, "caption_en"), placeholder=t(lang, "twin_optional"), scale=3, max_lines=1)
        noises = gr.Slider(1, NOISES, 2, step=1, label=t(lang, "noises_drawn"), scale=2)
        go = gr.Button(t(lang, "draw"), variant="primary", scale=1, min_width=110, elem_id="draw")
    table = gr.HTML(views.message(t(lang, "compare_empty")), elem_id="sheet", min_height=380)

    def filled(name: str | None, id: str | None = None) -> list[Any]:
        if name is None:
            return [gr.skip(), gr.skip(), "", "", views.message(t(lang, "no_runs"))]
        found, first = first_choice(studio, lang, name, id)
        with studio.run(name) as store:
            prompts = store.config.niches().prompts
        names = [(views.caption(prompt), row) for row, prompt in enumerate(prompts)]
        return [
            gr.Dropdown(choices=found, value=first),
            gr.Dropdown(choices=names, value=0),
            prompts[0].ja or "",
            prompts[0].en or "",
            gr.skip(),
        ]

    def on_load(request: gr.Request) -> list[Any]:
        name = current(studio, asked(request, "run"))
        return [gr.Dropdown(choices=studio.names(), value=name), *filled(name, asked(request, "id"))]

    def on_known(name: str, row: int) -> tuple[str, str]:
        with studio.run(name) as store:
            prompt = store.config.niches().prompts[row]
        return prompt.ja or "", prompt.en or ""

    def on_draw(
        name: str | None,
        ids: list[str],
        japanese: str,
        english: str,
        count: int,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Markup:
        if name is None:
            raise RunError(t(lang, "no_runs"))
        wanted = ask(studio, name, japanese, english, int(count))
        progress(0.0, desc=t(lang, "loading"))
        rows = draw(
            studio,
            name,
            ids,
            wanted,
            lambda done, of: progress((done, of), desc=t(lang, "drawing"), unit=t(lang, "pictures")),
        )
        return sheet(studio, lang, wanted, rows)

    form = [models, known, ja, en, table]
    listen(demo.load, lang, on_load, None, [chosen, *form], show_progress="hidden")
    listen(chosen.input, lang, filled, chosen, form, show_progress="hidden")
    listen(known.input, lang, on_known, [chosen, known], [ja, en], show_progress="hidden")
    for trigger in (go.click, ja.submit, en.submit):
        listen(
            trigger,
            lang,
            on_draw,
            [chosen, models, ja, en, noises],
            table,
            concurrency_limit=1,
            concurrency_id="pictures",
        )
