"""A recipe-only export: a small zip from which anybody who has the sources rebuilds the same weights.

NAME.recipe.zip
    README.md       what it is made of, and how to rebuild it
    recipe.json     without the paths of this machine
    hashes.json     what the rebuilt weights are known by
    rebuild.py      the two commands of the README
    LICENSE.md      whose work it is; licences/ holds the texts
"""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import ExportError
from pipelines.exporting.drafts import refuse_in_sources
from pipelines.exporting.export import PRECISIONS
from pipelines.exporting.provenance import portable_recipe
from pipelines.exporting.verify import Progress, woven_hashes
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import write_whole
from studio.licences.inheritance import licence_texts
from studio.markdown import markdown_code, markdown_text

from .export_plan import ExportPlan
from .licence_papers import licence_notice, licence_table, permission_table
from .model_card import is_full_size
from .written_export import WrittenExport

PACKAGE_ENDING = ".recipe.zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip knows: the same recipe gives the same bytes


@dataclass(frozen=True)
class RecipePackage:
    """A recipe-only export that is planned; `export` is the export that it stands for."""

    export: ExportPlan
    target: Path

    @property
    def checkpoint(self) -> str:
        """The folder or file that rebuilding makes."""
        return self.export.target.name

    @property
    def recipe(self) -> Recipe:
        """The recipe that goes along."""
        return portable_recipe(self.export.plan)

    @property
    def commands(self) -> list[str]:
        """The commands that rebuild the weights and check them, run where the zip was opened."""
        name, dtype = shlex.quote(self.checkpoint), self.export.plan.dtype
        precision = "".join(f" --dtype {key}" for key, kind in PRECISIONS.items() if kind == dtype)
        return [
            f"m2n2 merge recipe.json{precision} --out {name}",
            f"m2n2 verify {name} --hashes hashes.json",
        ]

    def readme(self, hashes: Mapping[str, str] | None = None) -> str:
        """Write the package's README; before the weights were woven, without their hashes."""
        export = self.export
        digests = hashes or {"unet": "known when it is written"}
        return "\n".join(
            [
                f"# {markdown_text(export.content.title)}: recipe",
                "",
                export.content.summary,
                "",
                "There are no weights here. The recipe names the sources by the hashes of their weights, and says how "
                "much of each goes where; the same sources give the same bytes on any machine.",
                "",
                "## What it is made of",
                "",
                *licence_table(export.plan, export.inherited),
                "",
                *permission_table(export.inherited),
                "",
                "## Rebuild it",
                "",
                f"1. Install m2n2-studio{', and have room for it' if is_full_size(export.plan) else ''}: "
                f"the weights take {export.size / 1e9:.2f} GB.",
                "2. Put these sources, or links to them, beside this file: "
                + (", ".join(map(markdown_code, self._places())) or "none, all of them are fetched from the hub")
                + ". `recipe.json` names them as `uri`; another path there does as well.",
                "3. Run `python rebuild.py`, or by hand:",
                "",
                "```sh",
                *self.commands,
                "```",
                "",
                "The second command reads every byte back and ends with an error if one differs.",
                "",
                *self._barred(),
                *(f"- sha256 of the tensors of {part}: `{digest}`" for part, digest in digests.items()),
                "",
                *(["## Attribution", "", export.content.attribution, ""] if export.content.attribution else []),
            ]
        )

    def write(self, progress: Progress | None = None) -> WrittenExport:
        """Weave the weights to know their hashes, and write the zip: licences stand against weights, not against this.

        Args:
            progress: called with (bytes woven, bytes in all); raise in it to give up.

        Raises:
            ExportError: the target is taken, or cannot be written.
        """
        if self.target.exists():
            raise ExportError("{path} exists already. Expected a new name; choose another one.", path=self.target)
        refuse_in_sources([self.target], self.export.plan.sources.values())
        hashes = woven_hashes(self.export.plan, progress)
        try:
            write_whole(self.target, _zipped(self.documents(hashes)))
        except OSError as error:
            raise ExportError(
                "{path} could not be written: {reason}. Nothing was left behind; free some "
                "space or choose another place, and export again.",
                path=self.target,
                reason=error.strerror or error,
            ) from error
        return WrittenExport(
            self.target, self.target.stat().st_size, hashes, self.export.inherited, self.recipe, holds_weights=False
        )

    def documents(self, hashes: Mapping[str, str]) -> dict[str, bytes]:
        """Make the files of the zip, by name."""
        content: dict[str, Any] = {"recipe": self.recipe.digest, "sha256": dict(hashes)}
        export = self.export
        return {
            "README.md": self.readme(hashes).encode(),
            "recipe.json": self.recipe.to_json().encode(),
            "hashes.json": (json.dumps(content, indent=1) + "\n").encode(),
            "rebuild.py": self._script().encode(),
            "LICENSE.md": licence_notice(export.plan, export.content, export.inherited).encode(),
            **licence_texts(export.inherited),
        }

    def _barred(self) -> list[str]:
        """Say what stands against the weights, for which rebuilding takes a reason too."""
        about = [f"- {markdown_text(clash.sentence('en'))}" for clash in self.export.clashes]
        if not about:
            return []
        return ["Licences stand against these weights; rebuilding them takes `--licence-reason`:", "", *about, ""]

    def _places(self) -> list[str]:
        """List the sources that rebuilding looks for beside the recipe; those of the hub are fetched."""
        at_home = [name for name, source in self.export.plan.sources.items() if source.uri == str(source.path)]
        return [one.uri for one in self.recipe.sources if one.name in at_home]

    def _script(self) -> str:
        commands = "".join(f"    {shlex.split(command)!r},\n" for command in self.commands)
        return (
            f'"""Rebuild {self.checkpoint.replace(chr(34), "")} from its sources, and check every byte."""\n\n'
            "import os\nimport subprocess\n\n"
            "os.chdir(os.path.dirname(os.path.abspath(__file__)))\n"
            f"for command in [\n{commands}]:\n    subprocess.run(command, check=True)\n"
        )


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
