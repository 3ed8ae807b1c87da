"""What a source is, in plain words, and what is wrong with it: for the command line and the page of sources."""

from __future__ import annotations

from pipelines.architectures.keys import WEIGHTED_COMPONENTS
from pipelines.checkpoints.completeness import PARTS
from pipelines.checkpoints.sources import Source
from pipelines.errors import SourceError
from studio.i18n import Lang, t


def describe_source(lang: Lang, source: Source) -> str:
    """Say what a source is: a whole checkpoint, a torn one or a part alone, in which form, and what of it is there."""
    held = [part for part in WEIGHTED_COMPONENTS if part in source.components or part in source.contents.unusable]
    form = "file" if source.path.is_file() else "folder"
    extent = "whole" if len(held) == len(WEIGHTED_COMPONENTS) else "alone" if len(held) == 1 else "some"
    if source.shortfalls or source.contents.unusable:
        extent = "torn"
    parts = ", ".join(PARTS[part] for part in held)
    return t(lang, f"source_{extent}", form=t(lang, f"source_form_{form}"), parts=parts)


def source_problems(source: Source) -> dict[str, str]:
    """Return what keeps a source's components from being used, by component; reads every byte that was not read yet."""
    problems = {}
    for part in WEIGHTED_COMPONENTS:
        if part not in source.components and part not in source.contents.unusable:
            continue
        if problem := source.problem(part):
            problems[part] = problem
            continue
        try:
            _ = source.components[part].sha256
        except SourceError as error:
            problems[part] = f"has a {PARTS[part]} ({part}) that cannot be used: {str(error).rstrip('.')}"
    return problems
