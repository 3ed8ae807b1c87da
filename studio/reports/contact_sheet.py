"""A contact sheet: models by captions by noises, as one PNG with a legend and as a page that opens anywhere.

Both say of every picture which model drew it, with the hash of its recipe, from which seed, and what it scored.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from pipelines.storage.pictures import open_picture, read_picture
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.png_metadata import data_uri, png_bytes, png_uri

from . import standalone
from .fonts import japanese_font

SMALL, LARGE = 128, 256  # pixels of a picture on the PNG: small ones are enlarged, large ones made smaller
GAP, NAMES, LINE, FACTS = 6, 150, 17, 16  # pixels: between pictures, of the names on the left, of lines of text
NARROW = 900  # pixels: no sheet is narrower, for the legend to fit
AS_IT_IS = 512  # pixels: up to here the page has the PNG files themselves, with their text chunks
SHOWN_HASH = 12  # digits of a recipe's hash in print


@dataclass(frozen=True)
class SheetModel:
    """A row of the sheet: a model's name, its recipe as JSON, and the recipe's SHA-256."""

    label: str
    recipe: str
    digest: str


@dataclass(frozen=True)
class SheetPicture:
    """A picture: a PNG file that holds its generation data, the data, the score of its caption, where it is from."""

    content: bytes
    data: Mapping[str, Any]
    score: float | None
    origin: str


@dataclass(frozen=True)
class SheetColumn:
    """A caption in both languages, and the seeds of its noises."""

    captions: Mapping[str, str | None]
    seeds: Sequence[int]


@dataclass(frozen=True)
class ContactSheet:
    """What a contact sheet shows.

    Attributes:
        title: of the whole.
        models: rows.
        columns: captions.
        tiles: by row, column, noise and language; some may be missing.
        facts: how all of it was drawn and scored, as (what, value).
    """

    title: str
    models: Sequence[SheetModel]
    columns: Sequence[SheetColumn]
    tiles: Mapping[tuple[int, int, int, str], SheetPicture]
    facts: Sequence[tuple[str, str]]

    @property
    def noises(self) -> range:
        """The noises, of which every caption has as many."""
        return range(max((len(column.seeds) for column in self.columns), default=0))


def sheet_html(sheet: ContactSheet, lang: Lang) -> str:
    """Write the sheet as a page that needs nothing beside it."""
    return standalone.page(
        "contact_sheet.html",
        lang,
        sheet=sheet,
        score=format_score,
        source=_source,
        hash=lambda digest: digest[:SHOWN_HASH],
    )


def sheet_png(sheet: ContactSheet, lang: Lang) -> bytes:
    """Draw the sheet as one PNG; its text chunk holds the generation data of every picture on it.

    Without a Japanese font on this machine (see `fonts`) Japanese captions come out as empty boxes.
    """
    side = _side(sheet)
    width = max(NARROW, NAMES + len(sheet.columns) * (2 * side + 3 * GAP))
    block = LINE + len(sheet.models) * (side + LINE + GAP)
    legend = _legend(sheet, lang)
    height = 3 * LINE + 2 * LINE + len(sheet.noises) * block + GAP + len(legend) * FACTS + GAP
    canvas = Image.new("RGB", (width, height), "white")
    pen, font, small = ImageDraw.Draw(canvas), _font(13), _font(11)
    pen.text((GAP, GAP), sheet.title, "black", _font(16))
    top = 2 * LINE
    for number, column in enumerate(sheet.columns):
        left = NAMES + number * (2 * side + 3 * GAP)
        for line, language in enumerate(("ja", "en")):
            caption = _cut(column.captions.get(language) or "–", small, 2 * side + GAP)
            pen.text((left, top + line * LINE), caption, "black", small)
    top += 2 * LINE + GAP
    for noise in sheet.noises:
        for number, column in enumerate(sheet.columns):
            left = NAMES + number * (2 * side + 3 * GAP)
            pen.text((left, top), t(lang, "noise_column", n=noise + 1, seed=column.seeds[noise]), "#555555", small)
        for row, model in enumerate(sheet.models):
            line = top + LINE + row * (side + LINE + GAP)
            pen.text((GAP, line + side // 2 - FACTS), _cut(model.label, font, NAMES - GAP), "black", font)
            pen.text((GAP, line + side // 2), model.digest[:SHOWN_HASH], "#555555", small)
            for number in range(len(sheet.columns)):
                for place, language in enumerate(("ja", "en")):
                    left = NAMES + number * (2 * side + 3 * GAP) + place * (side + GAP)
                    _draw(canvas, pen, small, sheet.tiles.get((row, number, noise, language)), (left, line), side, lang)
        top += block
    for number, text in enumerate(legend):
        pen.text((GAP, top + GAP + number * FACTS), _cut(text, small, width - 2 * GAP), "#333333", small)
    pictures = [
        {**tile.data, "score": tile.score, "row": row, "column": column, "noise": noise}
        for (row, column, noise, _), tile in sheet.tiles.items()
    ]
    return png_bytes(canvas, {"contact_sheet": sheet.title, "facts": dict(sheet.facts), "pictures": pictures})


def has_japanese() -> bool:
    """Whether Japanese captions can be drawn on the PNG."""
    return japanese_font() is not None


def _side(sheet: ContactSheet) -> int:
    widths = [_width(tile) for tile in sheet.tiles.values()]
    return LARGE if widths and max(widths) >= LARGE else SMALL


def _width(tile: SheetPicture) -> int:
    with open_picture(io.BytesIO(tile.content)) as picture:
        return picture.width


def _draw(
    canvas: Image.Image,
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    tile: SheetPicture | None,
    corner: tuple[int, int],
    side: int,
    lang: Lang,
) -> None:
    """Draw one picture with its score below; a grey frame where there is none."""
    left, top = corner
    if tile is None:
        pen.rectangle((left, top, left + side, top + side), outline="#999999")
        return
    picture = read_picture(io.BytesIO(tile.content))
    canvas.paste(picture.resize((side, side), Image.Resampling.LANCZOS), corner)
    language = str(tile.data["language"])
    pen.text((left, top + side + 1), f"{t(lang, f'{language}_short')} {format_score(tile.score)}", "black", font)


def _legend(sheet: ContactSheet, lang: Lang) -> list[str]:
    models = [f"{model.label}: {t(lang, 'recipe_json')} sha256 {model.digest}" for model in sheet.models]
    return [*(f"{what}: {value}" for what, value in sheet.facts), *models]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    font = japanese_font()
    return ImageFont.truetype(str(font.file), size) if font else ImageFont.load_default(size)


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Shorten a text to `width` pixels, with an ellipsis where it did not fit."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _source(tile: SheetPicture) -> str:
    """Embed a picture in the page: the PNG file itself with its text chunk, or, of a large one, a smaller WebP."""
    with open_picture(io.BytesIO(tile.content)) as picture:
        return png_uri(tile.content) if max(picture.size) <= AS_IT_IS else data_uri(picture, AS_IT_IS)
