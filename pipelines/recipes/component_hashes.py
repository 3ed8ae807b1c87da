"""The hashes by which a recipe names the components of its sources."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from pipelines.errors import SourceError

if TYPE_CHECKING:  # a recipe is read without torch
    from pipelines.checkpoints.sources import Source


def component_hashes(source: Source, needed: Collection[str]) -> dict[str, str]:
    """Return the SHA-256 of each component of a source by which a recipe names it.

    Args:
        source: the source; its weights are read where they have not been hashed yet.
        needed: the components that the recipe takes of it; others that hold NaN are left out.

    Raises:
        SourceError: a needed component holds NaN or infinity.
    """
    hashes = {}
    for part in sorted(source.components):
        try:
            hashes[part] = source.components[part].sha256
        except SourceError:
            if part in needed:
                raise
    return hashes
