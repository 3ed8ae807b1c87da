"""A run's shortlist as pages take it: a button that fills a field of models with it, an address that asks for it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import RunError
from studio.i18n import Lang, phrase, t
from studio.judging.shortlist import shortlist

from .field_errors import at_field
from .frame import listen, query_value
from .studio import Studio


def fill_with_shortlist(
    studio: Studio, lang: Lang, button: gr.Button, chosen: gr.Dropdown, models: gr.Dropdown, most: int
) -> Any:
    """Wire a button that fills a field of models with the shortlist of the run that is chosen.

    Returns:
        what happens at a press, for what comes after it.
    """

    def on_press(name: str | None) -> list[str]:
        return shortlist_ids(studio, lang, name, most) if name else []

    return listen(button.click, lang, on_press, chosen, models, role="viewer", show_progress="hidden")


@at_field("models")
def shortlist_ids(studio: Studio, lang: Lang, name: str, most: int) -> list[str]:
    """Return the ids of a run's shortlist, as many as fit; says which do not.

    Raises:
        RunError: there is no such run, or its shortlist is empty.
    """
    with studio.run(name) as store:
        ids = [one.id for one in shortlist(store)]
    if not ids:
        raise RunError(phrase("shortlist_empty"))
    if left := ids[most:]:
        gr.Info(t(lang, "models_left_out", most=most, models=", ".join(left)))
    return ids[:most]


def asks_for_shortlist(studio: Studio, name: str | None, request: gr.Request) -> bool:
    """Whether an address asks for the shortlist alone, of a run that has one."""
    if name is None or query_value(request, "shortlist") != "1":
        return False
    with studio.run(name) as store:
        return bool(shortlist(store))
