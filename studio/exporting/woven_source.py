"""A merge by mergekit's rules, woven once to a single file that is bred like any other.

NAME.safetensors, and beside it NAME.about/ with the YAML, the licences' texts, and its configuration. The YAML is in
the header too. Licences stand against its weights as they do against those of a recipe.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from pipelines.checkpoints.sources import Source, open_source
from pipelines.exporting.drafts import atomic_outputs, refuse_existing, refuse_in_sources
from pipelines.exporting.export import CONFIG_FOLDER, TENSOR_HASH_KEY, about_folder, write_configs
from pipelines.exporting.manifest import write_manifest
from pipelines.exporting.metadata import single_file_metadata
from pipelines.exporting.provenance import RECIPE_KEY
from pipelines.exporting.single_file import single_file_entries
from pipelines.interchange.documents import portable_yaml
from pipelines.interchange.importing import WovenMerge
from pipelines.interchange.method_component import method_components
from pipelines.recipes.recipe import Recipe, blend
from pipelines.recipes.statement import LicenceStatement
from pipelines.storage.files import write_whole
from pipelines.untrusted import parse_json
from pipelines.weaving.plan import Plan
from pipelines.weaving.weave import weave_file
from studio.licences.gate import check_licences, with_statement
from studio.licences.inheritance import inherited_licences, joint_licence, licence_texts

MERGEKIT_KEY = "m2n2_mergekit"  # in the header: the YAML, models by their names alone
STATEMENT_KEY = (
    "m2n2_licence_statement"  # in the header: why its weights were written although licences stood against it
)
YAML_FILE = "merge.yaml"


def weave_merge(
    merge: WovenMerge,
    target: Path,
    *,
    seed: int = 0,
    statement: LicenceStatement | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Source:
    """Write a merge that is no weighted sum, and open what was written.

    Args:
        merge: what to weave.
        target: the single file to make; must not exist.
        seed: of what the method draws.
        statement: why its weights may be written where licences stand against it.
        progress: called with (bytes written, bytes in all); raise in it to give up.

    Raises:
        LicenceError: licences stand against it, and nobody stated why it may be done.
        M2N2Error: a parameter is missing, the disk has not got the room, or the target is taken.
    """
    sources = {source.name: source for source in (merge.base, *merge.sources)}
    mixed = _mixed(merge, list(sources.values()), target.stem)
    entries = inherited_licences(mixed, sources)
    stated = with_statement(mixed, entries, statement)
    check_licences(stated, entries)
    contents = dataclasses.replace(merge.base.contents, components=method_components(merge, seed))
    whole = Source(merge.base.path, target.stem, contents, uri=str(target), prediction=merge.base.prediction)
    plan = Plan(_mixed(merge, [whole], target.stem), {whole.name: whole})
    text = portable_yaml(merge.chain, seed)
    header = single_file_metadata(
        Plan(mixed, sources),
        title=target.stem,
        description=f"Merged by {merge.document.method.name} as mergekit does.",
        licence=joint_licence(entries),
        tags=("merge", "mergekit"),
    )
    for key in (RECIPE_KEY, f"{RECIPE_KEY}_digest", TENSOR_HASH_KEY):  # of a recipe that it is not
        header.pop(key, None)
    ancestry = parse_json(header["sd_merge_recipe"]) | {"type": "mergekit", "interp_method": merge.document.method.name}
    header["sd_merge_recipe"] = json.dumps({key: value for key, value in ancestry.items() if key != "shares"})
    if stated.licence_statement:
        header[STATEMENT_KEY] = stated.licence_statement.model_dump_json()
    documents = {YAML_FILE: text.encode(), **licence_texts(entries)}
    targets = [target, about_folder(target)]
    refuse_existing(targets)
    refuse_in_sources(targets, sources.values())
    written = single_file_entries(plan)
    size = sum(entry.size for entry in written)

    def report(done: int) -> None:
        if progress:
            progress(done, size)

    with atomic_outputs(*targets, size=size) as (file, about):
        weave_file(plan, written, file, metadata=header | {MERGEKIT_KEY: text}, progress=report)
        write_configs(plan, about / CONFIG_FOLDER)
        for name, content in documents.items():
            write_whole(about / name, content)
        write_manifest(about, file)
    return open_source(target)


def _mixed(merge: WovenMerge, sources: list[Source], name: str) -> Recipe:
    """Return a recipe over checkpoints, equal parts of each: what licences and headers know a merge by."""
    weights = [1 / len(sources)] * len(sources)
    return blend(sources, {"attention": weights, "backbone": weights}, host={"default": sources[0].name}, name=name)
