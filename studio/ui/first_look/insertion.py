"""The script of the first pictures in the page itself: what Gradio is told to put into a page's head comes late."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.i18n import LANGUAGES
from studio.ui.common.frame import page_link

from .content import LOOKS

_PAGES = {page_link(lang, page) for lang in LANGUAGES for page in LOOKS}
_HEAD = b"<head>"
_SCRIPT = b"<script>\n" + Path(__file__).with_name("first_look.js").read_bytes() + b"</script>"


class FirstLookInsertion:
    """Puts the script before everything else of the pages that begin with pictures."""

    def __init__(self, app: ASGIApp) -> None:
        """Answer what `app` answers."""
        self._app = app
        self._pages = GZipMiddleware(self._insert)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in _PAGES
        await (self._pages if is_page else self._app)(scope, receive, send)

    async def _insert(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = MutableHeaders(Headers(scope=scope))
        del headers["accept-encoding"]  # Gradio would compress the page before anything can be put into it
        started: list[Message] = []

        async def inserted(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.append(message)  # its length is known with the body
                return
            if started:
                start, body = started.pop(), message.get("body", b"")
                message = {**message, "body": body.replace(_HEAD, _HEAD + _SCRIPT, 1)}
                answered = MutableHeaders(scope=start)
                if "content-length" in answered:
                    answered["content-length"] = str(len(message["body"]))
                await send(start)
            await send(message)

        await self._app({**scope, "headers": headers.raw}, receive, inserted)
