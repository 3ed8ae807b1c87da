"""Verify: rebuild an export from its recipe and compare every bit; or compare it with hashes that are known."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError, unreadable
from pipelines.exporting.export import CONFIG_FOLDER, without_places, write_configs
from pipelines.exporting.verify import Progress, compare_export, plan_in_precision_of, stored_hashes
from pipelines.untrusted import UnreadableDocument, parse_json, read_json
from pipelines.weaving.plan import Plan
from studio.library.model_reference import open_recipe_sources

from .registry import Export

_OF_A_VERSION = "_diffusers_version"  # in model_index.json: says who wrote it, and decides nothing


@dataclass(frozen=True)
class Verification:
    """Whether an export is what it should be.

    Attributes:
        expected: SHA-256 per component of what it should hold.
        found: the same of what it holds.
        differing: tensors that are not the same, as `component/name`; not known where only hashes were given.
        configs: configurations and vocabularies that are not what the recipe gives.
    """

    expected: Mapping[str, str]
    found: Mapping[str, str]
    differing: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether every bit is the same."""
        return dict(self.expected) == dict(self.found) and not self.differing and not self.configs

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "same": self.same,
            "expected": dict(self.expected),
            "found": dict(self.found),
            "differing": list(self.differing),
            "configs": list(self.configs),
        }


def verify_export(export: Export, progress: Progress | None = None) -> Verification:
    """Rebuild an export from its recipe in memory, a tensor at a time, and compare.

    Args:
        export: of an SDXL recipe, with its sources at hand.
        progress: called with (bytes compared, bytes in all); raise in it to give up.

    Raises:
        M2N2Error: the recipe or its sources are gone or changed, or the export cannot be opened.
    """
    if export.recipe.architecture == "any":
        raise ExportError(
            f"{export.path} is no SDXL checkpoint. Expected one: of any other network, build the recipe again with "
            "`m2n2 merge` and compare the hashes that both print with --json."
        )
    sources = open_recipe_sources(export.recipe, relative_to=export.documents)
    written = open_source(export.path)
    plan = plan_in_precision_of(written, export.recipe, sources)
    compared = compare_export(plan, written, progress)
    return Verification(
        expected={one.component: one.expected for one in compared},
        found={one.component: one.found for one in compared},
        differing=tuple(f"{one.component}/{name}" for one in compared for name in one.differing),
        configs=tuple(_changed_configs(plan, export)),
    )


def verify_hashes(export: Export, hashes: Path, progress: Progress | None = None) -> Verification:
    """Compare an export with the hashes of a recipe-only export, `hashes.json`.

    Raises:
        M2N2Error: the hashes cannot be read, or the export cannot be opened.
    """
    try:
        content = read_json(hashes)
        expected = {str(part): str(digest) for part, digest in content["sha256"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # its repr would hold the whole file
        reason = unreadable(error) if isinstance(error, UnicodeDecodeError) else repr(error)
        raise ExportError(
            f"{hashes} cannot be read ({reason}). Expected the hashes.json that a recipe-only export holds."
        ) from error
    found = stored_hashes(open_source(export.path), progress)
    return Verification(expected, {part: found.get(part, "no such component") for part in expected})


def _changed_configs(plan: Plan, export: Export) -> list[str]:
    """List the files beside the weights that are not what the recipe gives now."""
    written = export.documents if export.path.is_dir() else export.documents / CONFIG_FOLDER
    with tempfile.TemporaryDirectory() as folder:
        rebuilt = Path(folder) / CONFIG_FOLDER
        write_configs(plan, rebuilt)
        names = sorted(file.relative_to(rebuilt) for file in rebuilt.rglob("*") if file.is_file())
        return [name.as_posix() for name in names if not _alike(rebuilt / name, written / name)]


def _alike(rebuilt: Path, written: Path) -> bool:
    if _content(rebuilt) == _content(written):
        return True
    if not written.is_file() or without_places(written) == written.read_bytes():
        return False
    same: bool = parse_json(without_places(written)) == read_json(rebuilt)
    return same  # exports once kept where their sources had been saved from


def _content(file: Path) -> Any:
    if not file.is_file():
        return None
    if file.name != "model_index.json":
        return file.read_bytes()
    try:
        index = read_json(file)
    except (OSError, UnreadableDocument):
        return None
    if not isinstance(index, dict):
        return None
    return {key: value for key, value in index.items() if key != _OF_A_VERSION}
