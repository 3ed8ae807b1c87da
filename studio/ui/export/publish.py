"""One click publishes the recipe of a merge: some licences ask whoever publishes it to publish how it was made."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from studio.exporting.hub_upload import check_push, push_export
from studio.exporting.recipe_package import PACKAGE_ENDING, RecipePackage
from studio.i18n import Lang, t
from studio.ui.common.frame import listen
from studio.ui.common.studio import Studio, download_folder

from .wish import Wish, export_of


class PublishFields(NamedTuple):
    """The components: why it is asked for, where it is to go, the button, what came of it, and the file."""

    asked: gr.Markdown
    repo: gr.Textbox
    go: gr.Button
    told: gr.Markdown
    zipped: gr.DownloadButton


@dataclass(frozen=True)
class Published:
    """A recipe that was published: the zip on this disk, and the repository's page if it went there."""

    path: Path
    page: str | None


def publish(studio: Studio, wish: Wish, repo: str = "") -> Published:
    """Write the recipe of an export as a zip beside it, and upload it if a repository is named.

    Args:
        studio: whose exports folder takes it.
        wish: the page's fields, as the weights were exported by.
        repo: OWNER/NAME; nothing is uploaded where it is empty.

    Raises:
        ExportError: the zip cannot be written, or the hub refuses it.
        M2N2Error: no such run or individual; its sources are gone.
    """
    if repo.strip():
        check_push(repo.strip())
    endings = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    places = (studio.exports / f"{wish.name}{ending}{PACKAGE_ENDING}" for ending in endings)
    target = next(place for place in places if not place.exists())
    written = RecipePackage(export_of(studio, wish), target).write()
    return Published(written.path, push_export(written, repo.strip()) if repo.strip() else None)


def publish_fields(lang: Lang) -> PublishFields:
    """Lay the section out."""
    asked = gr.Markdown(t(lang, "publish_recipe_asked"), visible=False, elem_id="recipe-asked")
    with gr.Row(elem_classes="bar"):
        repo = gr.Textbox(
            label=t(lang, "publish_recipe_repo"),
            info=t(lang, "publish_recipe_info"),
            max_lines=1,
            elem_id="recipe-repo",
        )
        go = gr.Button(t(lang, "publish_recipe"), elem_id="recipe-publish")
    told = gr.Markdown(elem_id="recipe-told")
    zipped = gr.DownloadButton(t(lang, "download_recipe"), visible=False, elem_id="recipe-published")
    return PublishFields(asked, repo, go, told, zipped)


def wire_publishing(studio: Studio, lang: Lang, parts: PublishFields, wished: list[Any]) -> None:
    """Wire the button; `wished` are the inputs of a `Wish`."""

    def on_publish(repo: str, *values: Any) -> list[Any]:
        published = publish(studio, Wish(*values), repo)
        key = "recipe_pushed" if published.page else "recipe_published"
        told = t(lang, key, path=str(published.path), page=published.page or "")
        return [told, gr.DownloadButton(value=str(shutil.copy(published.path, download_folder())), visible=True)]

    listen(
        parts.go.click,
        lang,
        on_publish,
        [parts.repo, *wished],
        [parts.told, parts.zipped],
        role="editor",
        does="publish a recipe",
        concurrency_limit=1,
        concurrency_id="weights",
    )
