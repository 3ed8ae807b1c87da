"""Pictures of the same names in styles that no source draws: what a scorer learns from, or is measured on.

Run `python -m assets.training.more_styles` to fetch them and print how many there are. A scorer that knows three
artists takes the artist for the thing. Nine more styles are learnt from, four of them without colour. OpenMoji is only
measured on: nothing that is published was trained on it.
"""

from __future__ import annotations

import contextlib
import functools
import html
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from assets.training.data import Name, names, on_white
from assets.training.settings import PICTURE_SIZE, WORK

COLUMNS = 32
UNSEEN = "openmoji"


@dataclass(frozen=True)
class Style:
    """Where a style's pictures come from.

    Attributes:
        package: what npm calls it.
        kind: how it keeps them: `files` at `place`, a `collection` of icons by name, or a `font`.
        place: a file under the package, with `{code}` for the code point.
    """

    package: str
    kind: str
    place: str = ""


STYLES = {
    "fluent-flat": Style("@lobehub/fluent-emoji-flat@1.1.0", "files", "assets/{code}.svg"),
    "emojione": Style("emojione@2.2.7", "files", "assets/png_128x128/{code}.png"),
    "noto-blobs": Style("emoji-datasource-google@3.0.0", "files", "img/google/64/{code}.png"),
    "fluent-colour": Style("@iconify-json/fluent-emoji@1.2.6", "collection"),
    "fluent-contrast": Style("@iconify-json/fluent-emoji-high-contrast@1.2.6", "collection"),
    "emojione-plain": Style("@iconify-json/emojione-monotone@1.2.1", "collection"),
    "firefox": Style("@iconify-json/fxemoji@1.2.2", "collection"),
    "streamline": Style("@iconify-json/streamline-emojis@1.2.4", "collection"),
    "noto-line": Style("@fontsource/noto-emoji@5.3.2", "font"),
    UNSEEN: Style("openmoji@17.0.0", "files", "color/svg/{code}.svg"),
}


def fetch() -> Path:
    """Install the packages with npm into the work folder, once, and return their `node_modules`."""
    modules = WORK / "more_styles" / "node_modules"
    if not all((modules / style).is_dir() for style in STYLES):
        modules.parent.mkdir(parents=True, exist_ok=True)
        wanted = [f"{name}@npm:{style.package}" for name, style in STYLES.items()]
        options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(modules.parent)]
        subprocess.run(["npm", "install", *options, *wanted], check=True)
    return modules


@functools.cache
def more_pictures() -> dict[str, dict[int, np.ndarray]]:
    """Style to number of a name to its picture on white, uint8 [64, 64, 3]; artists left some names out."""
    found = {}
    for name in STYLES:
        path = WORK / f"style-{name}.npz"
        if not path.is_file():
            numbers, shown = _readers()[STYLES[name].kind](name)
            np.savez(path, names=np.array(numbers), pictures=shown)
        kept = np.load(path)
        found[name] = dict(zip(kept["names"].tolist(), kept["pictures"], strict=True))
    return found


def _readers() -> dict[str, Callable[[str], tuple[list[int], np.ndarray]]]:
    """Kind of a package to what reads numbers of names and their pictures from it."""
    return {"files": _read_files, "collection": _read_collection, "font": _read_font}


def _read_files(style: str) -> tuple[list[int], np.ndarray]:
    files = {number: path for number, name in enumerate(names()) if (path := _file(style, name))}
    if all(path.suffix == ".svg" for path in files.values()):
        return list(files), _draw([f'<img src="{path.as_uri()}">' for path in files.values()])
    return list(files), np.stack([on_white(path) for path in files.values()])


def _file(style: str, name: Name) -> Path | None:
    bare = name.hexcode.replace("-fe0f", "")
    codes = [name.hexcode, f"{name.hexcode}-fe0f", bare]
    if style == UNSEEN:  # which writes its code points in capitals
        codes = [code.upper() for code in codes]
    paths = (fetch() / style / STYLES[style].place.format(code=code) for code in codes)
    return next((path for path in paths if path.is_file()), None)


def _read_collection(style: str) -> tuple[list[int], np.ndarray]:
    """Icons whose name is the English name without spaces and signs."""
    collection = json.loads((fetch() / style / "icons.json").read_text(encoding="utf-8"))
    icons = {_letters(name): icon["body"] for name, icon in collection["icons"].items()}
    found = {number: body for number, name in enumerate(names()) if (body := icons.get(_letters(name.en)))}
    side = collection["width"]
    return list(found), _draw([f'<svg viewBox="0 0 {side} {side}">{body}</svg>' for body in found.values()])


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _read_font(style: str) -> tuple[list[int], np.ndarray]:
    """Single code points that the font draws; the others are left white, and left out."""
    single = {number: name.hexcode.split("-")[0] for number, name in enumerate(names()) if "200d" not in name.hexcode}
    signs = [f"<b>{html.escape(chr(int(code, 16)))}</b>" for code in single.values()]
    shown = _draw(signs, (fetch() / style / "400.css").as_uri(), "Noto Emoji")
    drawn = shown.reshape(len(shown), -1).min(axis=1) < 128
    return [number for number, there in zip(single, drawn, strict=True) if there], shown[drawn]


def _draw(cells: Sequence[str], sheet: str = "", font: str = "") -> np.ndarray:
    """Pieces of HTML on white as Chromium draws them: uint8 [cells, 64, 64, 3]."""
    rows = -(-len(cells) // COLUMNS)
    width, height = COLUMNS * PICTURE_SIZE, rows * PICTURE_SIZE
    style = (
        f"body{{margin:0;width:{width}px;line-height:0}}"
        f"img,svg,b{{width:{PICTURE_SIZE}px;height:{PICTURE_SIZE}px;display:inline-block;vertical-align:top}}"
        f"b{{font:400 50px/{PICTURE_SIZE}px '{font}';text-align:center;overflow:hidden}}"
    )
    page_file = WORK / "vectors.html"
    page_file.write_text(
        f'<meta charset="utf-8"><link rel="stylesheet" href="{sheet}"><style>{style}</style>' + "".join(cells),
        encoding="utf-8",
    )
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")  # `make test` installs the first
    with (
        sync_playwright() as player,
        contextlib.closing(player.chromium.launch(executable_path=program, args=["--no-sandbox"])) as browser,
    ):
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(page_file.as_uri(), wait_until="load")
        page.evaluate("document.fonts.ready")
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    drawn = np.asarray(shot).reshape(rows, PICTURE_SIZE, COLUMNS, PICTURE_SIZE, 3).swapaxes(1, 2)
    return drawn.reshape(-1, PICTURE_SIZE, PICTURE_SIZE, 3)[: len(cells)]


if __name__ == "__main__":
    print({style: len(found) for style, found in more_pictures().items()})
