"""What every answer tells the browser about itself: which scripts run, who may frame it, whether it is kept."""

from __future__ import annotations

import re

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

# Gradio's pages hold inline scripts and styles, and make functions from the text of an event's `js` and of plots.
# Everything else is this studio's own: no other host is asked for anything.
PAGES_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "frame-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
ALWAYS = {
    "Content-Security-Policy": PAGES_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Other sites learn no address. With `no-referrer` a browser would also hide where the requests of our own forms
    # come from (`Origin: null`), and they could not be told from a stranger's.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_HASHED = re.compile(r"/\w\w/assets/")  # Gradio's scripts and styles, each with a hash of what it holds in its name
_LIBRARY = re.compile(r"/\w\w/(?:static|svelte)/")  # its other files, the same in every studio
A_YEAR = "private, max-age=31536000, immutable"


def guarded_send(path: str, send: Send) -> Send:
    """Add the headers to an answer; what it says of itself already stays."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ALWAYS.items():
                headers.setdefault(name, value)
            if _HASHED.match(path) and message["status"] == 200:
                headers.setdefault("Cache-Control", A_YEAR)  # else a browser asks again for each of them on every page
            elif not _LIBRARY.match(path):
                kind = headers.get("content-type", "")
                private = "no-store" if kind.startswith(("text/html", "application/json")) else "private, no-cache"
                headers.setdefault("Cache-Control", private)
        await send(message)

    return sent
