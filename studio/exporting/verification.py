"""Verify: an export beside its recipe, bit for bit, or beside hashes that are known; its other files as they were."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.checkpoints.sources import Source, open_source
from pipelines.errors import ExportError, RecipeError, unreadable
from pipelines.exporting.export import (
    CONFIG_FOLDER,
    TENSOR_HASH_KEY,
    data_sha256,
    write_configs,
)
from pipelines.exporting.manifest import FileComparison, compare_files, read_manifest
from pipelines.exporting.places import without_places
from pipelines.exporting.provenance import RECIPE_KEY, embedded_recipe
from pipelines.exporting.verify import Progress, compare_export, plan_in_precision_of, stored_hashes
from pipelines.storage.tensor_file import TensorFile
from pipelines.untrusted import UnreadableDocument, parse_json, read_json
from pipelines.weaving.plan import Plan
from studio.i18n import Lang, t
from studio.library.model_reference import open_recipe_sources

from .registry import Export

Unchecked = Literal["files", "sources"]
Difference = Literal["changed", "missing", "unexpected", "header", "source"]
_OF_A_VERSION = "_diffusers_version"  # in model_index.json: says who wrote it, and decides nothing


@dataclass(frozen=True)
class Verification:
    """Whether an export is what it should be.

    Attributes:
        expected: SHA-256 per component of what it should hold.
        found: the same of what it holds.
        differing: tensors that are not the same, as `component/name`; not known where only hashes were given.
        configs: configurations and vocabularies that are not what the recipe gives.
        files: the files of the export beside what was written; `None` where it is older than manifests.
        header: what the header of a single file says of its tensors and its recipe and is not so, by key.
        sources: what sources hold other bytes than the recipe was made from, as `source/component`; `None` where their
            hashes were believed.
    """

    expected: Mapping[str, str]
    found: Mapping[str, str]
    differing: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    files: FileComparison | None = None
    header: tuple[str, ...] = ()
    sources: tuple[str, ...] | None = None

    @property
    def same(self) -> bool:
        """Whether every bit is the same, as far as it could be checked."""
        return (
            dict(self.expected) == dict(self.found)
            and not (self.differing or self.configs or self.header or self.sources)
            and (self.files is None or self.files.same)
        )

    @property
    def differences(self) -> list[tuple[Difference, str]]:
        """What is not the same: in which way, and its name."""
        files = self.files or FileComparison(0)
        return [
            *(("changed", name) for name in dict.fromkeys((*self.differing, *self.configs, *files.changed))),
            *(("missing", name) for name in files.missing),
            *(("unexpected", name) for name in files.unexpected),
            *(("header", key) for key in self.header),
            *(("source", name) for name in self.sources or ()),
        ]

    def sentences(self, lang: Lang) -> list[str]:
        """Say what is not the same, a sentence each."""
        return [t(lang, f"difference_{kind}", name=name) for kind, name in self.differences]

    @property
    def unchecked(self) -> tuple[Unchecked, ...]:
        """What was not checked: `files` of an export older than manifests, `sources` that were not read again."""
        return (*(("files",) if self.files is None else ()), *(("sources",) if self.sources is None else ()))

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "same": self.same,
            "expected": dict(self.expected),
            "found": dict(self.found),
            "differing": list(self.differing),
            "configs": list(self.configs),
            "files": self.files and dataclasses.asdict(self.files),
            "header": list(self.header),
            "sources": None if self.sources is None else list(self.sources),
            "unchecked": list(self.unchecked),
        }


def verify_export(export: Export, progress: Progress | None = None, *, deep: bool = False) -> Verification:
    """Rebuild an export from its recipe in memory, a tensor at a time, and compare; then compare its other files.

    Args:
        export: of an SDXL recipe, with its sources at hand.
        progress: called with (bytes read, bytes in all) of what is in hand; raise in it to give up.
        deep: whether every byte of the sources is read and hashed again, whatever is known of their files.

    Raises:
        M2N2Error: the recipe or its sources are gone or changed, or the export cannot be opened.
    """
    if export.recipe.architecture == "any":
        raise ExportError(
            "{path} is no SDXL checkpoint. Expected one: of any other network, build the recipe again with "
            "`m2n2 merge` and compare the hashes that both print with --json.",
            path=export.path,
        )
    sources = open_recipe_sources(export.recipe, relative_to=export.documents)
    written = open_source(export.path)
    plan = plan_in_precision_of(written, export.recipe, sources)
    compared = compare_export(plan, written, progress)
    differing = tuple(f"{one.component}/{name}" for one in compared for name in one.differing)
    return Verification(
        expected={one.component: one.expected for one in compared},
        found={one.component: one.found for one in compared},
        differing=differing,
        configs=tuple(_changed_configs(plan, export)),
        files=_compare_files(export, progress),
        header=tuple(_wrong_header(export, same_tensors=not differing)),
        sources=tuple(_changed_sources(export, sources, progress)) if deep else None,
    )


def verify_hashes(export: Export, hashes: Path, progress: Progress | None = None) -> Verification:
    """Compare an export with the hashes of a recipe-only export, `hashes.json`, and its files with its manifest.

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
            "{hashes} cannot be read ({reason}). Expected the hashes.json that a recipe-only export holds.",
            hashes=hashes,
            reason=reason,
        ) from error
    stored = stored_hashes(open_source(export.path), progress)
    found = {part: stored.get(part, "no such component") for part in expected}
    return Verification(
        expected,
        found,
        files=_compare_files(export, progress),
        header=tuple(_wrong_header(export, same_tensors=found == expected)),
    )


def _compare_files(export: Export, progress: Progress | None) -> FileComparison | None:
    """Compare the files of an export with its manifest; `None` where it has none."""
    digests = read_manifest(export.documents)
    return None if digests is None else compare_files(export.documents, digests, progress)


def _wrong_header(export: Export, *, same_tensors: bool) -> list[str]:
    """List the keys of a single file's header that say what is not so; a folder's files have no such header.

    Where tensors have changed, it is no fault of the header that it knows others.
    """
    if export.path.is_dir():
        return []
    metadata = TensorFile(export.path).metadata
    wrong = []
    stated = metadata.get(TENSOR_HASH_KEY)
    if same_tensors and stated is not None and stated != f"0x{data_sha256(export.path)}":
        wrong.append(TENSOR_HASH_KEY)
    with contextlib.suppress(RecipeError):
        recipe = embedded_recipe(export.path)
        if recipe is None or recipe.digest == export.recipe.digest:
            return wrong
    return [*wrong, RECIPE_KEY]


def _changed_sources(export: Export, sources: Mapping[str, Source], progress: Progress | None) -> list[str]:
    """List the components of sources that hold other bytes than the recipe was made from; all of them are read."""
    changed = []
    for named in export.recipe.sources:
        found = stored_hashes(sources[named.name], progress)
        changed += [f"{named.name}/{part}" for part, digest in named.sha256.items() if found.get(part) != digest]
    return changed


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
