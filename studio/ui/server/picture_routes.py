"""Where pictures are served: of runs, whole or small, of exports, sources, prompts, and what pages keep in memory."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Receive, Scope, Send

import assets
from pipelines.errors import M2N2Error
from studio.exporting.certificate import PICTURES_FOLDER
from studio.exporting.registry import list_exports
from studio.library import prompt_library, source_library
from studio.runs.inputs import load_cached_prompts
from studio.ui.common.open_folders import OpenFolders
from studio.ui.common.studio import Studio
from studio.ui.common.thumbnails import small_picture

_PICTURES = {".png": "image/png", ".webp": "image/webp"}
_SHOWN = {".png", ".jpg", ".jpeg", ".webp"}  # reference pictures, by their file's ending


class PictureResponse(FileResponse):
    """A picture that the browser keeps and asks about each time: a run draws its own again when its noise changes."""

    def __init__(self, file: Path, media_type: str | None = None) -> None:
        headers = {"Cache-Control": "no-cache"}
        super().__init__(file, headers=headers, media_type=media_type, stat_result=file.stat())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, unless the browser has this very file."""
        if Headers(scope=scope).get("if-none-match") == self.headers["etag"]:
            await NotModifiedResponse(self.headers)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def picture_routes(studio: Studio) -> APIRouter:
    """Route every address under /pictures; whatever is no picture of the studio's is not found."""
    router = APIRouter()

    def _images(run: str) -> Path:
        if run not in studio.run_names():
            raise HTTPException(404)
        return studio.runs / run / "images"

    @router.get("/pictures/run/{run}/{individual}/{file}")
    def _of_run(run: str, individual: str, file: str) -> Response:
        return _picture(_images(run), individual, file)

    @router.get("/pictures/small/{run}/{individual}/{file}")
    def _small_of_run(run: str, individual: str, file: str) -> Response:
        return PictureResponse(small_picture(_inside(_images(run), individual, file)))

    @router.get("/pictures/source/{name}/{file}")
    def _of_source(name: str, file: str) -> Response:
        if name not in assets.NAMES:
            raise HTTPException(404)
        return _picture(assets.FAMILY / name / "previews", "", file)

    @router.get("/pictures/export/{name}/{place}/{file}")
    def _of_export(name: str, place: str, file: str) -> Response:
        export = next((one for one in list_exports(studio.exports) if one.name == name), None)
        if export is None:
            raise HTTPException(404)
        return _picture(export.documents if place == PICTURES_FOLDER else export.monitor, place, file)

    @router.get("/pictures/shelf/{key}/{file}")
    def _of_known_source(key: str, file: str) -> Response:
        source = next((one for one in source_library.known_sources(studio.runs) if one.key == key), None)
        found = (
            next((one for one in source_library.preview_files(source.uri) if one.name == file), None)
            if source
            else None
        )
        if found is None:
            raise HTTPException(404)
        return _picture(found.parent, "", file)

    @router.get("/pictures/prompts/{name}/{prompt:path}")
    def _of_prompts(name: str, prompt: str) -> Response:
        return _reference(studio, prompt_library.prompt_sets(studio.prompts).get(name), prompt)

    @router.get("/pictures/reference/{run}/{prompt:path}")
    def _of_run_prompts(run: str, prompt: str) -> Response:
        return _reference(studio, studio.runs / run / "prompts.yaml" if run in studio.run_names() else None, prompt)

    @router.get("/pictures/drawn/{file}")
    def _drawn(file: str) -> Response:
        return _png(studio.drawn.get(file.removesuffix(".png")), "private, max-age=86400")

    @router.get("/pictures/blind/{file}")
    def _blind(file: str) -> Response:
        return _png(studio.blind.get(file.removesuffix(".png")), "no-store")

    return router


def _png(content: bytes | None, caching: str) -> Response:
    """Serve a picture that is kept in memory."""
    if content is None:
        raise HTTPException(404)
    return Response(content, media_type="image/png", headers={"Cache-Control": caching})


def _picture(folder: Path, *parts: str) -> Response:
    """Serve a picture under a folder of pictures, and nothing else."""
    file = _inside(folder, *parts)
    return PictureResponse(file, _PICTURES[file.suffix])


def _inside(folder: Path, *parts: str) -> Path:
    file = folder.joinpath(*parts).resolve()
    if not file.is_relative_to(folder.resolve()) or file.suffix not in _PICTURES or not file.is_file():
        raise HTTPException(404)
    return file


def _reference(studio: Studio, prompts: Path | None, id: str) -> Response:
    """Serve the reference picture that a prompt set names for a prompt: beside the set, or in an open folder."""
    if prompts is None:
        raise HTTPException(404)
    try:
        prompt_set = load_cached_prompts(prompts)
    except M2N2Error:
        raise HTTPException(404) from None
    named = next((prompt.reference for prompt in prompt_set.prompts if prompt.id == id), None)
    file = prompts.parent / (named or "")
    served = OpenFolders((prompts.parent, *studio.readable)).holds(file)
    if named is None or file.suffix.lower() not in _SHOWN or not served or not file.is_file():
        raise HTTPException(404)
    return PictureResponse(file)
