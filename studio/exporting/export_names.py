"""Names of exports: one that people can say and remember, and what is wrong with one that a person typed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pipelines.exporting.export import SINGLE_FILE_SUFFIX, about_folder
from studio.runs.individual import Individual

from .recipe_package import PACKAGE_ENDING

NameProblem = Literal["empty", "letters", "ending", "reserved", "long", "taken"]
_WORDS = ("sakura", "momiji", "hotaru", "tsubaki", "kaede", "nami", "hoshi", "asahi", "ume", "sora", "kaze", "tsuki")
_NAME = re.compile(r"\w[\w .-]*")  # letters of any script, digits, no separators
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no files on Windows
_LETTERS, _BYTES = 80, 200  # most disks take 255 bytes, and unfinished exports bear longer names


def without_ending(title: str) -> str:
    """Remove the ending that the form of an export will add to a name."""
    return title.strip().removesuffix(SINGLE_FILE_SUFFIX).removesuffix(PACKAGE_ENDING)


def name_problem(title: str, folder: Path) -> NameProblem | None:
    """Say what is wrong with a name, if anything is.

    Args:
        title: as a person typed it.
        folder: that of the exports.
    """
    name = without_ending(title)
    if not name:
        return "empty"
    if not _NAME.fullmatch(name):
        return "letters"
    if name.endswith("."):
        return "ending"
    if _RESERVED.fullmatch(name):
        return "reserved"
    if len(name) > _LETTERS or len(name.encode()) > _BYTES:
        return "long"
    return "taken" if any(place.exists() for place in _places(folder, name)) else None


def suggest_name(individual: Individual, folder: Path) -> str:
    """Suggest a name that no export has yet: a word that stands for the individual's recipe, and its number."""
    if individual.is_source:
        starts = [individual.id]
    else:
        first = int(individual.recipe.digest, 16) % len(_WORDS)
        number = f"{int(individual.id):02d}" if individual.id.isdecimal() else individual.id
        starts = [f"{word}-{number}" for word in (*_WORDS[first:], *_WORDS[:first])]
    more = (f"{start}-{again}" for again in range(2, 100) for start in starts)
    return next((name for name in (*starts, *more) if name_problem(name, folder) is None), "")


def _places(folder: Path, name: str) -> list[Path]:
    """List what exports of that name would write, in any form."""
    file = folder / f"{name}{SINGLE_FILE_SUFFIX}"
    return [folder / name, file, about_folder(file), folder / f"{name}{PACKAGE_ENDING}"]
