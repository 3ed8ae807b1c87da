"""A page for a client: the shortlist's pictures of the pinned prompts, with room for picks and comments.

It is one file that opens anywhere, on a phone too, and asks nobody for anything. What is said on it comes back as a
small JSON object, see `studio.judging.reviews`. It holds no scores, no recipes and no places of this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.prompts.prompt_set import LANGUAGES, Prompt
from pipelines.storage.files import write_whole
from pipelines.storage.pictures import open_picture
from studio.errors import RunError
from studio.i18n import Lang, phrase
from studio.judging.pinned_prompts import pinned_prompts
from studio.judging.reviews import FORMAT, LONGEST_COMMENT, LONGEST_NAME
from studio.judging.shortlist import shortlist
from studio.png_metadata import data_uri
from studio.run_folders.labels import read_label
from studio.runs.individual import Individual
from studio.runs.store import RunStore

from . import standalone

SIDE = 448  # pixels of a picture, at most: half a phone's width, or a large part of it
MOST_REVIEWED = 12  # models: with twelve prompts in two languages a page of full-size pictures has 15 MB
_PIXELS = 256  # pixels: up to here a picture's own are shown


def reviewed_models(store: RunStore) -> list[Individual]:
    """Choose the models for a client's page: the first of the shortlist.

    Raises:
        RunError: the shortlist is empty.
    """
    if found := shortlist(store)[:MOST_REVIEWED]:
        return found
    raise RunError(phrase("shortlist_empty"))


def write_review(store: RunStore, lang: Lang, out: Path) -> Path:
    """Write the page for a client, in a language; returns where.

    Raises:
        M2N2Error: the run cannot be read, or its shortlist is empty.
    """
    write_whole(out, review_html(store, lang, reviewed_models(store)).encode())
    return out


def review_html(store: RunStore, lang: Lang, models: Sequence[Individual]) -> str:
    """Render a page about some models of a run."""
    prompts = pinned_prompts(store)
    return standalone.page(
        "review.html",
        lang,
        title=read_label(store.folder).title or store.name,
        run=store.name,
        format=FORMAT,
        models=[_model(store, one, prompts) for one in models],
        longest_name=LONGEST_NAME,
        longest_comment=LONGEST_COMMENT,
    )


def _model(store: RunStore, one: Individual, prompts: Sequence[Prompt]) -> dict[str, Any]:
    """A model with its pictures of each prompt, in the languages that were kept."""
    rows = []
    for prompt in prompts:
        pictures = [
            {"language": language, "caption": caption, **_embedded(file)}
            for language in LANGUAGES
            if (caption := getattr(prompt, language))
            and (file := store.image(one.id, prompt.id, language, 0)).is_file()
        ]
        if pictures:
            rows.append(pictures)
    return {"id": one.id, "recipe": one.recipe.digest, "rows": rows}


def _embedded(file: Path) -> dict[str, Any]:
    with open_picture(file) as picture:
        return {"src": data_uri(picture, SIDE), "small": max(picture.size) <= _PIXELS}
