"""Requests without end: what a client sends in one request is counted, and cut off at a limit."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 64 << 20  # of a request: some pictures, or a table of a hundred thousand prompts


class _TooLarge(Exception):
    """A body that has become larger than the limit."""


class BodyLimit:
    """Answers 413 to a request whose body is, or becomes, larger than `most` bytes; nothing more of it is read."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting what it brings."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        seen, began = 0, False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            if not said.isdigit() or len(said) > 18 or int(said) > self._most:
                raise _TooLarge
            await self._app(scope, counted, noted)
        except _TooLarge:
            if not began:
                refusal = PlainTextResponse(f"Expected at most {self._most >> 20} MiB in a request.", 413)
                await refusal(scope, receive, send)
