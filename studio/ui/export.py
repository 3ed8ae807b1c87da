"""The Export page: an individual as a checkpoint that plain diffusers opens, with its recipe and licences."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from pipelines.export import export_size
from pipelines.weave import Plan
from studio.errors import RunError
from studio.i18n import Lang, t
from studio.ledger import inherited
from studio.models import open_recipe_sources
from studio.ship import ship, snippet

from . import views
from .evolve import current
from .shared import Studio, asked, choices, gigabytes, head, listen

_NAME = re.compile(r"[\w][\w .-]{0,79}")  # one folder's name: letters of any script, digits, no separators


@dataclass(frozen=True)
class Offer:
    """What an export of one individual would be."""

    licences: list[list[str]]
    size: int
    free: int
    folder: Path


def offer(studio: Studio, lang: Lang, name: str, id: str, title: str) -> Offer:
    """Size, place and licences of an export, before anything is written.

    Raises:
        M2N2Error: no such individual; its sources are gone; the title is no folder's name.
    """
    with studio.run(name) as store:
        recipe = store.individual(id).recipe
    sources = open_recipe_sources(recipe)
    entries = inherited(recipe, sources)
    rows = [
        [
            entry.name,
            entry.licence or t(lang, "licence_unknown"),
            ", ".join(entry.parts),
            entry.duty(lang) or t(lang, "read_it"),
        ]
        for entry in entries
    ]
    folder = target(studio, title)
    free = shutil.disk_usage(studio.runs).free
    return Offer(rows, export_size(Plan(recipe, sources)), free, folder)


def target(studio: Studio, title: str) -> Path:
    """Where an export of that title is written.

    Raises:
        RunError: the title cannot be a folder's name.
    """
    if not _NAME.fullmatch(title.strip()):
        raise RunError(
            f"The name {title!r} cannot be a folder's. Expected letters, digits, spaces, dots and dashes, at most 80, "
            "the first a letter or a digit."
        )
    return studio.exports / title.strip()


@dataclass(frozen=True)
class Done:
    """A finished export."""

    folder: Path
    sha256: str
    code: str


def export(studio: Studio, name: str, id: str, title: str, progress: Callable[[int, int], None] | None = None) -> Done:
    """Write the checkpoint.

    Raises:
        M2N2Error: see `studio.ship.ship`; nothing half-written is left behind.
    """
    folder = target(studio, title)
    with studio.run(name) as store:
        folder = ship(store, id, folder, title=title.strip(), progress=progress)
        config = store.config
    return Done(folder, _sha256(folder / "unet" / "diffusion_pytorch_model.safetensors"), snippet(str(folder), config))


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def recipe_file(studio: Studio, name: str, id: str) -> Path:
    """The recipe alone, as a file to download; `m2n2 merge` rebuilds the weights from it and the sources."""
    with studio.run(name) as store:
        recipe = store.individual(id).recipe
    path = Path(tempfile.mkdtemp(prefix="m2n2-recipe-")) / f"{name}-{id}.recipe.json"
    recipe.save(path)
    return path


def first_choice(studio: Studio, lang: Lang, name: str, id: str | None) -> tuple[list[tuple[str, str]], str | None]:
    """Who can be exported, and who is chosen at first: the one asked for, else the child the report is about."""
    with studio.run(name) as store:
        found = choices(lang, store)
        ids = [value for _, value in found]
        if id and id not in ids:
            store.individual(id)  # refuses an unknown one; the dead can be exported too
            found, ids = [(id, id), *found], [id, *ids]
        child = store.get("child")
    return found, next((value for value in (id, child, *ids) if value in ids), None)


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    head(lang, "export")
    empty = gr.HTML(views.message(t(lang, "no_runs")), visible=False)
    with gr.Row(elem_classes="bar"):
        chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
        who = gr.Dropdown([], label=t(lang, "individual"), scale=2)
        title = gr.Textbox(label=t(lang, "title"), scale=2, max_lines=1)
    with gr.Row(equal_height=False):
        with gr.Column(scale=3):
            licences = gr.Dataframe(
                headers=[t(lang, key) for key in ("source_name", "licence", "gives", "duty")],
                label=t(lang, "licences"),
                interactive=False,
                wrap=True,
                column_widths=["12%", "20%", "34%", "34%"],
            )
        with gr.Column(scale=2):
            facts = gr.Markdown(container=True, min_height=110, elem_id="facts")
            go = gr.Button(t(lang, "export"), variant="primary", elem_id="go")
            recipe = gr.DownloadButton(t(lang, "recipe_only"), elem_id="recipe")
    with gr.Column(elem_id="done"):
        done = gr.Markdown(min_height=60, elem_id="finished")
        code = gr.Code(
            language="python", label=t(lang, "open_in_diffusers"), interactive=False, visible=False, buttons=["copy"]
        )

    def described(name: str | None, id: str | None, called: str) -> list[Any]:
        if not name or not id:
            return [gr.skip(), "", gr.Button(interactive=False), gr.DownloadButton(interactive=False)]
        found = offer(studio, lang, name, id, called)
        words = t(lang, "facts", size=gigabytes(found.size), free=gigabytes(found.free), folder=str(found.folder))
        file = gr.DownloadButton(value=str(recipe_file(studio, name, id)), interactive=True)
        return [found.licences, words, gr.Button(interactive=True), file]

    def filled(name: str | None, id: str | None = None) -> list[Any]:
        if name is None:
            return [gr.skip(), "", *described(None, None, "")]
        found, first = first_choice(studio, lang, name, id)
        called = f"{name}-{first}"
        return [gr.Dropdown(choices=found, value=first), called, *described(name, first, called)]

    def on_load(request: gr.Request) -> list[Any]:
        name = current(studio, asked(request, "run"))
        return [
            gr.HTML(visible=name is None),
            gr.Dropdown(choices=studio.names(), value=name),
            *filled(name, asked(request, "id")),
        ]

    def on_who(name: str, id: str) -> list[Any]:
        called = f"{name}-{id}"
        return [called, *described(name, id, called)]

    def on_title(name: str, id: str, called: str) -> Any:
        return described(name, id, called)[1]

    def on_export(name: str, id: str, called: str, progress: gr.Progress = gr.Progress()) -> tuple[str, Any]:  # noqa: B008
        written = export(
            studio,
            name,
            id,
            called,
            lambda done, of: progress(
                done / max(1, of), desc=t(lang, "written", done=gigabytes(done), of=gigabytes(of)), unit="%"
            ),
        )
        return t(lang, "exported", folder=str(written.folder), sha256=written.sha256), gr.Code(
            written.code, visible=True
        )

    offered = [licences, facts, go, recipe]
    listen(demo.load, lang, on_load, None, [empty, chosen, who, title, *offered], show_progress="hidden")
    listen(chosen.input, lang, filled, chosen, [who, title, *offered], show_progress="hidden")
    listen(who.input, lang, on_who, [chosen, who], [title, *offered], show_progress="hidden")
    listen(title.blur, lang, on_title, [chosen, who, title], facts, show_progress="hidden")
    listen(
        go.click,
        lang,
        on_export,
        [chosen, who, title],
        [done, code],
        show_progress_on=done,
        concurrency_limit=1,
        concurrency_id="weights",
    )
