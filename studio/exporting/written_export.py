"""A finished export: where it lies, what it is known by, and what its licences ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.recipes.recipe import Recipe
from pipelines.weaving.difference import ComponentDifference, ComponentRounding
from studio.i18n import Lang
from studio.library.merge_notes import Note, difference_notes, rounding_notes
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
        merge_notes: what somebody may not expect of it.
        differences: how far it is from its host, a component each.
        rounding: what eight bits cost it, a component each; empty where it has none.
        holds_weights: whether it is a checkpoint, and not the recipe of one.
    """

    path: Path
    size: int
    hashes: Mapping[str, str]
    inherited: list[InheritedLicence]
    recipe: Recipe
    merge_notes: tuple[Note, ...] = ()
    differences: tuple[ComponentDifference, ...] = ()
    rounding: tuple[ComponentRounding, ...] = ()
    holds_weights: bool = True

    def notes(self, lang: Lang) -> list[str]:
        """Say what somebody may not expect of it."""
        same = [one for one in self.differences if not one.changed and len(self.recipe.sources) > 1]
        return [note.text(lang) for note in (*self.merge_notes, *difference_notes(self.recipe.lender, same))]

    def facts(self, lang: Lang) -> list[str]:
        """Say how far it is from its host, and what eight bits cost it."""
        changed = [one for one in self.differences if one.changed]
        notes = (*difference_notes(self.recipe.lender, changed), *rounding_notes(self.rounding))
        return [note.text(lang) for note in notes]

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
            **self._measured(),
        }

    def _measured(self) -> dict[str, Any]:
        """Return what was measured of it as `--json` prints it."""
        stated = {
            one.component: {"tensors": one.tensors, "changed": one.changed, "relative": one.relative}
            for one in self.differences
        }
        rounding = {
            one.component: {"tensors": one.tensors, "rounded": one.rounded, "relative": one.relative}
            for one in self.rounding
        }
        return ({"differences": stated} if stated else {}) | ({"rounding": rounding} if rounding else {})
