"""Small pictures: made once of what is larger than a page shows, and kept beside the run's pictures."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from eval.prompts.prompt_set import PromptSet
from pipelines.storage.files import write_whole
from pipelines.storage.pictures import open_picture, read_picture
from studio.png_metadata import webp_bytes
from studio.runs.individual import Individual
from studio.runs.picture_names import image_folder, picture_file
from studio.runs.store import RunStore

from .html import STRIP

SMALL_SIDE = 256  # pixels a side; what is smaller is shown as it is
TILE_SIDE = 128  # pixels of a picture on the wall


def small_picture(file: Path) -> Path:
    """Return a run's picture at SMALL_SIDE pixels a side at most: itself, or a copy made when first asked for."""
    kept = file.parents[2] / "small" / file.parent.name / f"{file.stem}.webp"
    if kept.is_file() and kept.stat().st_mtime_ns >= file.stat().st_mtime_ns:  # other noise replaces pictures
        return kept
    with open_picture(file) as picture:
        if max(picture.size) <= SMALL_SIDE:
            return file
        picture.draft("RGB", (SMALL_SIDE, SMALL_SIDE))
        copy = picture.convert("RGB")
    copy.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.LANCZOS)
    write_whole(kept, webp_bytes(copy))
    return kept


def tile_pictures(store: RunStore, individual: Individual, prompts: PromptSet, rows: Sequence[int]) -> list[Path]:
    """Choose the files of up to four Japanese pictures among these prompts, from its best to its worst."""
    folder = image_folder(store.folder, individual.id)
    names = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    kept = [row for row in rows if picture_file(folder, prompts.prompts[row].id, "-ja-0.png").name in names]
    # One that was turned away early has scores of some prompts alone.
    scores = individual.partial.values if individual.partial else individual.scores.get("ja")
    order = kept if scores is None else sorted(kept, key=lambda row: -float(scores[row].mean()))
    half = STRIP // 2
    chosen = order if len(order) <= STRIP else [*order[:half], *order[-half:]]
    return [store.image(individual.id, prompts.prompts[row].id, "ja", 0) for row in chosen]


def tiles(files: Sequence[Sequence[Path]]) -> list[str]:
    """Make a tile of each individual's files, as files that a gallery may show; several are read at a time."""
    with ThreadPoolExecutor(8) as pool:
        contents = pool.map(tile, files)
        # A gallery that is given pictures would compress each of them again whenever it is shown.
        return [save_bytes_to_cache(content, "tile.webp", get_upload_folder()) for content in contents]


def tile(files: Sequence[Path]) -> bytes:
    """Make up to four pictures one WebP, two by two; missing ones stay grey."""
    return _tile(tuple((file, file.stat().st_mtime_ns) for file in files[:STRIP]))


@functools.lru_cache(maxsize=4096)
def _tile(files: tuple[tuple[Path, int], ...]) -> bytes:
    """Make a tile once for files that are as they were at these times."""
    canvas = Image.new("RGB", (2 * TILE_SIDE, 2 * TILE_SIDE), (128, 128, 128))
    for place, (file, _) in enumerate(files):
        quarter = read_picture(small_picture(file)).resize((TILE_SIDE, TILE_SIDE), Image.Resampling.LANCZOS)
        canvas.paste(quarter, (place % 2 * TILE_SIDE, place // 2 * TILE_SIDE))
    return webp_bytes(canvas)
