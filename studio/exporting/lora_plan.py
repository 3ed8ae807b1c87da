"""A merge shipped as a LoRA against a base that people have: small, with the error that it makes, its papers beside it.

NAME.safetensors, and beside it NAME.about/ with README.md, LICENSE.md, merge-recipe.json, licences/ and samples/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pipelines.checkpoints.sources import Source
from pipelines.errors import ExportError
from pipelines.exporting.export import PRECISIONS, TENSOR_HASH_KEY
from pipelines.exporting.lora_export import LoraError, export_lora, lora_size
from pipelines.exporting.provenance import file_sha256, portable_recipe, portable_uri
from pipelines.recipes.statement import LicenceStatement
from pipelines.weaving.plan import Plan
from studio.i18n import Lang, t
from studio.licences.combination import Clash
from studio.licences.gate import check_licences, with_statement
from studio.licences.inheritance import (
    InheritedLicence,
    inherited_licences,
    joint_licence,
    licence_texts,
    recipe_clashes,
    source_licences,
)

from .export_plan import ExportPlan, Progress
from .licence_papers import licence_notice, licence_table
from .written_export import WrittenExport

RECIPE_FILE = "merge-recipe.json"  # not recipe.json, by which exports are known: a LoRA is not what that rebuilds


@dataclass(frozen=True)
class WrittenLora(WrittenExport):
    """A finished LoRA.

    Attributes:
        errors: how well it holds each component of the merge.
        base: what it is put on.
        other_vae: whether the merge has another VAE than the base.
    """

    errors: tuple[LoraError, ...] = ()
    base: str = ""
    other_vae: bool = False

    def notes(self, lang: Lang) -> list[str]:
        """Say what somebody may not expect of it: what it does not hold."""
        said = [t(lang, "lora_error", **_percentages(error)) for error in self.errors]
        if self.other_vae:
            said.append(t(lang, "lora_vae", base=self.base))
        return [*said, *super().notes(lang)]

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        errors = {
            error.component: {
                "relative_error": error.relative_error,
                "out_of_reach": error.out_of_reach,
                "layers": error.layers,
            }
            for error in self.errors
        }
        return super().as_json() | {"base": self.base, "errors": errors}


@dataclass(frozen=True)
class LoraPlan:
    """A LoRA that is planned and not written yet.

    Attributes:
        export: the single file that it stands for.
        base: what it is put on.
        rank: the most that a layer's factors have in common.
    """

    export: ExportPlan
    base: Source
    rank: int

    @property
    def target(self) -> Path:
        """The file to make."""
        return self.export.target

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the factors: the one asked for, else fp16."""
        return self.export.plan.dtype or PRECISIONS["fp16"]

    @property
    def size(self) -> int:
        """The most bytes that it takes."""
        return lora_size(self.export.plan, self.rank, self.dtype)

    @property
    def clashes(self) -> list[Clash]:
        """What in its licences, the base's among them, stands against publishing it."""
        return recipe_clashes(self.export.plan.recipe, self.inherited)

    @property
    def inherited(self) -> list[InheritedLicence]:
        """Whose weights are in it: those of the merge, and the base that was taken off."""
        entries = inherited_licences(self.export.plan.recipe, self.export.plan.sources)
        known = {entry.name for entry in entries}
        return [*entries, *(entry for entry in source_licences(self.base) if entry.name not in known)]

    def metadata(self) -> dict[str, str]:
        """Make the header, as of the single file, with a LoRA's own words in it."""
        made = dict(self.export.metadata)
        made.pop(TENSOR_HASH_KEY, None)
        return made | {
            "modelspec.architecture": f"{made['modelspec.architecture']}/lora",
            "modelspec.license": joint_licence(self.inherited),
            "modelspec.tags": "lora,merge,m2n2",
        }

    def readme(self, errors: Sequence[LoraError] = ()) -> str:
        """Write the README; before the file is written, without the errors, which are not known yet."""
        name, place = self.target.name, portable_uri(self.base)
        rows = [
            f"| {error.component} | {error.layers} | {error.relative_error:.1%} | {error.out_of_reach:.1%} |"
            for error in errors
        ]
        return "\n".join(
            [
                f"# {self.export.content.title}: LoRA",
                "",
                self.export.content.summary,
                "",
                f"This file is a LoRA of rank {self.rank}. Put on `{place}` at strength 1, it gives the merge that "
                f"`{RECIPE_FILE}` describes, but for the error below: the norm of what is missing over the norm of the "
                "whole difference. The last column is what no LoRA of any rank holds: norms, biases and embeddings.",
                "",
                "| component | layers | error | of it out of reach |",
                "| --- | --- | --- | --- |",
                *rows,
                "",
                "## How to use it",
                "",
                "ComfyUI: into `models/loras`, with *Load LoRA* after the base. A1111 and Forge: into `models/Lora`, "
                f"and `<lora:{self.target.stem}:1>` in the prompt. diffusers:",
                "",
                "```python",
                f'pipeline.load_lora_weights(".", weight_name={name!r})',
                "```",
                "",
                "## What it inherits",
                "",
                *licence_table(self.export.plan, self.inherited),
                "",
                *(
                    ["## Attribution", "", self.export.content.attribution, ""]
                    if self.export.content.attribution
                    else []
                ),
            ]
        )

    def documents(self, errors: Sequence[LoraError]) -> dict[str, bytes]:
        """Make everything that goes along with the file, by its place in NAME.about."""
        plan, content = self.export.plan, self.export.content
        return {
            "README.md": self.readme(errors).encode(),
            RECIPE_FILE: portable_recipe(plan).to_json().encode(),
            "LICENSE.md": licence_notice(plan, content, self.inherited).encode(),
            **licence_texts(self.inherited),
            **{f"samples/{sample.name}": sample.content for sample in content.samples},
        }

    def write(self, progress: Progress | None = None) -> WrittenLora:
        """Write the file and the documents.

        Args:
            progress: called with (bytes of weights seen, bytes in all); raise in it to give up.

        Raises:
            LicenceError: licences stand against it, and nobody stated why it may be done.
            M2N2Error: see `pipelines.exporting.lora_export`; nothing half-written is left behind.
        """
        plan = self.export.plan
        check_licences(plan.recipe, self.inherited)

        def documents(_: Path, errors: tuple[LoraError, ...]) -> Mapping[str, bytes]:
            return self.documents(errors)

        errors = export_lora(
            plan,
            self.base,
            self.target,
            rank=self.rank,
            dtype=self.dtype,
            metadata=self.metadata(),
            documents=documents,
            progress=progress,
        )
        path = self.target
        return WrittenLora(
            path,
            path.stat().st_size,
            {"file": file_sha256(path)},
            self.inherited,
            portable_recipe(plan),
            self.export.merge_notes,
            errors=errors,
            base=self.base.name,
            other_vae=self._has_other_vae(),
        )

    def _has_other_vae(self) -> bool:
        """Return whether the merge's VAE is not the base's, which a LoRA does not hold."""
        if "vae" not in self.base.components:
            return True
        return self.export.plan.lender("vae").components["vae"].sha256 != self.base.components["vae"].sha256


def plan_lora(export: ExportPlan, base: Source, rank: int, statement: LicenceStatement | None = None) -> LoraPlan:
    """Plan a LoRA that stands for a planned single file.

    Args:
        export: the single file.
        base: what the LoRA is put on.
        rank: the most that a layer's factors have in common.
        statement: why the licences of the merge and the base together may be gone against.

    Raises:
        ExportError: eight bits, which no LoRA has.
    """
    if export.plan.dtype != export.plan.rest_dtype:
        raise ExportError("A LoRA in eight bits is read by nobody. Expected fp16, bf16 or fp32; fp16 is usual.")
    planned = LoraPlan(export, base, rank)
    recipe = with_statement(export.plan.recipe, planned.inherited, statement)
    if recipe == export.plan.recipe:
        return planned
    plan = Plan(recipe, export.plan.sources, dtype=export.plan.dtype)
    return replace(planned, export=replace(export, plan=plan))


def _percentages(error: LoraError) -> dict[str, str]:
    return {
        "component": error.component,
        "error": f"{error.relative_error:.1%}",
        "out_of_reach": f"{error.out_of_reach:.1%}",
        "layers": str(error.layers),
    }
