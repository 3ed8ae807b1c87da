"""Where a page asks for what it begins with."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from pipelines.errors import M2N2Error
from studio.i18n import Lang
from studio.ui.common.shared import SharedAnswers
from studio.ui.common.studio import Studio, current_run

from .content import LOOKS, first_look


def first_look_routes(studio: Studio) -> APIRouter:
    """Route what the script asks for; nothing comes for a page that begins with no picture."""
    router, answers = APIRouter(), SharedAnswers[str]()

    @router.get("/first-look/{lang}/{page}")
    def _look(lang: Lang, page: str, run: str | None = None) -> Response:
        shown = current_run(studio, run) if page in LOOKS else None
        if shown is None or run not in (None, shown):
            return Response(status_code=204)
        try:
            return HTMLResponse(answers.get((lang, page, shown), lambda: first_look(studio, lang, page, shown)))
        except M2N2Error:  # the page says why
            return Response(status_code=204)

    return router
