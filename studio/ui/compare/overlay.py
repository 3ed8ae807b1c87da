"""Two pictures of a comparison on one place: under a handle, or in turn."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from PIL import Image

from eval.prompts.prompt_set import LANGUAGES
from studio.i18n import Lang, t
from studio.ui.common.studio import Studio

from .cells import Place
from .grid import Grid, picture

LAID_OVER = 416  # pixels of a picture in the slider, at the least: small ones are enlarged


def picture_names(lang: Lang, grid: Grid, noises: Sequence[int]) -> list[tuple[str, str]]:
    """The pictures that can be laid over each other, as (name, value): those of the noises that are shown."""
    return [
        (picture_name(lang, grid, place, with_noise=len(noises) > 1), value_of(place))
        for place in grid.cells
        if place.noise in noises
    ]


def picture_name(lang: Lang, grid: Grid, place: Place, *, with_noise: bool) -> str:
    """Name a picture by its model, language, prompt, and seed where there are several."""
    parts = [grid.rows[place.model].label, t(lang, f"{place.language}_short"), grid.cells[place].data["prompt"]]
    if with_noise:
        parts.append(t(lang, "noise_seed", seed=grid.asked.seed(place.prompt, place.noise)))
    return " · ".join(map(str, parts))


def first_two(names: Sequence[tuple[str, str]]) -> tuple[str | None, str | None]:
    """The pictures laid over each other at first: the first picture's place by the next model, else the first two."""
    values = [value for _, value in names]
    by_models = [value for value in values if value.split("/")[1:] == values[0].split("/")[1:]] if values else []
    two = [*(by_models if len(by_models) > 1 else values), None, None]
    return two[0], two[1]


def overlay(studio: Studio, grid: Grid, left: str | None, right: str | None) -> tuple[Image.Image, Image.Image] | None:
    """Two pictures of one size to lay over each other; `None` where one of them is not there."""
    cells = [grid.cells.get(place) for chosen in (left, right) if (place := place_of(chosen))]
    images = [picture(studio, cell) for cell in cells if cell is not None]
    if len(images) < 2:
        return None
    side = max(LAID_OVER, *(max(image.size) for image in images))
    one, other = (image.resize((side, side), Image.Resampling.LANCZOS) for image in images)
    return one, other


def flicker(lang: Lang, grid: Grid, left: str | None, right: str | None) -> Markup:
    """Two pictures that take turns on one place; a click holds the one that is seen, another lets them go on."""
    places = [place for chosen in (left, right) if (place := place_of(chosen)) and place in grid.cells]
    if len(places) < 2:
        return Markup("")
    figures = Markup("").join(
        Markup('<span class="turn"><img src="{}" alt=""><span class="of">{}</span></span>').format(
            grid.cells[place].address, picture_name(lang, grid, place, with_noise=True)
        )
        for place in places
    )
    return Markup('<button type="button" class="flicker" title="{0}" aria-label="{0}">{1}</button>').format(
        t(lang, "flicker_info"), figures
    )


def value_of(place: Place) -> str:
    """Write a place as a list of choices holds it."""
    return f"{place.model}/{place.prompt}/{place.noise}/{place.language}"


def place_of(chosen: str | None) -> Place | None:
    """Read a place as `value_of` writes it; `None` of anything else."""
    parts = chosen.split("/") if chosen else []
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() for part in parts[:3]):
        return None
    model, prompt, noise = map(int, parts[:3])
    return next((Place(model, prompt, noise, language) for language in LANGUAGES if language == parts[3]), None)
