"""The model card of a checkpoint folder, and the licence that it or a file's header states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub.repocard import metadata_load


def read_card(folder: Path) -> Mapping[str, Any]:
    """Return the front matter of a folder's README.md; empty where there is none, or none that can be read."""
    try:
        return metadata_load(folder / "README.md") or {}
    except (OSError, ValueError, yaml.YAMLError):
        return {}


def stated_licence(card: Mapping[str, Any], metadata: Mapping[str, str]) -> str | None:
    """Return the licence that a card's front matter or a file's header names; `None` where they name none."""
    named = card.get("license_name") or card.get("license") or metadata.get("modelspec.license")
    return str(named) if named else None
