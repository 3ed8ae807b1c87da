"""The address where the browser asks for the list of runs, and the script that shows it."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from studio.i18n import Lang
from studio.ui.common.shared import SharedAnswers
from studio.ui.common.studio import Studio

from .entries import RunList, run_list

KEPT = 2.0  # seconds: what many open at the same moment is read once
_SCRIPT = Path(__file__).with_name("run_list.js")


def run_list_routes(studio: Studio) -> APIRouter:
    """Route the list of a studio's runs, in either language."""
    router = APIRouter()
    answers = SharedAnswers[RunList](KEPT)

    @router.get("/run-list.js")
    def _script() -> Response:
        return FileResponse(_SCRIPT, media_type="text/javascript", headers={"Cache-Control": "no-cache"})

    @router.get("/run-list/{lang}")
    def _list(lang: Lang) -> RunList:
        return answers.get(lang, lambda: run_list(studio, lang))

    return router
