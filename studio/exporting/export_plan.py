"""Ship: a merge with its card, its recipe, its licences and the pictures it was judged by, as a folder or a file.

NAME/                      a diffusers folder, with README.md, LICENSE.md, recipe.json, licences/ and samples/
NAME.safetensors           a single file, and beside it NAME.about/ with the same documents and `config/`

An individual of a run also takes its birth certificate along: birth.json, and birth/ with pictures.

An `ExportPlan` is what a preview shows and what `write` writes: both come from the same one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.checkpoints.sources import Source, open_source
from pipelines.exporting.export import (
    PRECISIONS,
    SINGLE_FILE_SUFFIX,
    TENSOR_HASH_KEY,
    about_folder,
    export_file,
    export_folder,
    model_index,
)
from pipelines.exporting.metadata import single_file_metadata, source_date, thumbnail_data_url
from pipelines.exporting.provenance import file_sha256, portable_recipe
from pipelines.exporting.single_file import single_file_entries
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.statement import LicenceStatement
from pipelines.storage.tensor_file import TensorFile
from pipelines.weaving.difference import host_differences, rounding_errors
from pipelines.weaving.plan import Plan
from studio.library.merge_notes import Note, recipe_notes, single_file_notes
from studio.library.model_reference import open_recipe_sources
from studio.licences.combination import Clash
from studio.licences.gate import check_licences, with_statement
from studio.licences.inheritance import (
    InheritedLicence,
    inherited_licences,
    joint_licence,
    licence_texts,
    recipe_clashes,
)
from studio.runs.store import RunStore

from .card_content import CardContent, attribution_text, individual_card_content, recipe_card_content
from .certificate import CERTIFICATE_FILE, BirthCertificate, certificate_of, certificate_pictures
from .licence_papers import licence_notice
from .model_card import model_card
from .written_export import WrittenExport

Progress = Callable[[int, int], None]
_HASHES = {  # what a checkpoint is known by, as cards call it
    "unet": "the UNet's tensors, as a recipe names it",
    "tensors": "the tensors (`modelspec.hash_sha256`)",
    "file": "the file (A1111 and Civitai show its first ten digits)",
}


@dataclass(frozen=True)
class ExportPlan:
    """An export that is planned and not written yet.

    Attributes:
        plan: its weights.
        target: a single file where it ends in `.safetensors`, else a diffusers folder.
        content: what its card says.
        inherited: whose weights are in it.
        date: for a single file's header.
        certificate: its birth certificate, if it comes from a run.
        judged: the pictures it was judged by; small copies go along with the certificate.
    """

    plan: Plan
    target: Path
    content: CardContent
    inherited: list[InheritedLicence]
    date: datetime | None = None
    certificate: BirthCertificate | None = None
    judged: tuple[Path, ...] = ()

    @property
    def is_file(self) -> bool:
        """Whether it will be a single file."""
        return self.target.suffix == SINGLE_FILE_SUFFIX

    @property
    def size(self) -> int:
        """Bytes of its weights.

        Raises:
            ExportError: no single file can hold them.
        """
        return sum(entry.size for entry in single_file_entries(self.plan)) if self.is_file else self.plan.size()

    @cached_property
    def metadata(self) -> dict[str, str]:
        """The header of a single file, its hash still empty; nothing for a folder, whose files have none.

        Raises:
            SourceError: a source's file cannot be read.
        """
        if not self.is_file:
            return {}
        return single_file_metadata(
            self.plan,
            title=self.content.title,
            description=self.content.summary,
            licence=joint_licence(self.inherited),
            tags=("merge", "m2n2"),
            date=self.date,
            thumbnail=thumbnail_data_url(self.content.samples[0].content) if self.content.samples else None,
        )

    @cached_property
    def merge_notes(self) -> tuple[Note, ...]:
        """What somebody may not expect of it."""
        notes = recipe_notes(self.plan.recipe, self.plan.sources)
        return (*notes, *(single_file_notes(self.plan) if self.is_file else ()))

    @property
    def index(self) -> dict[str, Any]:
        """The `model_index.json` that goes along."""
        return model_index(self.plan)

    def readme(self, hashes: Mapping[str, str] | None = None) -> str:
        """Write the card's text; before the weights are written, without the hashes of what is not there yet."""
        digests = hashes or dict.fromkeys(
            ("tensors", "file") if self.is_file else ("unet",), "known when it is written"
        )
        labelled = {_HASHES[what]: digest for what, digest in digests.items()}
        return model_card(self.plan, self.content, self.inherited, self.target.name, labelled)

    @property
    def clashes(self) -> list[Clash]:
        """What in its licences stands against publishing its weights."""
        return recipe_clashes(self.plan.recipe, self.inherited)

    def documents(self, hashes: Mapping[str, str], files: Mapping[str, str]) -> dict[str, bytes]:
        """Make everything that goes along with the weights, by its place in the export.

        Args:
            hashes: as in `WrittenExport`.
            files: SHA-256 of what is written already, for the birth certificate.
        """
        certificate = self.certificate
        if certificate:
            statement = self.plan.recipe.licence_statement
            certificate = certificate.model_copy(update={"files": dict(files), "licence_statement": statement})
            certificate.note_places()
            certificate = certificate.portable
        return {
            "README.md": self.readme(hashes).encode(),
            "LICENSE.md": licence_notice(self.plan, self.content, self.inherited).encode(),
            **licence_texts(self.inherited),
            **{f"samples/{sample.name}": sample.content for sample in self.content.samples},
            **({CERTIFICATE_FILE: certificate.to_json(), **certificate_pictures(self.judged)} if certificate else {}),
        }

    def write(self, progress: Progress | None = None) -> WrittenExport:
        """Write the weights and the documents.

        Args:
            progress: called with (bytes written, bytes in all); raise in it to give up.

        Raises:
            LicenceError: licences stand against it, and nobody stated why it may be done.
            M2N2Error: see `pipelines.export`; nothing half-written is left behind.
        """
        check_licences(self.plan.recipe, self.inherited)
        hashes: dict[str, str] = {}

        def documents(checkpoint: Path) -> dict[str, bytes]:
            hashes.update(_hashes(checkpoint))
            return self.documents(hashes, _files(checkpoint) if self.certificate else {})

        if self.is_file:
            export_file(self.plan, self.target, metadata=self.metadata, documents=documents, progress=progress)
        else:
            export_folder(self.plan, self.target, documents=documents, progress=progress)
        files = [self.target] if self.is_file else self.target.rglob("*.safetensors")
        size = sum(file.stat().st_size for file in files)
        return WrittenExport(
            self.target,
            size,
            hashes,
            self.inherited,
            portable_recipe(self.plan),
            self.merge_notes,
            tuple(host_differences(self.plan)),
            tuple(rounding_errors(self.plan)),
        )


