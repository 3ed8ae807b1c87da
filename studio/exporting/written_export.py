"""A finished export: where it lies, what it is known by, and what its licences ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.recipes.recipe import Recipe
from studio.i18n import Lang
from studio.library.adapter_notes import AdapterNote
from studio.licences.inheritance import InheritedLicence, joint_licence, licence_warnings


@dataclass(frozen=True)
class WrittenExport:
    """A finished export.

    Attributes:
        path: the folder or the file.
        size: bytes of it, without the documents beside it.
        hashes: SHA-256 by what was hashed: of a folder the tensors of its `unet`, of a single file its `tensors` and
            the whole `file`.
        inherited: whose weights are in it.
        recipe: the recipe without the paths of this machine.
        adapter_notes: what of the sources' LoRAs is not in it.
        holds_weights: whether it is a checkpoint, and not the recipe of one.
    """

    path: Path
    size: int
    hashes: Mapping[str, str]
    inherited: list[InheritedLicence]
    recipe: Recipe
    adapter_notes: tuple[AdapterNote, ...] = ()
    holds_weights: bool = True

    def notes(self, lang: Lang) -> list[str]:
        """Say what somebody may not expect of it."""
        return [note.text(lang) for note in self.adapter_notes]

    def warnings(self, lang: Lang) -> list[str]:
        """Say what should be read before the export is published."""
        return licence_warnings(self.inherited, lang)

    @property
    def asks_for_recipe(self) -> bool:
        """Whether its licences ask whoever publishes it to publish how it was made."""
        return any(entry.asks_for_recipe for entry in self.inherited)

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "path": str(self.path),
            "bytes": self.size,
            "sha256": dict(self.hashes),
            "licence": joint_licence(self.inherited),
            "warnings": self.warnings("en") + self.notes("en"),
        }
