"""A comparison as the page shows it: one noise at a time, a row per model, Japanese beside English."""

from __future__ import annotations

from markupsafe import Markup
from PIL import Image

from eval.prompts.prompt_set import LANGUAGES
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.ui.common import html
from studio.ui.common.studio import Studio

from .cells import Cell, Place
from .grid import Grid, picture

LAID_OVER = 416  # pixels of a picture in the slider, at the least: small ones are enlarged


def table(lang: Lang, grid: Grid, noise: int) -> Markup:
    """All models and captions with one noise each; empty frames where a picture is still to be drawn."""
    tops = Markup("").join(
        Markup(
            '<th scope="col"><span lang="ja">{}</span><br><span lang="en">{}</span><br><small>{}</small></th>'
        ).format(
            prompt.ja or "–",
            prompt.en or "–",
            t(lang, "noise_seed", seed=grid.asked.seed(number, noise)),
        )
        for number, prompt in enumerate(grid.asked.prompts)
    )
    lines = []
    for model, row in enumerate(grid.rows):
        columns = Markup("").join(
            _pair(lang, grid, Place(model, number, noise, "ja")) for number in range(len(grid.asked.prompts))
        )
        kind = t(lang, "source") if row.individual is not None and row.individual.is_source else ""
        lines.append(Markup('<tr><th scope="row">{}<br><small>{}</small></th>{}</tr>').format(row.label, kind, columns))
    return Markup(
        '<div class="sheet" tabindex="0" role="region" aria-label="{}"><table><thead><tr><td></td>{}</tr></thead>'
        '<tbody>{}</tbody></table></div><p class="quiet">{}</p>'
    ).format(t(lang, "page_compare"), tops, Markup("").join(lines), told(lang, grid))


def told(lang: Lang, grid: Grid) -> str:
    """Where the pictures come from and how they are made, in words."""
    origins = {cell.file is not None for cell in grid.cells.values()}
    said = [drawn_with(lang, grid)]
    if True in origins:
        said.append(t(lang, "from_the_run"))
    if False in origins:
        said.append(t(lang, "drawn_here"))
    return " ".join(said)


def drawn_with(lang: Lang, grid: Grid) -> str:
    """How the pictures are drawn, in words."""
    settings = grid.asked.settings
    return t(lang, "drawn_with", steps=settings.steps, guidance=f"{settings.guidance:g}")


def noise_label(lang: Lang, grid: Grid, noise: int) -> str:
    """Which of the noises is shown."""
    return t(lang, "noise_of", n=noise + 1, of=grid.asked.noises)


def picture_names(lang: Lang, grid: Grid, noise: int) -> list[tuple[str, str]]:
    """The pictures that can be laid over each other, as (name, value): those of the noise that is shown."""
    return [
        (
            f"{grid.rows[place.model].label} · {t(lang, f'{place.language}_short')} · {cell.data['prompt']}",
            f"{place.model}/{place.prompt}/{place.language}",
        )
        for place, cell in grid.cells.items()
        if place.noise == noise
    ]


def first_two(names: list[tuple[str, str]]) -> tuple[str | None, str | None]:
    """The pictures laid over each other at first: the first caption by the first two models, else the first two."""
    values = [value for _, value in names]
    by_models = [value for value in values if value.split("/")[1:] == values[0].split("/")[1:]] if values else []
    two = [*(by_models if len(by_models) > 1 else values), None, None]
    return two[0], two[1]


def overlay(
    studio: Studio, grid: Grid, noise: int, left: str | None, right: str | None
) -> tuple[Image.Image, Image.Image] | None:
    """Two pictures of one size to lay over each other; `None` where one of them is not there."""
    cells = [grid.cells.get(place) for chosen in (left, right) if (place := _place(chosen, noise))]
    images = [picture(studio, cell) for cell in cells if cell is not None]
    if len(images) < 2:
        return None
    side = max(LAID_OVER, *(max(image.size) for image in images))
    one, other = (image.resize((side, side), Image.Resampling.LANCZOS) for image in images)
    return one, other


def _place(chosen: str | None, noise: int) -> Place | None:
    """A place as `picture_names` writes it."""
    if not chosen:
        return None
    model, prompt, language = chosen.split("/")
    return next(
        (Place(int(model), int(prompt), noise, known) for known in LANGUAGES if known == language),
        None,
    )


def _pair(lang: Lang, grid: Grid, ja: Place) -> Markup:
    pictures = Markup("").join(
        _figure(lang, grid, place)
        for language in LANGUAGES
        if grid.asked.request(place := ja._replace(language=language))
    )
    alike = grid.alike.get(ja)
    note = t(lang, "pair_consistency", value=format_score(alike)) if alike is not None else ""
    return Markup('<td><div class="strip two">{}</div><p class="quiet">{}</p></td>').format(pictures, note)


def _figure(lang: Lang, grid: Grid, place: Place) -> Markup:
    request = grid.asked.request(place)
    assert request is not None
    cell = grid.cells.get(place)
    alt = f"{grid.rows[place.model].label}: {request.prompt}"
    caption = Markup('<span lang="{0}">{1}</span> <b>{2}</b>{3}').format(
        place.language,
        t(lang, f"{place.language}_short"),
        format_score(cell.score if cell else None),
        _changes(lang, cell) if cell else "",
    )
    return html.figure(cell.address if cell else None, alt, caption, css="" if cell is None or cell.file else "drawn")


def _changes(lang: Lang, cell: Cell) -> Markup:
    """How the score differs from that of the first row, of the parents and of the best source."""
    return Markup("").join(
        Markup('<span class="against">{} {}</span>').format(
            label, html.score_change(cell.score, other, t(lang, "against", name=label))
        )
        for label, other in cell.others
    )
