"""Where a request comes from: the host it names, the page that sent it, the proxy between."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

_FORWARDING = {b"forwarded", b"x-real-ip", b"x-original-url", b"x-rewrite-url"}


@dataclass(frozen=True)
class Forwarded:
    """What is known of a request before anything of it is believed.

    Attributes:
        host: the one that the browser asked for, with its port; empty where it named none or several.
        secure: whether the browser's side is encrypted.
        by_proxy: whether it came through the trusted proxy.
    """

    host: str
    secure: bool
    by_proxy: bool


def forwarded(scope: Scope, proxy: str | None) -> tuple[Scope, Forwarded]:
    """Believe the trusted proxy what it says of a browser, and take out what anybody else says of that.

    Gradio builds addresses from these headers, whoever sent them.
    """
    headers = Headers(scope=scope)
    by_proxy = proxy is not None and scope.get("client") is not None and _same(scope["client"][0], proxy)
    hosts = headers.getlist("host")
    host, scheme, scope = hosts[0] if len(hosts) == 1 else "", scope.get("scheme", "http"), dict(scope)
    if by_proxy:
        host = headers.get("x-forwarded-host", host).split(",")[0].strip()
        scheme = scope["scheme"] = headers.get("x-forwarded-proto", scheme).split(",")[0].strip().lower()
        # The last one is what the proxy itself saw; those before it are the browser's word.
        if client := headers.get("x-forwarded-for", "").split(",")[-1].strip():
            scope["client"] = (client, 0)
    else:
        scope["headers"] = [
            (key, value)
            for key, value in scope["headers"]
            if key not in _FORWARDING and not key.startswith(b"x-forwarded-")
        ]
    return scope, Forwarded(host, scheme == "https", by_proxy)


def host_name(host: str) -> str | None:
    """Return the name or number in a `Host` header; `None` where it is none."""
    if not host or any(sign in host for sign in "/?#@\\ \t"):
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname


def from_elsewhere(headers: Headers, method: str, host: str) -> bool:
    """Whether a page of another site, or of another port, sent a request; following a link from there is no such."""
    origins = headers.getlist("origin")
    if origins and (len(origins) > 1 or _bare(urlsplit(origins[0]).netloc) != _bare(host)):
        return True
    site = headers.get("sec-fetch-site", "none")
    visits = headers.get("sec-fetch-mode") == "navigate" and method in ("GET", "HEAD")
    return site not in ("same-origin", "none") and not visits


def _bare(host: str) -> str:
    return host.lower().removesuffix(":80").removesuffix(":443")


def _same(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False
