"""What each address of the studio needs: a role, or nothing. Whatever is not in the table is open to nobody.

Gradio serves more than the pages use: endpoints for programs, a proxy, streams, an editor of the application, its own
log-in. None of these is listed, so none is reached. What a call of a handler needs stands where the handler is wired
(`studio.ui.common.frame.listen`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from studio.access.roles import Role
from studio.i18n import LANGUAGES
from studio.ui.common.frame import PAGES

_PAGE = f"/(?:{'|'.join(LANGUAGES)})"
_API = f"{_PAGE}/gradio_api"
# What an address carries: the call of a handler and the session of a browser in its body, or that session in its query.
Carries = Literal["nothing", "call", "session", "session in the query", "session in the path"]


@dataclass(frozen=True)
class RouteRole:
    """Who may use an address; `role` is `None` where everybody may, strangers too."""

    methods: str
    pattern: str
    role: Role | None
    carries: Carries = "nothing"


ROUTE_ROLES = (
    RouteRole("GET POST", r"/log-in(?:/(?:en|ja))?", None),
    RouteRole("POST", "/log-out", None),
    RouteRole("GET", "/favicon.ico", None),
    RouteRole("GET HEAD", "/", "viewer"),
    RouteRole("GET", "/visitor.js", "viewer"),
    RouteRole("GET", "/lightbox.js", "viewer"),
    RouteRole("GET", r"/lightbox/.+", "viewer"),
    RouteRole("GET", r"/run-(?:list|table|notice)\.js", "viewer"),
    RouteRole("GET", r"/run-(?:list|table)/\w+", "viewer"),
    RouteRole("GET", r"/first-look/\w+/\w+", "viewer"),
    RouteRole("POST", r"/run-label/\w+/[^/]+", "editor"),
    RouteRole("POST", r"/marks/.+", "judge"),
    RouteRole("GET", r"/language/\w+/\w+", "viewer"),
    RouteRole("GET HEAD", r"/pictures/.+", "viewer"),
    RouteRole("GET HEAD", f"{_PAGE}/?", "viewer"),
    RouteRole("GET HEAD", f"{_PAGE}/(?:{'|'.join(PAGES[1:])})", "viewer"),
    RouteRole("GET", rf"{_PAGE}(?:/(?:{'|'.join(PAGES)}))?/(?:config|theme\.css|manifest\.json)/?", "viewer"),
    RouteRole("GET", rf"{_PAGE}/(?:assets|static|svelte)/.+", "viewer"),
    RouteRole("GET", rf"{_API}/(?:info|startup-events|app_id|login_check|user|theme\.css)/?", "viewer"),
    RouteRole("GET", rf"{_API}/heartbeat/\w+", "viewer", "session in the path"),
    RouteRole("GET", rf"{_API}/queue/data", "viewer", "session in the query"),
    RouteRole("GET", rf"{_API}/queue/status", "viewer"),
    RouteRole("POST", rf"{_API}/queue/join", "viewer", "call"),
    RouteRole("POST", rf"{_API}/run/predict/?", "viewer", "call"),
    RouteRole("POST", rf"{_API}/cancel", "viewer", "session"),
    RouteRole("POST", rf"{_API}/reset/?", "viewer"),
    RouteRole("GET HEAD", rf"{_API}/file=(?!https?:|//).+", "viewer"),
    RouteRole("POST", rf"{_API}/upload", "judge"),
    RouteRole("GET", rf"{_API}/upload_progress", "judge"),
)
_COMPILED = [(frozenset(one.methods.split()), re.compile(one.pattern), one) for one in ROUTE_ROLES]


def route_role(method: str, path: str) -> RouteRole | None:
    """Return what an address needs; `None` where it is open to nobody."""
    return next((one for methods, pattern, one in _COMPILED if method in methods and pattern.fullmatch(path)), None)
