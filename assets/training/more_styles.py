"""Pictures of the same names in styles that no source draws: what a scorer learns from, or is measured on.

Run `python -m assets.training.more_styles` to fetch them and print how many there are. A scorer that knows three
artists takes the artist for the thing. Three more styles are learnt from. OpenMoji is only measured on: nothing that is
published was trained on it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from assets.training.data import Name, names, on_white
from assets.training.settings import PICTURE_SIZE, WORK

#: Style and what npm calls its package.
PACKAGES = {
    "fluent-flat": "@lobehub/fluent-emoji-flat@1.1.0",
    "emojione": "emojione@2.2.7",
    "noto-blobs": "emoji-datasource-google@3.0.0",
    "openmoji": "openmoji@17.0.0",
}
#: Where a package keeps the picture of a code point.
PLACES = {
    "fluent-flat": "assets/{code}.svg",
    "emojione": "assets/png_128x128/{code}.png",
    "noto-blobs": "img/google/64/{code}.png",
    "openmoji": "color/svg/{code}.svg",
}
UNSEEN = "openmoji"
COLUMNS = 32


def fetch() -> Path:
    """Install the packages with npm into the work folder, once, and return their `node_modules`."""
    modules = WORK / "more_styles" / "node_modules"
    if not all((modules / style).is_dir() for style in PACKAGES):
        modules.parent.mkdir(parents=True, exist_ok=True)
        wanted = [f"{style}@npm:{package}" for style, package in PACKAGES.items()]
        options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(modules.parent)]
        subprocess.run(["npm", "install", *options, *wanted], check=True)
    return modules


@functools.cache
def more_pictures() -> dict[str, dict[int, np.ndarray]]:
    """Style to number of a name to its picture on white, uint8 [64, 64, 3]; artists left some names out."""
    path = WORK / "more_styles.npz"
    if not path.is_file():
        arrays: dict[str, Any] = {
            f"{style} {part}": value for style in PACKAGES for part, value in _read(style).items()
        }
        np.savez(path, **arrays)
    kept = np.load(path)
    return {
        style: dict(zip(kept[f"{style} names"].tolist(), kept[f"{style} pictures"], strict=True)) for style in PACKAGES
    }


def _read(style: str) -> dict[str, np.ndarray]:
    files = {number: path for number, name in enumerate(names()) if (path := _file(style, name))}
    vectors = all(path.suffix == ".svg" for path in files.values())
    shown = _draw_vectors(list(files.values())) if vectors else np.stack([on_white(path) for path in files.values()])
    return {"names": np.array(list(files)), "pictures": shown}


def _file(style: str, name: Name) -> Path | None:
    bare = name.hexcode.replace("-fe0f", "")
    codes = [name.hexcode, f"{name.hexcode}-fe0f", bare]
    if style == UNSEEN:  # which writes its code points in capitals
        codes = [code.upper() for code in codes]
    paths = (fetch() / style / PLACES[style].format(code=code) for code in codes)
    return next((path for path in paths if path.is_file()), None)


def _draw_vectors(paths: Sequence[Path]) -> np.ndarray:
    """SVG files on white as Chromium draws them: uint8 [paths, 64, 64, 3]."""
    rows = -(-len(paths) // COLUMNS)
    width, height = COLUMNS * PICTURE_SIZE, rows * PICTURE_SIZE
    style = f"body{{margin:0;width:{width}px;line-height:0}}img{{width:{PICTURE_SIZE}px;height:{PICTURE_SIZE}px}}"
    page_file = WORK / "vectors.html"
    page_file.write_text(f"<style>{style}</style>" + "".join(f'<img src="{path.as_uri()}">' for path in paths))
    with (
        sync_playwright() as player,
        contextlib.closing(player.chromium.launch(executable_path=shutil.which("chromium"))) as browser,
    ):
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(page_file.as_uri(), wait_until="load")
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    sheet = np.asarray(shot).reshape(rows, PICTURE_SIZE, COLUMNS, PICTURE_SIZE, 3).swapaxes(1, 2)
    return sheet.reshape(-1, PICTURE_SIZE, PICTURE_SIZE, 3)[: len(paths)]


if __name__ == "__main__":
    print({style: len(found) for style, found in more_pictures().items()})
