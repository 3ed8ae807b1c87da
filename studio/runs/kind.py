"""Runs that breed any other network, scored by a function that a person wrote; no pictures, no pages.

Read in this order:

    config    what such a run is asked to do: frozen, typed, YAML with `kind: any`
    scorer    the person's function: found, called, its errors told apart from scores
    run       sources, offspring, report: the loop over the same search and the same store as for pictures
    commands  what `m2n2 evolve`, `show`, `export` and `merge` do for such runs
"""

from pathlib import Path

import yaml


def is_any(path: Path) -> bool:
    """Whether a run file, or the folder of a run, breeds any other network."""
    try:
        text = (path / "run.yaml" if path.is_dir() else path).read_text("utf-8")
        content = yaml.safe_load(text) if "kind" in text else None  # pages ask this of every run, again and again
    except (OSError, ValueError, yaml.YAMLError):
        return False  # who opens it says why it cannot be read
    return isinstance(content, dict) and content.get("kind") == "any"
