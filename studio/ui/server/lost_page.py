"""An address that leads nowhere: on to the page that was meant, or a plain page that names those there are."""

from __future__ import annotations

import functools

from fastapi.responses import HTMLResponse, RedirectResponse, Response

from studio.i18n import LANGUAGES, Lang, t
from studio.ui.common.frame import PAGES, page_link

from .plain_pages import template

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def lost_page(lang: Lang, path: str, query: str = "") -> Response:
    """Answer somebody who typed an address that is none.

    Args:
        lang: of the page, where the address names none.
        path: that was asked for; with a slash too many or without its language it still tells which page is meant.
        query: of it, kept on the way.
    """
    meant = [part for part in path.split("/") if part]
    spoken = next((one for one in LANGUAGES if meant[:1] == [one]), lang)
    named = meant[1:] if meant[:1] == [spoken] else meant
    if len(named) == 1 and named[0] in PAGES:
        link = page_link(spoken, named[0])
        return RedirectResponse(f"{link}?{query}" if query else link, 307)
    pages = [(page_link(spoken, page), t(spoken, f"page_{page}")) for page in PAGES]
    content = template("lost.html").render(lang=spoken, t=functools.partial(t, spoken), path=path, pages=pages)
    return HTMLResponse(content, 404, {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})
