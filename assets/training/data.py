"""Names and pictures of emoji: fetched by npm, read once, handed on as plain arrays.

Run `python -m assets.training.data` to fetch everything and print what came. What was read is kept in the work folder.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from assets.training.settings import CATEGORIES, PICTURE_SIZE, STYLES, WORK

PACKAGES = (
    "emojibase-data@17.0.0",
    "emoji-datasource-google@16.0.0",
    "emoji-datasource-twitter@16.0.0",
    "@lobehub/fluent-emoji-3d@1.1.0",
)
VENDORS = {"noto": "google", "twemoji": "twitter"}

#: One of each crowd of near-duplicates stays: a reader could not tell the others apart either.
KEPT_OF_CROWDS = {"full moon", "crescent moon"}


@dataclass(frozen=True)
class Name:
    """One thing to draw: its Unicode name in both languages, and CLDR's keywords for it."""

    hexcode: str
    category: str
    en: str
    ja: str
    keywords_en: tuple[str, ...]
    keywords_ja: tuple[str, ...]


def fetch() -> Path:
    """Install the data packages with npm into the work folder, once, and return their `node_modules`."""
    modules = WORK / "npm" / "node_modules"
    if not all((modules / package.rsplit("@", 1)[0]).is_dir() for package in PACKAGES):
        modules.parent.mkdir(parents=True, exist_ok=True)
        options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(modules.parent)]
        subprocess.run(["npm", "install", *options, *PACKAGES], check=True)
    return modules


def is_near_duplicate(label: str) -> bool:
    """Whether a picture differs from its neighbours by less than 64 pixels can show (clock faces, moon phases)."""
    if label in KEPT_OF_CROWDS:
        return False
    return "o’clock" in label or label.endswith("-thirty") or ("moon" in label.split() and "ceremony" not in label)


@functools.cache
def names() -> tuple[Name, ...]:
    """Every name with a picture in all three styles, in Unicode order, captions unique within a language."""
    kept = _read(_kept("names.json"))
    return tuple(Name(**row | {key: tuple(row[key]) for key in ("keywords_en", "keywords_ja")}) for row in kept)


@functools.cache
def pictures() -> np.ndarray:
    """All pictures on white: uint8 [names, styles, 64, 64, 3], styles in the order of `STYLES`."""
    shown: np.ndarray = np.load(_kept("pictures.npz"))["pictures"]
    return shown


def _kept(file: str) -> Path:
    """A file of the work folder, made from the packages if there is none."""
    path = WORK / file
    if not path.is_file():
        found = _find()
        shown = [[on_white(files[style]) for style in STYLES] for _, files in found]
        np.savez_compressed(WORK / "pictures.npz", pictures=np.array(shown))
        rows = json.dumps([asdict(name) for name, _ in found], ensure_ascii=False)
        (WORK / "names.json").write_text(rows, encoding="utf-8")
    return path


def _find() -> list[tuple[Name, dict[str, Path]]]:
    """Names with the picture files of each style."""
    modules = fetch()
    english, japanese = (_read(modules / "emojibase-data" / tongue / "data.json") for tongue in ("en", "ja"))
    titles = {entry["hexcode"]: entry for entry in japanese}
    images = {}
    for entry in _read(modules / "emoji-datasource-google" / "emoji.json"):
        images[entry["unified"].removesuffix("-FE0F")] = entry["image"]

    found: list[tuple[Name, dict[str, Path]]] = []
    taken: set[str] = set()
    for entry in sorted(english, key=lambda entry: entry.get("order", 0)):
        code, label = entry["hexcode"], entry["label"].strip()
        category, image, other = CATEGORIES.get(entry.get("group", -1)), images.get(code), titles.get(code, {})
        title = other.get("label", "").strip()
        if not (category and image and title) or is_near_duplicate(label) or {label, title} & taken:
            continue
        files = {
            style: modules / f"emoji-datasource-{vendor}" / "img" / vendor / "64" / image
            for style, vendor in VENDORS.items()
        }
        fluent = modules / "@lobehub" / "fluent-emoji-3d" / "assets" / f"{code.lower()}.webp"
        files["fluent"] = fluent if fluent.is_file() else fluent.with_stem(f"{code.lower()}-fe0f")
        if all(path.is_file() for path in files.values()):
            taken |= {label, title}
            keywords = (tuple(row.get("tags", ())) for row in (entry, other))
            found.append((Name(code.lower(), category, label, title, *keywords), files))
    return found


def categories() -> np.ndarray:
    """The category of every name: str [names]."""
    return np.array([name.category for name in names()])


def on_white(path: Path) -> np.ndarray:
    """A picture file on white: uint8 [64, 64, 3]."""
    with Image.open(path) as picture:
        coloured = picture.convert("RGBA")
    page = Image.new("RGBA", coloured.size, "white")
    page.alpha_composite(coloured)
    return np.asarray(page.convert("RGB").resize((PICTURE_SIZE, PICTURE_SIZE), Image.Resampling.LANCZOS))


def _read(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    print(Counter(name.category for name in names()), pictures().shape)
