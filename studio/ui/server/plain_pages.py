"""Pages that are plain HTML, without Gradio and without a script: their templates."""

from __future__ import annotations

import functools
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

_TEMPLATES = Path(__file__).resolve().parent / "templates"


@functools.cache
def template(name: str) -> Template:
    """Return the template in a file of this name; what is filled in is escaped, and has to be given."""
    loader = FileSystemLoader(_TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)
