"""Exports that lie on the disk: whether one is still what was written, and what killed processes left half-written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from markupsafe import Markup

from pipelines.storage.unfinished import Leftover, leftovers, remove_leftover
from studio.errors import RunError
from studio.exporting.registry import list_exports
from studio.exporting.verification import Verification, verify_export
from studio.formatting import format_bytes
from studio.i18n import Lang, t
from studio.ui.common.cancellable import CancellableWork, Cancelled
from studio.ui.common.field_errors import at_field
from studio.ui.common.frame import listen
from studio.ui.common.studio import Studio

from .steps import Clock

SHOWN = 20  # differences, and leftovers, that are listed by name
HIDDEN = {"show_progress": "hidden"}


def export_names(studio: Studio) -> list[str]:
    """List the names of the exports, newest first."""
    return [export.name for export in list_exports(studio.exports)]


def verify(
    studio: Studio, name: str | None, *, deep: bool, progress: Callable[[int, int], None] | None = None
) -> Verification:
    """Verify an export by its name; only one that is listed reaches the disk.

    Raises:
        RunError: there is none of that name.
        M2N2Error: see `verify_export`.
    """
    export = next((one for one in list_exports(studio.exports) if one.name == name), None)
    if export is None:
        with at_field("verify-which"):
            raise RunError(
                "There is no export called {name!r} in {folder}. Choose one of the list.",
                name=name,
                folder=studio.exports,
            )
    return verify_export(export, progress, deep=deep)


def verdict(lang: Lang, name: str, verification: Verification) -> Markup:
    """Say what came of verifying an export."""
    found = verification.sentences(lang)
    more = [t(lang, "and_more", n=len(found) - SHOWN)] if len(found) > SHOWN else []
    listed = Markup("").join(Markup("<li>{}</li>").format(sentence) for sentence in (*found[:SHOWN], *more))
    unchecked = Markup("").join(
        Markup('<p class="quiet">{}</p>').format(t(lang, f"verify_unchecked_{what}")) for what in verification.unchecked
    )
    head = t(lang, "verify_same" if verification.same else "verify_differs", name=name)
    return Markup('<div class="verdict {}"><p><b>{}</b></p><ul>{}</ul>{}</div>').format(
        "same" if verification.same else "differs", head, listed, unchecked
    )


def leftovers_text(lang: Lang, found: list[Leftover]) -> Markup:
    """Say what lies half-written among the exports; nothing where nothing does."""
    if not found:
        return Markup("")
    rows = Markup("").join(
        Markup("<li><code>{}</code> ({})</li>").format(leftover.path.name, format_bytes(leftover.size))
        for leftover in found[:SHOWN]
    )
    size = format_bytes(sum(leftover.size for leftover in found))
    said = t(lang, "leftovers", n=len(found), size=size)
    return Markup('<div class="leftovers"><p>{}</p><ul>{}</ul></div>').format(said, rows)


def remove_leftovers(studio: Studio) -> list[Leftover]:
    """Remove what lies half-written among the exports; returns what is left of it.

    Raises:
        OSError: something cannot be removed.
    """
    for leftover in leftovers(studio.exports):
        remove_leftover(leftover)
    return leftovers(studio.exports)


def exports_on_disk(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay out the part of the page that is about exports which were written, and wire it."""
    verifying = CancellableWork()
    half_written = gr.HTML(elem_id="leftovers", visible=False)
    remove = gr.Button(t(lang, "leftovers_remove"), elem_id="remove-leftovers", visible=False)
    with gr.Accordion(t(lang, "on_disk"), open=False, elem_id="on-disk") as part:
        with gr.Row(elem_classes="bar"):
            which = gr.Dropdown([], label=t(lang, "export_name"), scale=3, elem_id="verify-which")
            deep = gr.Checkbox(
                value=True, label=t(lang, "verify_deep"), info=t(lang, "verify_deep_info"), scale=3, elem_id="deep"
            )
            go = gr.Button(t(lang, "verify"), scale=1, elem_id="verify")
            cancel = gr.Button(t(lang, "cancel"), variant="stop", scale=1, elem_id="verify-cancel", visible=False)
        said = gr.HTML(elem_id="verified", min_height=40)

    def offer(found: list[Leftover]) -> list[Any]:
        return [gr.HTML(leftovers_text(lang, found), visible=bool(found)), gr.Button(visible=bool(found))]

    def on_load() -> list[Any]:
        return offer(leftovers(studio.exports))

    def on_remove() -> list[Any]:
        return offer(remove_leftovers(studio))

    def on_expand(chosen: str | None) -> Any:
        names = export_names(studio)
        return gr.Dropdown(choices=names, value=chosen if chosen in names else next(iter(names), None))

    def on_begin(request: gr.Request) -> list[Any]:
        verifying.begin(request)
        return [gr.Button(interactive=False), gr.Button(visible=True, interactive=True), ""]

    def on_verify(
        name: str | None,
        thoroughly: bool,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> str:
        clock = Clock(lang)

        def tell(done: int, of: int) -> None:
            verifying.check(request)
            progress(done / max(1, of), desc=clock.words(done, of), unit="%")

        try:
            return verdict(lang, str(name), verify(studio, name, deep=thoroughly, progress=tell))
        except Cancelled:
            return Markup("<p>{}</p>").format(t(lang, "verify_cancelled"))

    def on_cancel(request: gr.Request) -> Any:
        verifying.stop(request)
        return gr.Button(interactive=False)

    def on_end(request: gr.Request) -> list[Any]:
        verifying.end(request)
        return [gr.Button(interactive=True), gr.Button(visible=False)]

    listen(demo.load, lang, on_load, None, [half_written, remove], role="viewer", **HIDDEN)
    listen(
        remove.click,
        lang,
        on_remove,
        None,
        [half_written, remove],
        role="editor",
        does="remove what is half-written",
        **HIDDEN,
    )
    listen(part.expand, lang, on_expand, which, which, role="viewer", **HIDDEN)
    began = listen(go.click, lang, on_begin, None, [go, cancel, said], role="editor", **HIDDEN)
    ended = listen(
        began.then, lang, on_verify, [which, deep], said, role="editor", concurrency_limit=1, concurrency_id="weights"
    )
    for after in (ended.then, ended.failure):
        listen(after, lang, on_end, None, [go, cancel], role="editor", **HIDDEN)
    listen(cancel.click, lang, on_cancel, None, cancel, role="editor", **HIDDEN)
