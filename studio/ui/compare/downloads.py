"""Pages and pictures to download: the contact sheet of a comparison, the report on a run."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from eval.prompts.prompt_set import LANGUAGES
from eval.scorers import names
from pipelines.exporting.provenance import recipe_without_places
from pipelines.storage.files import write_whole
from studio.i18n import Lang, t
from studio.reports.contact_sheet import (
    ContactSheet,
    SheetColumn,
    SheetModel,
    SheetPicture,
    has_japanese,
    sheet_html,
    sheet_png,
)
from studio.ui.common.studio import Studio, download_folder

from .grid import Grid, content
from .matrix_html import drawn_with


class Files(NamedTuple):
    """A contact sheet on the disk; without a Japanese font its PNG lacks the Japanese captions."""

    png: Path
    html: Path
    has_japanese: bool


def sheet_files(studio: Studio, lang: Lang, name: str, grid: Grid) -> Files:
    """Write a comparison, as far as it is drawn, as a PNG and as a page.

    Raises:
        RunError: its pictures were drawn too long ago.
    """
    folder = download_folder()
    sheet = sheet_of(studio, lang, name, grid)
    files = Files(folder / f"{name}-compare.png", folder / f"{name}-compare.html", has_japanese())
    write_whole(files.png, sheet_png(sheet, lang))
    write_whole(files.html, sheet_html(sheet, lang).encode())
    return files


def sheet_of(studio: Studio, lang: Lang, name: str, grid: Grid) -> ContactSheet:
    """Lay a comparison out as a contact sheet: seeds of which nothing is drawn yet are left out."""
    asked = grid.asked
    drawn = sorted({place.noise for place in grid.cells})
    return ContactSheet(
        title=t(lang, "sheet_title", run=name),
        models=[SheetModel(row.label, recipe_without_places(row.recipe).to_json(), row.digest) for row in grid.rows],
        columns=[
            SheetColumn(
                {language: getattr(prompt, language) for language in LANGUAGES},
                [asked.seed(number, noise) for noise in drawn],
            )
            for number, prompt in enumerate(asked.prompts)
        ],
        tiles={
            (place.model, place.prompt, drawn.index(place.noise), place.language): SheetPicture(
                content(studio, cell), cell.data, cell.score, t(lang, "of_run" if cell.file else "of_page")
            )
            for place, cell in grid.cells.items()
        },
        facts=[
            (t(lang, "run"), name),
            (t(lang, "sheet_score"), t(lang, "sheet_scored_by", scorer=names.label(asked.scorer))),
            (t(lang, "drawn_how"), drawn_with(lang, grid)),
        ],
    )
