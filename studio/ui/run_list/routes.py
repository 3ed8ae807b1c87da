"""The addresses where the browser asks for the runs, as a list or as a table, and says what one is called."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response

from pipelines.errors import M2N2Error
from pipelines.untrusted import Limits, UnreadableDocument, parse_json
from studio.access.visitor import Visitor
from studio.errors import RunError
from studio.i18n import Lang, worded
from studio.run_folders.labels import checked_label, write_label
from studio.ui.common.shared import SharedAnswers
from studio.ui.common.studio import Studio

from .entries import RunList, run_list
from .table import RunTable, run_table

_FIELDS = ("title", "note", "tags")
_LABEL = Limits(bytes=16 << 10, depth=2, values=10)
_SCRIPTS = {
    name: Path(__file__).with_name(name.replace("-", "_")) for name in ("run-list.js", "run-table.js", "run-notice.js")
}


def run_list_routes(studio: Studio) -> APIRouter:
    """Route the list and the table of a studio's runs, in either language, and what somebody calls one of them."""
    router = APIRouter()
    lists, tables = SharedAnswers[RunList](), SharedAnswers[RunTable]()

    @router.get("/run-list.js")
    def _list_script() -> Response:
        return _script("run-list.js")

    @router.get("/run-table.js")
    def _table_script() -> Response:
        return _script("run-table.js")

    @router.get("/run-notice.js")
    def _notice_script() -> Response:
        return _script("run-notice.js")

    @router.get("/run-list/{lang}")
    def _list(lang: Lang) -> RunList:
        return lists.get(lang, lambda: run_list(studio, lang))

    @router.get("/run-table/{lang}")
    def _table(lang: Lang) -> RunTable:
        return tables.get(lang, lambda: run_table(studio, lang))

    @router.post("/run-label/{lang}/{run}")
    async def _label(request: Request, lang: Lang, run: str) -> None:
        """Take a label as a JSON object of `title`, `note` and `tags`; what is wrong with it is a 422 that says so."""
        content, visitor = await request.body(), request.user
        try:
            await run_in_threadpool(label_run, studio, run, content, visitor)
        except M2N2Error as error:
            raise HTTPException(422, worded(lang, error)) from error

    return router


def label_run(studio: Studio, run: str, content: bytes, visitor: Visitor) -> None:
    """Give a run the label that a browser sent.

    Raises:
        RunError: there is no such run, what is to be said of it is too long, or it is no JSON object of three texts.
    """
    try:
        asked = parse_json(content, _LABEL)
        if not isinstance(asked, dict) or not all(isinstance(asked.get(key, ""), str) for key in _FIELDS):
            raise UnreadableDocument("no object of title, note and tags")
    except UnreadableDocument as error:
        raise RunError("The label cannot be read: {reason}.", reason=error.phrase) from error
    label = checked_label(*(asked.get(key, "") for key in _FIELDS))
    with studio.run(run) as store:
        write_label(store.folder, label)
    visitor.record("label a run", run)


def _script(name: str) -> Response:
    return FileResponse(_SCRIPTS[name], media_type="text/javascript", headers={"Cache-Control": "no-cache"})
