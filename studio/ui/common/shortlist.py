"""A run's shortlist as pages take it: a button that fills a field of models with it, an address that asks for it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.errors import RunError
from studio.i18n import Lang, phrase, t
from studio.judging.shortlist import Finalists, finalists, shortlist

from .field_errors import at_field
from .frame import listen, query_value
from .studio import Studio

MOST_COMPARED = 8  # models that Compare shows under each other


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
    """Return the ids of a run's shortlist, as many as fit; says which do not, and that votes decide who does.

    Raises:
        RunError: there is no such run, or its shortlist is empty.
    """
    with studio.run(name) as store:
        found = finalists(store, shortlist(store), most)
    if not found.ids:
        raise RunError(phrase("shortlist_empty"))
    if words := left_out_words(lang, found):
        gr.Info(words)
    return list(found.ids)


def left_out_words(lang: Lang, found: Finalists) -> str:
    """Say who does not fit, and what decides who does; empty where everybody fits."""
    if not found.left_out:
        return ""
    words = "finalists_by_votes" if found.by_votes else "finalists_before_votes"
    return t(lang, words, most=len(found.ids), models=", ".join(found.left_out))


def asks_for_shortlist(studio: Studio, name: str | None, request: gr.Request) -> bool:
    """Whether an address asks for the shortlist alone, of a run that has one."""
    if name is None or query_value(request, "shortlist") != "1":
        return False
    with studio.run(name) as store:
        return bool(shortlist(store))