def plan_export(
    store: RunStore,
    id: str,
    target: str | Path,
    *,
    title: str | None = None,
    precision: str | None = None,
    credit: str | None = None,
    statement: LicenceStatement | None = None,
) -> ExportPlan:
    """Plan the export of an individual of a run.

    Args:
        store: the run.
        id: the individual.
        target: a single file where it ends in `.safetensors`, else a diffusers folder; must not exist.
        title: what to call it; the target's name if left out.
        precision: `fp16`, `bf16` or `fp32`; that of the host's file if left out.
        credit: whose work it is, as the card is to say it; what the sources say of themselves if left out.
        statement: why its weights may be written where licences stand against it; see `studio.licences.gate`.

    Raises:
        M2N2Error: there is no such individual; its sources are gone or changed.
    """
    individual = store.individual(id)
    path = Path(os.path.expanduser(target))
    name = title or _name(path)
    plan, entries = _plan(individual.recipe, open_recipe_sources(individual.recipe), name, precision, statement)
    return ExportPlan(
        plan,
        path,
        individual_card_content(
            store, individual, plan.sources, name, attribution_text(entries) if credit is None else credit
        ),
        entries,
        date=individual.born.replace(tzinfo=UTC),  # the database keeps no time zone
        certificate=certificate_of(store, individual, as_drawn=plan.keeps_precision()),
        judged=tuple(store.images(individual.id)),
    )


def plan_recipe_export(
    recipe: Recipe,
    sources: Mapping[str, Source],
    target: str | Path,
    *,
    precision: str | None = None,
    statement: LicenceStatement | None = None,
) -> ExportPlan:
    """Plan what a recipe describes, for which there is no run; arguments and errors are those of `plan_export`."""
    path = Path(os.path.expanduser(target))
    plan, entries = _plan(recipe, sources, _name(path), precision, statement)
    content = recipe_card_content(recipe, sources, _name(path), attribution_text(entries))
    return ExportPlan(plan, path, content, entries, date=source_date())


def _plan(
    recipe: Recipe,
    sources: Mapping[str, Source],
    name: str,
    precision: str | None,
    statement: LicenceStatement | None,
) -> tuple[Plan, list[InheritedLicence]]:
    # what was stated of an earlier export of the recipe holds for that one alone
    named = recipe.model_copy(update={"name": name, "licence_statement": None})
    entries = inherited_licences(named, sources)
    stated = with_statement(named, entries, statement)
    return Plan(stated, sources, dtype=PRECISIONS[precision] if precision else None), entries


def _name(target: Path) -> str:
    return target.stem if target.suffix == SINGLE_FILE_SUFFIX else target.name


def _hashes(checkpoint: Path) -> dict[str, str]:
    """Hash what a finished checkpoint is known by; reads its bytes once more."""
    if checkpoint.is_dir():
        return {"unet": open_source(checkpoint).components["unet"].sha256}
    return {
        "tensors": TensorFile(checkpoint).metadata[TENSOR_HASH_KEY].removeprefix("0x"),
        "file": file_sha256(checkpoint),
    }


def _files(checkpoint: Path) -> dict[str, str]:
    """Hash every file that decides a checkpoint's pictures: SHA-256 by its place in the export."""
    folder = checkpoint if checkpoint.is_dir() else about_folder(checkpoint)
    files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    files |= {checkpoint.name: checkpoint} if checkpoint.is_file() else {}
    return {name: file_sha256(file) for name, file in files.items()}
