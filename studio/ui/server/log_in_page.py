"""Logging in and out: a plain page in both languages, without a script, and the cookie of a session."""

from __future__ import annotations

import functools
import json

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from studio.access.door import Door, TooManyFailures
from studio.access.sessions import LASTS
from studio.access.visitor import Visitor
from studio.i18n import LANGUAGES, Lang, preferred_language, t
from studio.ui.common.frame import page_link

from .plain_pages import template

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def log_in_page(
    lang: Lang, path: str = "/", query: str = "", *, name: str = "", problem: str = "", status: int = 200
) -> HTMLResponse:
    """Draw the page; whoever logs in goes on to the address that was asked for.

    Args:
        lang: of the page.
        path: of the page that was asked for.
        query: of that page.
        name: as it was typed before.
        problem: why the last try failed.
        status: of the answer.
    """
    other = next(one for one in LANGUAGES if one != lang)
    content = template("log_in.html").render(
        lang=lang,
        t=functools.partial(t, lang),
        other=other,
        other_name=t(other, "language_name"),
        to=f"{path}?{query}" if query else path,
        name=name,
        problem=problem,
    )
    return HTMLResponse(content, status, {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})


def log_in_routes(door: Door) -> APIRouter:
    """Route logging in and out, and what a page tells its scripts about who is there."""
    router = APIRouter()

    @router.get("/log-in")
    def _any(request: Request) -> Response:
        return log_in_page(preferred_language(request.headers.get("accept-language")))

    @router.get("/log-in/{lang}")
    def _page(lang: Lang) -> Response:
        return log_in_page(lang, page_link(lang, "evolve"))

    @router.post("/log-in/{lang}")
    def _log_in(
        request: Request,
        lang: Lang,
        name: str = Form(max_length=200),
        password: str = Form(max_length=400),
        to: str = Form("/", max_length=4000),
    ) -> Response:
        address = request.client.host if request.client else ""
        try:
            session = door.log_in(name, password, address)
        except TooManyFailures as error:
            minutes = max(1, round(error.seconds / 60))
            answer = log_in_page(lang, to, name=name, problem=t(lang, "log_in_wait", minutes=minutes), status=429)
            answer.headers["Retry-After"] = str(round(error.seconds))
            return answer
        if session is None:
            return log_in_page(lang, to, name=name, problem=t(lang, "log_in_wrong"), status=401)
        return set_session(RedirectResponse(own_address(to), 303), door, session, secure=request.url.scheme == "https")

    @router.post("/log-out")
    def _log_out(request: Request) -> Response:
        if cookie := request.cookies.get(door.cookie):
            door.leave(cookie)
        answer = RedirectResponse("/log-in", 303)
        answer.delete_cookie(door.cookie)
        return answer

    @router.get("/visitor.js")
    def _visitor(request: Request) -> Response:
        visitor: Visitor = request.user
        # Whoever has the token of a studio without names has nothing to log out of.
        told = {"role": visitor.role, "visitor": visitor.name or ""}
        script = f"Object.assign(document.documentElement.dataset, {json.dumps(told)});"
        return Response(script, media_type="text/javascript", headers={"Cache-Control": "no-store"})

    return router


def set_session(answer: Response, door: Door, session: str, *, secure: bool) -> Response:
    """Give a browser the cookie of a session: read by no script, sent along by no other site's requests."""
    answer.set_cookie(door.cookie, session, max_age=int(LASTS), httponly=True, samesite="lax", secure=secure)
    return answer


def own_address(asked: str) -> str:
    """Return an address of this studio; the start page where another host's was asked for."""
    is_own = asked.startswith("/") and not asked.startswith(("//", "/\\")) and asked.isprintable()
    return asked if is_own else "/"
