"""The studio as a web application: both languages of every page, their pictures, and the server.

/                       to /en/ or /ja/: the language last chosen, else the browser's; where there is no run yet, on
                        to the page that starts one
/en/ ... /ja/export     the pages; ?run=NAME&id=ID opens a run and an individual; Compare also
                        takes id=A,B, prompt=ID,ID and what was typed, ja=TEXT and en=TEXT, and what
                        `compare/choice.py` lists
/language/LANG/PAGE     remember a language and go to that page
/log-in, /log-out       for those who have a password
/visitor.js             tells a page's scripts who is there
/run-list.js            shows the runs beside a page; /run-table.js as a table
/run-list/LANG          what is shown of them; /run-table/LANG for the table
/run-label/LANG/RUN     what somebody calls one
/lightbox.js            shows any picture of a page as large as the window
/lightbox/...           what it tells of a run, and of a model's pictures of a prompt
/marks/...              what somebody thinks of a model
/pictures/...           pictures of runs, whole or small, of exports, of sources' previews, of prompts, of what Compare
                        drew, and of Judge's questions
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

# Before Gradio is imported: it reports on import too. Its statistics of the queue, which no page shows, it would make
# anew after every answer from a table of the last 10,000 answers.
os.environ.update(
    GRADIO_ANALYTICS_ENABLED="False",
    GRADIO_ANALYTICS_CACHE_FREQUENCY=str(sys.maxsize),
    GRADIO_ANALYTICS_MAX_EVENTS="1",
)

import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from gradio.blocks import BlockContext
from gradio.context import Context
from gradio.data_classes import BlocksConfigDict
from gradio.routes import App
from starlette.routing import Mount

from pipelines.errors import M2N2Error
from studio.access.door import Door
from studio.access.roles import Role, may
from studio.errors import RunError
from studio.i18n import LANGUAGES, Lang, preferred_language, t
from studio.monitoring.scheduler import keep_schedules
from studio.reports.recipe_map import MAP_STYLES
from studio.ui.archive import page as archive
from studio.ui.common.frame import PAGES, STYLES, page_link
from studio.ui.common.studio import DOWNLOADS_LAST, Studio
from studio.ui.common.who_asks import needed_role
from studio.ui.compare import page as compare
from studio.ui.evolve import page as evolve
from studio.ui.export import page as export
from studio.ui.first_look.insertion import FirstLookInsertion
from studio.ui.first_look.routes import first_look_routes
from studio.ui.judge import page as judge
from studio.ui.lightbox.routes import lightbox_routes
from studio.ui.monitor import page as monitor
from studio.ui.new_run import page as new_run
from studio.ui.prompts import page as prompt_sets
from studio.ui.run_list.routes import run_list_routes
from studio.ui.sources import page as sources
from studio.ui.weak_spots import page as weak

from .body_limit import BodyLimit
from .gate import Gate
from .log_in_page import log_in_routes
from .look import HEAD, theme
from .memory import keep_memory_steady
from .picture_routes import picture_routes
from .sessions import Sessions

COOKIE = "language"
# What pages know of their address; the switch to the other language keeps it.
ADDRESS_KEYS = ("run", "id", "prompt", "set", "ja", "en", "export", "fork", "sources", "prompts", "noises", "view",
                "try", "first", "second", "moved", "attention", "rest", "beside", "noise", "shortlist")  # fmt: skip
FORGET = (600, DOWNLOADS_LAST)  # seconds between two looks for files to forget, and their age
UPLOAD = "32mb"  # a picture of SDXL is two or three
# Seconds between two looks of a queue, of which every language has one, at whether somebody asked for something, and at
# whether a bar moved. Gradio's own, 0.001 and 0.01, take six hundredths of a core from the runs while nobody asks.
ASKED, MOVED = 0.02, 0.1
_BUILDERS = {
    "evolve": evolve.page,
    "new": new_run.page,
    "sources": sources.page,
    "archive": archive.page,
    "compare": compare.page,
    "judge": judge.page,
    "weak": weak.page,
    "export": export.page,
    "monitor": monitor.page,
    "prompts": prompt_sets.page,
}


class _Pages(gr.Blocks):
    """Pages that are described once all are built.

    Gradio describes all there are, and makes an application of them, after every one of them: half of a studio's start.
    """

    _complete = False

    def __exit__(self, exc_type: type[BaseException] | None = None, *args: object) -> None:
        if exc_type is not None or self._complete:
            super().__exit__(exc_type, *args)
        else:
            BlockContext.__exit__(self)
            Context.root_block = None

    def get_config_file(self) -> BlocksConfigDict:
        return super().get_config_file() if self._complete else {"pages": self.pages, "page": {}}

    def complete(self) -> None:
        """Take no more pages: `mount_gradio_app` asks for what browsers are told of them."""
        self._complete = True
        with self:
            pass


def build_pages(studio: Studio, lang: Lang) -> gr.Blocks:
    """Build the pages in one language."""
    title = f"m2n2-studio · {t(lang, 'title_bar')}"
    with _Pages(title=title, analytics_enabled=False, delete_cache=FORGET) as demo:
        _BUILDERS[PAGES[0]](demo, studio, lang)
    for name in PAGES[1:]:
        with demo.route(t(lang, f"page_{name}"), name):
            _BUILDERS[name](demo, studio, lang)
    demo.complete()
    return demo


def build_app(runs: Path, door: Door, allowed: Sequence[Path] = ()) -> FastAPI:
    """Build the application over a folder of runs, behind a door; call it outside of an event loop.

    Args:
        runs: the folder of the runs; exports and prompt sets lie beside it.
        door: who may come in.
        allowed: further folders that pages may be asked to read.
    """
    # Gradio makes an event loop for every Blocks that is built outside of one, and never closes it.
    return asyncio.run(_assemble(Studio(runs.resolve(), allowed=tuple(allowed)), door))


async def _assemble(studio: Studio, door: Door) -> FastAPI:
    app = FastAPI(title="m2n2-studio", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BodyLimit)
    _add_routes(app, studio)
    app.include_router(log_in_routes(door))
    app.include_router(picture_routes(studio))
    app.include_router(lightbox_routes(studio))
    app.include_router(run_list_routes(studio))
    app.include_router(first_look_routes(studio))
    pages = {lang: build_pages(studio, lang) for lang in LANGUAGES}
    for lang, page in pages.items():
        _mount(app, page, lang)
    app.add_middleware(FirstLookInsertion)
    app.add_middleware(Gate, door=door, handlers={lang: handler_roles(page) for lang, page in pages.items()})
    return app


def handler_roles(pages: gr.Blocks) -> Mapping[int, Role | None]:
    """Return what somebody needs to call each handler, by its number; `None` of one that runs in the browser alone."""
    return {number: needed_role(event.fn) for number, event in pages.fns.items()}


def _mount(app: FastAPI, pages: gr.Blocks, lang: Lang) -> None:
    with warnings.catch_warnings():
        # Gradio says so for every mounted application of several pages, also when server-side rendering is off.
        warnings.filterwarnings("ignore", "SSR mode is not supported with multi-page apps")
        gr.mount_gradio_app(
            app,
            pages,
            path=f"/{lang}",
            theme=theme(),
            css_paths=[STYLES, MAP_STYLES],
            head=HEAD,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            show_error=False,
            max_file_size=UPLOAD,
            ssr_mode=False,
            mcp_server=False,
        )
    (mounted,) = (route.app for route in app.routes if isinstance(route, Mount) and route.path == f"/{lang}")
    if isinstance(mounted, App):
        mounted.state_holder = Sessions(pages)
    queue = pages._queue
    queue.sleep_when_free, queue.progress_update_sleep_when_free = ASKED, MOVED


def first_page(studio: Studio, role: Role) -> str:
    """Return the page that a studio opens with: where there is no run, the one that starts one, for who may do so."""
    return "new" if not studio.run_names() and may(role, "editor") else PAGES[0]


def _add_routes(app: FastAPI, studio: Studio) -> None:
    @app.get("/")
    def _start(request: Request) -> RedirectResponse:
        chosen = request.cookies.get(COOKIE)
        lang = next((lang for lang in LANGUAGES if lang == chosen), None)
        lang = lang or preferred_language(request.headers.get("accept-language"))
        return RedirectResponse(page_link(lang, first_page(studio, request.user.role)))

    @app.get("/favicon.ico")
    def _icon() -> Response:
        return Response(status_code=204)

    @app.get("/language/{lang}/{page}")
    def _language(request: Request, lang: Lang, page: str) -> RedirectResponse:
        if page not in PAGES:
            raise HTTPException(404)
        kept = {key: request.query_params[key] for key in ADDRESS_KEYS if key in request.query_params}
        answer = RedirectResponse(page_link(lang, page, **kept))
        answer.set_cookie(COOKIE, lang, max_age=365 * 86400, samesite="lax", httponly=True)
        return answer


def serve(runs: Path, door: Door, *, host: str = "127.0.0.1", port: int = 7860, allowed: Sequence[Path] = ()) -> None:
    """Serve the studio until interrupted; prints the address with the door's token in it; `allowed` as in `build_app`.

    Raises:
        RunError: the port is in use, or the address is not this machine's.
    """
    listener = _listener(host, port)
    studio = Studio(runs.resolve())
    threading.Thread(target=_warm, args=(studio,), daemon=True).start()
    threading.Thread(target=keep_schedules, args=(studio.exports,), daemon=True).start()
    app = build_app(runs, door, allowed)
    keep_memory_steady()
    address = f"http://{_shown_host(host)}:{listener.getsockname()[1]}"
    link = f"{address}/?token={door.token}" if door.token else address
    print(f"m2n2-studio: {link}  (Ctrl-C ends it; runs go on)", flush=True)
    # What a proxy says is judged by the gate, which knows the one that is trusted.
    config = uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False, server_header=False)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()


def _shown_host(host: str) -> str:
    """How this machine's browser names an address to listen on."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    return f"[{host}]" if ":" in host else host


def _warm(studio: Studio) -> None:
    """Read the newest run once: what is slow about recipes is kept for the pages."""
    for name in studio.run_names()[:1]:
        with contextlib.suppress(M2N2Error), studio.run(name) as store:
            store.individuals()


def _listener(host: str, port: int) -> socket.socket:
    """Bind a socket before the models are loaded, so that a port in use is told at once."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise RunError(
            "Port {port} on {host} cannot be opened ({reason}). Expected a free one: another studio may be "
            "open there already; stop it, or choose another: m2n2 studio --port {other}.",
            port=port,
            host=host,
            reason=error.strerror,
            other=port % 65535 + 1,
        ) from error
    return listener
