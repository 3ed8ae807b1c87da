"""What is compared: models by captions by noises, in both languages; pictures that a run kept are there at once.

A picture is known by its generation data: individual, recipe, caption, seed, settings. Those that a run kept are shown
where all of that is equal; those drawn here are remembered, so that another choice draws only what is new.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from eval.metrics import cross_lingual_consistency, similarity
from eval.prompts.prompt_set import LANGUAGES
from pipelines.storage.pictures import open_picture, read_picture
from studio.errors import RunError
from studio.png_metadata import png_bytes
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import DRAWN_KEPT, JudgedPicture, Studio

from .cells import Asked, Cell, Place, data_of, key_of
from .models import Contender
from .stored import Kept, kept


@dataclass(frozen=True)
class Grid:
    """Models by captions by noises, as far as there are pictures.

    Attributes:
        rows: the models.
        asked: what they draw.
        cells: pictures by place.
        alike: consistency of the two languages' pictures, by their Japanese place.
        missing: places to draw or to score, model by model.
    """

    rows: Sequence[Contender]
    asked: Asked
    cells: Mapping[Place, Cell]
    alike: Mapping[Place, float]
    missing: Sequence[Place]

    @property
    def undrawn(self) -> list[Place]:
        """The places that have no picture yet, model by model."""
        return [place for place in self.missing if place not in self.cells]

    def is_like(self, other: Grid) -> bool:
        """Whether another look showed the same models, captions, pictures and scores."""
        models, others = ([(row.run, row.named, row.digest) for row in grid.rows] for grid in (self, other))
        return (models, self.asked, self.cells, self.alike) == (others, other.asked, other.cells, other.alike)


def look(studio: Studio, rows: Sequence[Contender], asked: Asked) -> Grid:
    """What there is of a comparison without drawing anything."""
    cells: dict[Place, Cell] = {}
    alike: dict[Place, float] = {}
    runs = [kept(studio, row, model, asked) for model, row in enumerate(rows)]
    everywhere = [place for model in range(len(rows)) for place in asked.places(model)]
    for place in everywhere:
        cell = runs[place.model].cells.get(place) or _remembered(studio, rows[place.model], asked, place)
        if cell is not None:
            cells[place] = cell
    for place in cells:
        ja = place._replace(language="ja")
        match = runs[place.model].alike.get(ja) or _match(studio, asked, cells, ja)
        if match is not None:
            alike[ja] = match
    compared = {
        place: replace(cell, others=_beside(rows, cells, runs[place.model], place)) for place, cell in cells.items()
    }
    missing = [place for place in everywhere if place not in cells or cells[place].score is None]
    return Grid(rows, asked, compared, alike, missing)


def draw(studio: Studio, grid: Grid, on_drawn: Callable[[Place, Cell], None] | None = None) -> None:
    """Draw and score what a grid lacks; `look` finds it afterwards. Model by model, so that each is woven once.

    Args:
        studio: whose pipeline and scorer are used.
        grid: what there is.
        on_drawn: told each picture as soon as it is drawn, when nobody has scored it yet; raise in it to give up: what
            is drawn by then is scored, and stays.

    Raises:
        M2N2Error: more pictures than are kept; sources are gone; a picture could not be made.
    """
    if (count := len(grid.undrawn)) > DRAWN_KEPT:
        with at_field("noises"):
            raise RunError(
                "Expected at most {most} images to generate at once, found {count}. "
                "Choose fewer models, prompts or seeds.",
                most=DRAWN_KEPT,
                count=count,
            )
    for model in range(len(grid.rows)):
        drawn: dict[Place, tuple[Image.Image, Cell]] = {}
        try:
            _draw_model(studio, grid, [place for place in grid.undrawn if place.model == model], drawn, on_drawn)
        finally:
            _judge(studio, grid, [place for place in grid.missing if place.model == model], drawn)


def _draw_model(
    studio: Studio,
    grid: Grid,
    new: Sequence[Place],
    drawn: dict[Place, tuple[Image.Image, Cell]],
    on_drawn: Callable[[Place, Cell], None] | None,
) -> None:
    """Draw pictures of one model into `drawn`, so that those that are done are there if a later one fails."""
    if not new:
        return
    row, asked = grid.rows[new[0].model], grid.asked

    def keep(number: int, image: Image.Image) -> None:
        data = data_of(row, asked, new[number])
        cell = Cell(studio.drawn.keep(image, data), data, None)
        drawn[new[number]] = (image, cell)
        if on_drawn:
            on_drawn(new[number], cell)

    requests = [request for place in new if (request := asked.request(place))]
    scorer = studio.scorer(asked.scorer).weights_bytes
    studio.previewer.draw(row.recipe, row.sources(), requests, asked.settings, scorer=scorer, on_picture=keep)


def _judge(
    studio: Studio, grid: Grid, lacking: Sequence[Place], drawn: Mapping[Place, tuple[Image.Image, Cell]]
) -> None:
    """Score pictures and remember them, with those of the other language: both tell how alike the two are."""
    asked, found = grid.asked, dict(drawn)
    for place in lacking:
        for one in (place._replace(language=language) for language in LANGUAGES):
            if one not in found and one in grid.cells:
                found[one] = (picture(studio, grid.cells[one]), grid.cells[one])
    if not found:
        return
    scorer = studio.scorer(asked.scorer)
    with scorer.on_device():
        features = scorer.image_features([image for image, _ in found.values()])
        texts = scorer.text_features([request.caption for place in found if (request := asked.request(place))])
    for (_, cell), seen, score in zip(found.values(), features, similarity(features, texts), strict=True):
        studio.judged.keep(key_of(cell.data, asked), JudgedPicture(float(score), seen, cell.address))


def content(studio: Studio, cell: Cell) -> bytes:
    """A cell's picture as a PNG file that says how it was made, with the hash of the recipe it is of.

    Raises:
        RunError: it was drawn too long ago.
    """
    if cell.file is not None:
        with open_picture(cell.file) as picture:
            return png_bytes(picture, cell.data)
    drawn = studio.drawn.at(cell.address)
    if drawn is None:
        raise RunError(
            "These pictures were drawn too long ago to be at hand still. Reload the page, and press Draw again."
        )
    return drawn


def picture(studio: Studio, cell: Cell) -> Image.Image:
    """A cell's picture, in RGB; raises as `content`."""
    return read_picture(io.BytesIO(content(studio, cell)))


