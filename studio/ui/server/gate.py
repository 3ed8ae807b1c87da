"""The gate in front of the whole application: who is asking, from which page, for what, and whether they may.

Every request of every address goes through it, Gradio's own included. It is plain ASGI, because what streams must not
be held back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.errors import M2N2Error
from pipelines.untrusted import Limits, UnreadableDocument, parse_json
from studio.access.door import Door
from studio.access.roles import Role, may
from studio.access.visitor import Visitor
from studio.i18n import LANGUAGES, Lang, preferred_language, t, worded

from .answer_headers import guarded_send
from .log_in_page import log_in_page, set_session
from .lost_page import lost_page
from .origin import Forwarded, forwarded, from_elsewhere, host_name
from .route_roles import RouteRole, route_role

MOST = 32_000_000  # bytes of a call; uploads have a limit of their own
SESSIONS_KEPT = 20_000  # of pages; the one seen first is forgotten first
HandlerRoles = Mapping[str, Mapping[int, Role | None]]


class Refused(Exception):
    """A request that goes no further.

    Attributes:
        answer: what is sent instead.
    """

    def __init__(self, status: int, words: str, page: Response | None = None) -> None:
        super().__init__(words)
        self.answer = page or JSONResponse({"detail": words}, status)


class Gate:
    """Lets through what may pass, with `scope["user"]` naming who asks; answers the rest itself.

    Args:
        app: what lies behind.
        door: decides who is who.
        handlers: what each handler of each language's pages needs, by its number; `None` is open to nobody.
    """

    def __init__(self, app: ASGIApp, *, door: Door, handlers: HandlerRoles) -> None:
        self._app, self._door, self._handlers = app, door, handlers
        self._owners: OrderedDict[str, str] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # no page uses one
        else:
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, seen = forwarded(scope, self._door.proxy)
        send = guarded_send(scope["path"], send)
        lang = _language(scope)
        try:
            self._check_origin(Headers(scope=scope), scope["method"], seen, lang)
            answer = self._token(scope, seen)
            if answer is None:
                scope["user"] = visitor = self._visitor(scope, seen)
                receive = await self._pass(scope, receive, visitor, lang)
        except Refused as refusal:
            answer = refusal.answer
        except M2N2Error as error:
            answer = PlainTextResponse(worded(lang, error), 503)
        await (answer or self._app)(scope, receive, send)

    def _check_origin(self, headers: Headers, method: str, seen: Forwarded, lang: Lang) -> None:
        name = host_name(seen.host)
        if name is None or not self._door.answers_to(name):
            raise Refused(403, t(lang, "door_host", name=(name or "")[:100]))
        if from_elsewhere(headers, method, seen.host):
            raise Refused(403, t(lang, "door_origin"))

    def _token(self, scope: Scope, seen: Forwarded) -> Response | None:
        """Exchange a token in the address for a cookie, and take it out of the address."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = next((value for key, value in query if key == "token"), None)
        if token is None or scope["method"] != "GET":
            return None
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        path = "/" + scope["path"].lstrip("/\\")  # two slashes would name another host
        quiet = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303, quiet)
        if session := self._door.enter(token):
            set_session(answer, self._door, session, secure=seen.secure)
        return answer

    def _visitor(self, scope: Scope, seen: Forwarded) -> Visitor | None:
        headers = Headers(scope=scope)
        cookie = cookie_parser(headers.get("cookie", "")).get(self._door.cookie)
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        said = None
        if seen.by_proxy and self._door.user_header:
            named = headers.getlist(self._door.user_header)
            said = named[0] if len(named) == 1 and named[0] else None
        return self._door.visitor(
            cookie=cookie, bearer=bearer if scheme.lower() == "bearer" else None, said_by_proxy=said
        )

    async def _pass(self, scope: Scope, receive: Receive, visitor: Visitor | None, lang: Lang) -> Receive:
        """Check that somebody may have what is asked for; returns what the application reads from.

        Raises:
            Refused: they may not.
        """
        route = route_role(scope["method"], scope["path"])
        if route is not None and route.role is None:
            return receive
        visits = scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
        page: Response | None
        if visitor is None:
            page = log_in_page(lang, scope["path"], _query(scope), status=401) if visits else None
            raise Refused(401, t(lang, "door_stranger"), page)
        if route is None:
            page = lost_page(lang, scope["path"], _query(scope)) if visits else None
            raise Refused(404 if visitor.role == "owner" else 403, t(lang, "door_nothing"), page)
        self._require(visitor, route.role, lang)
        if route.carries == "session in the query":
            self._own(visitor, dict(parse_qsl(_query(scope))).get("session_hash"), lang)
        elif route.carries == "session in the path":
            self._own(visitor, scope["path"].rsplit("/", 1)[-1], lang)
        elif route.carries in ("call", "session"):
            body = await _body(receive, lang)
            self._check_call(visitor, route, scope["path"], _object(body, lang), lang)
            return _again(body, receive)
        return receive

    def _check_call(self, visitor: Visitor, route: RouteRole, path: str, asked: Mapping[str, Any], lang: Lang) -> None:
        self._own(visitor, asked.get("session_hash"), lang)
        if route.carries == "call":
            number = asked.get("fn_index")
            handlers = self._handlers[path.split("/")[1]]
            # A word or 12.0 would become a number on the other side of the gate.
            needed = handlers.get(number) if type(number) is int else None
            if needed is None:
                raise Refused(403, t(lang, "door_nothing"))
            self._require(visitor, needed, lang)

    def _require(self, visitor: Visitor, needed: Role | None, lang: Lang) -> None:
        if needed is None or not may(visitor.role, needed):
            words = {"role": t(lang, f"role_{visitor.role}"), "needed": t(lang, f"role_{needed}")}
            raise Refused(403, t(lang, "door_role", **words))

    def _own(self, visitor: Visitor, session: object, lang: Lang) -> None:
        """Keep a page's session to whoever used it first: its state and answers are theirs."""
        if session is None:
            return
        who = visitor.name or visitor.how
        if not isinstance(session, str) or self._owners.setdefault(session, who) != who:
            raise Refused(403, t(lang, "door_session"))
        while len(self._owners) > SESSIONS_KEPT:
            self._owners.popitem(last=False)


def _language(scope: Scope) -> Lang:
    headers = Headers(scope=scope)
    named = (scope["path"].split("/")[1], cookie_parser(headers.get("cookie", "")).get("language"))
    chosen = next((lang for name in named for lang in LANGUAGES if lang == name), None)
    return chosen or preferred_language(headers.get("accept-language"))


def _query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return query.decode("latin-1")


async def _body(receive: Receive, lang: Lang) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, t(lang, "door_call"))
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST:
            raise Refused(413, t(lang, "door_call"))
        if not message.get("more_body"):
            return b"".join(parts)


def _object(body: bytes, lang: Lang) -> Mapping[str, Any]:
    try:
        content = parse_json(body, Limits(bytes=MOST))
    except UnreadableDocument:
        content = None
    if not isinstance(content, dict):
        raise Refused(400, t(lang, "door_call"))
    return content


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the body that was read to whoever reads next, then what comes after it."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return whole.pop() if whole else await receive()

    return read
