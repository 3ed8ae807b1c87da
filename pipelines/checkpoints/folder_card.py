"""The model card of a checkpoint folder, and the licence that it or a file's header states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.untrusted import UnreadableDocument, parse_yaml, read_text

_FENCE = "---"


def read_card(folder: Path) -> Mapping[str, Any]:
    """Return the front matter of a folder's README.md; empty where there is none, or none that can be read."""
    try:
        lines = read_text(folder / "README.md").lstrip().splitlines()
        if not lines or lines[0].rstrip() != _FENCE:
            return {}
        fence = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), 0)
        front = parse_yaml("\n".join(lines[1:fence]))
    except (OSError, UnreadableDocument):
        return {}
    return front if isinstance(front, dict) else {}


def stated_licence(card: Mapping[str, Any], metadata: Mapping[str, str]) -> str | None:
    """Return the licence that a card's front matter or a file's header names; `None` where they name none."""
    named = card.get("license_name") or card.get("license") or metadata.get("modelspec.license")
    return str(named) if named else None
