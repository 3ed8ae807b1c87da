"""Which kind of run a folder or a run file holds: one that draws pictures, or one over any other network."""

from __future__ import annotations

import functools
from pathlib import Path

import yaml


def is_any(path: Path) -> bool:
    """Whether a run file, or the folder of a run, breeds any other network; an unchanged file is read once."""
    file = path / "run.yaml" if path.is_dir() else path
    try:
        facts = file.stat()
        return _names_any(file, facts.st_mtime_ns, facts.st_size)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return False  # who opens it says why it cannot be read


@functools.lru_cache(maxsize=4096)  # pages ask this of every run, again and again
def _names_any(file: Path, changed: int, size: int) -> bool:
    """The same of a file as it stands: `changed`, in nanoseconds, and `size` tell one state from another."""
    text = file.read_text("utf-8")
    content = yaml.safe_load(text) if "kind" in text else None
    return isinstance(content, dict) and content.get("kind") == "any"
