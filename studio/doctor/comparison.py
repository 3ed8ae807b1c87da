"""How alike sources are: whether they can be merged, and the angles between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.recipes.compatibility import gram_matrices, source_angles
from pipelines.recipes.mergeable import check_mergeable, text_encoder_conflict


def compare_sources(paths: Sequence[str | Path]) -> dict[str, Any]:
    """Whether sources can be merged, and the angles between them.

    Returns:
        JSON: `sources`, `angles` (degrees, per chromosome a matrix), `text_encoders` (why they cannot be merged, or
        null).

    Raises:
        SourceError: a source cannot be opened or merged with the others.
    """
    sources = [open_source_uri(path) for path in paths]
    check_mergeable(sources)
    return {
        "sources": [source.name for source in sources],
        "angles": {name: source_angles(products).tolist() for name, products in gram_matrices(sources).items()},
        "text_encoders": text_encoder_conflict(sources),
    }
