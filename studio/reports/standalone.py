"""Pages that open anywhere without a server: templates filled in, with styles and pictures inside the one file."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from studio.i18n import Lang, t

_TEMPLATES = Path(__file__).resolve().parent / "templates"


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, lang: Lang, **values: Any) -> str:
    """Fill a template in; in it, `t` says a phrase in the page's language and everything from outside is escaped."""
    return _environment().get_template(template).render(lang=lang, t=functools.partial(t, lang), **values)