def _remembered(studio: Studio, row: Contender, asked: Asked, place: Place) -> Cell | None:
    data = data_of(row, asked, place)
    judged = studio.judged.get(key_of(data, asked))
    if judged is None or studio.drawn.at(judged.address) is None:
        return None
    return Cell(judged.address, data, judged.score)


def _match(studio: Studio, asked: Asked, cells: Mapping[Place, Cell], place: Place) -> float | None:
    """How alike a pair is by what the scorer saw in it."""
    pair = [cells.get(place._replace(language=language)) for language in LANGUAGES]
    seen = [studio.judged.get(key_of(cell.data, asked)) for cell in pair if cell is not None]
    found: list[np.ndarray] = [judged.features[np.newaxis] for judged in seen if judged is not None]
    return float(cross_lingual_consistency(*found)[0]) if len(found) == len(LANGUAGES) else None


def _beside(
    rows: Sequence[Contender],
    cells: Mapping[Place, Cell],
    run: Kept,
    place: Place,
) -> tuple[tuple[str, float], ...]:
    """Scores of the first row, of the parents and of the best source at the same place, as far as they are known."""
    row = rows[place.model]
    found: list[tuple[str, float | None]] = []
    if place.model:
        first = cells.get(place._replace(model=0))
        found.append((rows[0].label, first.score if first else None))
    for other in row.others:
        among = [
            number
            for number, one in enumerate(rows)
            if one.run == row.run and one.individual is not None and one.individual.id == other.individual.id
        ]
        shown = cells.get(place._replace(model=among[0])) if among else None
        if among != [0]:
            found.append((other.label, shown.score if shown else run.beside.get((other.individual.id, place))))
    return tuple((label, score) for label, score in found if score is not None)
