"""A merge of any other network than SDXL, written as a folder like its host's; licences bind it as any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipelines.architectures.keys import MODEL
from pipelines.checkpoints.sources import open_network
from pipelines.exporting.export import SINGLE_FILE_SUFFIX, export_network
from pipelines.exporting.provenance import portable_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.statement import LicenceStatement
from pipelines.weaving.plan import Plan
from studio.library.model_reference import open_recipe_networks
from studio.licences.gate import check_licences, with_statement
from studio.licences.inheritance import inherited_licences

from .written_export import WrittenExport


def write_network(
    recipe: Recipe,
    target: Path,
    *,
    relative_to: Path = Path(),
    statement: LicenceStatement | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> WrittenExport:
    """Weave a recipe of any network into a folder.

    Args:
        recipe: the merge.
        target: the folder to make.
        relative_to: the folder that the recipe's relative places start from.
        statement: why its weights may be written where licences stand against it.
        progress: called with (bytes written, bytes in all); raise in it to give up.

    Raises:
        LicenceError: licences stand against it, and nobody stated why it may be done.
        M2N2Error: its sources are gone or changed, or the folder cannot be written.
    """
    sources = open_recipe_networks(recipe, relative_to=relative_to)
    named = recipe.model_copy(update={"name": target.name, "licence_statement": None})
    entries = inherited_licences(named, sources)
    stated = with_statement(named, entries, statement)
    check_licences(stated, entries)
    plan = Plan(stated, sources)
    path = export_network(plan, target, progress=progress)
    hashes = {MODEL: open_network(path).components[MODEL].sha256}
    size = sum(file.stat().st_size for file in path.glob(f"*{SINGLE_FILE_SUFFIX}"))
    return WrittenExport(path, size, hashes, entries, portable_recipe(plan))
