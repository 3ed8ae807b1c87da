"""Exports as they lie on the disk: which there are, what belongs to each, and which one is in use.

exports/NAME, NAME.safetensors     an export, see `export_plan`; the latter with NAME.about beside it
exports/NAME.monitor/              what was measured of it later: drift.jsonl, and pictures
exports/current                    the name of the one that is in use, a line for people and scripts
exports/current.jsonl              every choice of it, appended to and never edited
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from pipelines.errors import ExportError
from pipelines.exporting.export import SINGLE_FILE_SUFFIX, about_folder
from pipelines.recipes.recipe import Recipe, load_recipe
from pipelines.storage.files import write_whole
from pipelines.untrusted import UnreadableDocument, read_text
from studio.journal import Journal, Moment
from studio.runs.store import now

from .certificate import CERTIFICATE_FILE, BirthCertificate, load_certificate

MONITOR = ".monitor"
_CURRENT = "current"


@dataclass(frozen=True)
class Export:
    """An export that was written: its folder or its file."""

    path: Path

    @property
    def name(self) -> str:
        """What it is called in lists: the name of its folder or file."""
        return self.path.name

    @property
    def documents(self) -> Path:
        """Where its card, recipe and certificate lie."""
        return about_folder(self.path) if self.path.suffix == SINGLE_FILE_SUFFIX else self.path

    @property
    def monitor(self) -> Path:
        """Where what was measured of it later lies: beside it, for an export stays as it was written."""
        return self.path.with_name(self.path.name + MONITOR)

    @cached_property
    def recipe(self) -> Recipe:
        """What it was woven from.

        Raises:
            RecipeError: it is not there, or cannot be read.
        """
        return load_recipe(self.documents / "recipe.json")

    @property
    def has_certificate(self) -> bool:
        """Whether it has a birth certificate: an individual of a run has, a plain recipe has none."""
        return (self.documents / CERTIFICATE_FILE).is_file()

    @cached_property
    def certificate(self) -> BirthCertificate:
        """Its birth certificate.

        Raises:
            ExportError: there is none, or none that can be read.
        """
        return load_certificate(self.documents / CERTIFICATE_FILE)

    def file(self, name: str) -> Path:
        """Locate a file of the export by the place that its certificate calls it by."""
        return (
            self.path
            if self.path.suffix == SINGLE_FILE_SUFFIX and name.endswith(SINGLE_FILE_SUFFIX)
            else self.documents / name
        )


def open_export(path: str | Path) -> Export:
    """Open an export by its folder or file.

    Raises:
        ExportError: nothing there that the studio wrote.
    """
    export = Export(Path(os.path.expanduser(path)))
    if not export.path.exists() or not (export.documents / "recipe.json").is_file():
        raise ExportError(
            "{path} is no export of the studio. Expected a folder with recipe.json, or NAME{single_file_suffix} with "
            "NAME.about beside it.",
            path=path,
            single_file_suffix=SINGLE_FILE_SUFFIX,
        )
    return export


def list_exports(folder: Path) -> list[Export]:
    """List the exports in a folder, newest first; other things in it are passed over."""
    if not folder.is_dir():
        return []
    exports = [
        Export(path)
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and (path.suffix == SINGLE_FILE_SUFFIX or (path / "model_index.json").is_file())
        and (Export(path).documents / "recipe.json").is_file()
    ]
    return sorted(exports, key=lambda export: export.path.stat().st_mtime, reverse=True)


def put_in_use(folder: Path, name: str, who: str = "") -> None:
    """Choose the export that is in use from now on.

    Args:
        folder: that of the exports.
        name: one of them.
        who: chose it.

    Raises:
        ExportError: there is no such export.
    """
    if name not in [export.name for export in list_exports(folder)]:
        raise ExportError(
            "There is no export called {name!r} in {folder}. Choose one of the list.", name=name, folder=folder
        )
    former = in_use(folder)
    in_use_journal(folder).append({"export": name, "former": former, "when": now().isoformat(), "who": who})
    write_whole(folder / _CURRENT, f"{name}\n".encode())


def in_use(folder: Path) -> str | None:
    """Return the name of the export in use; `None` where none was chosen yet."""
    pointer = folder / _CURRENT
    try:
        return read_text(pointer).strip() or None
    except (OSError, UnreadableDocument):
        return None


class _Choice(TypedDict):
    """Who put which export in use, as a line of the journal has it."""

    export: str
    former: str | None
    when: Moment
    who: str


def in_use_journal(folder: Path) -> Journal:
    """Open the journal of choices: a line each, with `export`, `former`, `when` and `who`."""
    return Journal(folder / f"{_CURRENT}.jsonl", _Choice)


def in_use_history(folder: Path) -> list[dict[str, Any]]:
    """Read every choice of the export in use, newest first."""
    return in_use_journal(folder).events()[::-1]
