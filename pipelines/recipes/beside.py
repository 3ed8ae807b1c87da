"""Where a recipe's file says its sources lie: beside it, where they do, so that a folder of both can be moved.

Only the file that a person saves says so. What is exported names its sources without any place.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from pipelines.checkpoints.hub_names import parse_hub_id
from pipelines.checkpoints.source_expression import parse_source

from .recipe import Recipe


def with_places_beside(recipe: Recipe, file: Path) -> Recipe:
    """Return a recipe for a file: a source that lies in its folder, or below it, by a path that starts there."""
    folder = file.absolute().parent
    sources = [one.model_copy(update={"uri": _from(folder, one.uri)}) for one in recipe.sources]
    return recipe.model_copy(update={"sources": tuple(sources)})


def _from(folder: Path, uri: str) -> str:
    written = parse_source(uri)
    adapters = tuple((scale, _relative(folder, adapter)) for scale, adapter in written.adapters)
    return replace(written, base=_relative(folder, written.base), adapters=adapters).uri


def _relative(folder: Path, place: str) -> str:
    """Return a path below a folder as it is written there; another one, or a hub id, as it is."""
    if not os.path.isabs(place) or not Path(place).is_relative_to(folder):
        return place
    below = Path(place).relative_to(folder).as_posix()
    return f"./{below}" if parse_hub_id(below) else below
