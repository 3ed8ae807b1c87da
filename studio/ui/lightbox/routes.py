"""Where the lightbox asks for what it shows, and says what somebody thinks of a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeVar

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse

from pipelines.errors import M2N2Error
from studio.access.visitor import Visitor
from studio.i18n import Lang, worded
from studio.judging.annotations import reject, star
from studio.runs.store import RunStore
from studio.ui.common.studio import Studio

from .content import PlaceContent, RunContent, place_content, run_content

T = TypeVar("T")
_SCRIPT = Path(__file__).with_name("lightbox.js")
_MARKS: dict[str, Callable[..., None]] = {"star": star, "reject": reject}


def lightbox_routes(studio: Studio) -> APIRouter:
    """Route what the lightbox's script asks for; what is not there is a 404 with its reason."""
    router = APIRouter()

    @router.get("/lightbox.js")
    def _script() -> Response:
        return FileResponse(_SCRIPT, media_type="text/javascript", headers={"Cache-Control": "no-cache"})

    @router.get("/lightbox/{lang}/{run}")
    def _run(lang: Lang, run: str) -> RunContent:
        return _found(studio, lang, run, lambda store: run_content(store, lang))

    @router.get("/lightbox/{lang}/{run}/{model}/{noise}/{prompt:path}")
    def _place(request: Request, lang: Lang, run: str, model: str, noise: int, prompt: str) -> PlaceContent:
        rater = _visitor(request).name or ""
        return _found(studio, lang, run, lambda store: place_content(store, lang, model, prompt, noise, rater))

    @router.post("/marks/{run}/{model}/{what}/{given}")
    def _mark(
        request: Request, run: str, model: str, what: Literal["star", "reject"], given: Literal["on", "off"]
    ) -> None:
        visitor = _visitor(request)

        def mark(store: RunStore) -> None:
            _MARKS[what](store, store.individual(model), visitor.name or "", on=given == "on")

        _found(studio, "en", run, mark)
        visitor.record("rate an individual", run)

    return router


def _visitor(request: Request) -> Visitor:
    visitor: Visitor = request.user
    return visitor


def _found(studio: Studio, lang: Lang, run: str, read: Callable[[RunStore], T]) -> T:
    try:
        with studio.run(run) as store:
            return read(store)
    except M2N2Error as error:
        raise HTTPException(404, worded(lang, error)) from error
