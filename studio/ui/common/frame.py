"""The frame of a page: its address, its header, errors as messages."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlencode

import gradio as gr
from markupsafe import Markup

from pipelines.errors import M2N2Error, disk_trouble
from studio.access.roles import Role
from studio.i18n import LANGUAGES, Lang, t, worded

from .field_errors import field_of
from .who_asks import audited, handler_for

P = ParamSpec("P")
R = TypeVar("R")

#: What Gradio's components do not draw, on every page.
STYLES = Path(__file__).with_name("studio.css")
# The first one is a language's start page.
PAGES = ("evolve", "new", "sources", "archive", "compare", "judge", "weak", "export", "monitor", "prompts")
GROUPS = {
    "make": ("new", "evolve", "prompts", "sources"),
    "choose": ("archive", "compare", "judge", "weak"),
    "ship": ("export", "monitor"),
}
FOR_EDITORS = {"new"}  # nothing on it is of use to others
TOUR = ("new", "evolve", "archive", "compare", "export")  # pages that a first visit leads through


def guarded(lang: Lang, handler: Callable[P, R]) -> Callable[P, R]:
    """Wrap a handler so that its errors become messages on the page; the form stays as it was."""

    @functools.wraps(handler)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except (M2N2Error, OSError) as error:
            # The head of Gradio's message is always "Error"; the message itself is HTML.
            told = worded(lang, disk_trouble(error) if isinstance(error, OSError) else error)
            at = Markup(' class="at-{}"').format(field) if (field := field_of(error)) else ""
            message = Markup("<b{}>{}</b><br>{}").format(at, t(lang, "error_title"), told)
            raise gr.Error(message, duration=15, print_exception=False) from error

    return wrapped


def listen(
    trigger: Callable[..., Any],
    lang: Lang,
    handler: Callable[..., Any],
    inputs: Any = None,
    outputs: Any = None,
    *,
    role: Role,
    does: str | None = None,
    **more: Any,
) -> Any:
    """Wire a handler to an event: guarded, no public endpoint, and open to those who have a role.

    What looks or votes runs beside itself, so that a slow tab holds up no other.

    Args:
        trigger: an event of a component, such as `button.click`.
        lang: of the page.
        handler: what is called.
        inputs: components whose values it gets.
        outputs: components that it fills.
        role: what somebody needs to call it.
        does: names what it changes, such as `start a run`; each call is then written down.
        more: handed on to Gradio.
    """
    if role in ("viewer", "judge"):
        more.setdefault("concurrency_limit", None)
    button = getattr(trigger, "__self__", None)
    if isinstance(button, gr.Button) and role != "viewer":
        button.elem_classes.append(f"needs-{role}")  # not shown to whoever may not press it
    needs = handler_for(role, guarded(lang, audited(does, handler) if does else handler))
    return trigger(needs, inputs, outputs, api_visibility="private", **more)


def listen_to_choice(
    chosen: gr.Dropdown,
    shown: gr.State,
    lang: Lang,
    handler: Callable[..., Sequence[Any]],
    outputs: Sequence[Any],
    *,
    given: Sequence[Any] = (),
    role: Role,
    **more: Any,
) -> None:
    """Wire a handler to what somebody chooses of a list: called where the page shows something else.

    Gradio tells of input as well where a list loses the focus, as when Tab passes by it. What it would fill then may be
    what somebody opened or typed.

    Args:
        chosen: the list.
        shown: the value that the page shows, whatever the list says meanwhile; who fills the list elsewhere fills it.
        lang: of the page.
        handler: called with the value and with those of `given`; returns the values of `outputs`.
        outputs: components that it fills, without `shown`.
        given: further inputs.
        role: what somebody needs to call it.
        more: as of `listen`.
    """

    def on_choice(before: Any, value: Any, *others: Any) -> list[Any]:
        if value == before:
            return [gr.skip()] * (1 + len(outputs))
        return [value, *handler(value, *others)]

    # The last choice counts where somebody is quicker than the page.
    more.setdefault("trigger_mode", "always_last")
    listen(chosen.input, lang, on_choice, [shown, chosen, *given], [shown, *outputs], role=role, **more)


def page_header(lang: Lang, page: str) -> gr.HTML:
    """Draw the top of a page: all pages in groups, the other language, the tour of a first visit.

    Returns:
        where the page says which of the things that its address names are not there, see `address.not_found`.
    """
    gr.Navbar(visible=False)  # the bar has the pages in groups
    gr.HTML(page_bar(lang, page), elem_classes="studio-top")
    return gr.HTML(elem_id="not-found")


def page_bar(lang: Lang, page: str) -> Markup:
    """Draw what `page_header` shows."""
    others = [other for other in LANGUAGES if other != lang]
    links = Markup("").join(
        Markup('<a class="language" href="/language/{0}/{1}" lang="{0}" hreflang="{0}">{2}</a>').format(
            other, page, t(other, "language_name")
        )
        for other in others
    )
    return Markup(
        '<header class="studio-bar"><button type="button" class="runs-open" aria-expanded="false">{}</button>'
        '<h1>m2n2-studio</h1><nav aria-label="{}">{}</nav><b class="visitor"></b>'
        '<form class="log-out" method="post" action="/log-out"><button>{}</button></form>{}</header>{}'
    ).format(t(lang, "run_list"), t(lang, "pages"), _groups(lang, page), t(lang, "log_out"), links, _tour(lang, page))


def _groups(lang: Lang, page: str) -> Markup:
    """Draw the pages by what they are for; of each group, its name and its pages."""
    return Markup("").join(
        Markup('<ul aria-label="{0}"><li class="group" aria-hidden="true">{0}</li>{1}</ul>').format(
            t(lang, f"group_{group}"),
            Markup("").join(
                Markup('<li{}><a href="{}"{}>{}</a></li>').format(
                    _for_whom(one),
                    page_link(lang, one),
                    Markup(' aria-current="page"') if one == page else "",
                    t(lang, f"page_{one}"),
                )
                for one in pages
            ),
        )
        for group, pages in GROUPS.items()
    )


def _for_whom(page: str) -> Markup:
    """The class of a link to a page, where it is not shown to whoever has no use for it."""
    return Markup(' class="needs-editor"') if page in FOR_EDITORS else Markup("")


def _tour(lang: Lang, page: str) -> Markup:
    """Draw the way of a first visit, on the pages it leads through; it stays until somebody closes it."""
    if page not in TOUR:
        return Markup("")
    steps = Markup("").join(
        Markup('<li{}{}><a href="{}">{}</a></li>').format(
            _for_whom(step),
            Markup(' aria-current="step"') if step == page else "",
            page_link(lang, step),
            t(lang, f"page_{step}"),
        )
        for step in TOUR
    )
    return Markup(
        '<nav class="tour" aria-label="{0}"><b>{0}</b><ol>{1}</ol><span>{2}</span>'
        '<button type="button" class="tour-close" aria-label="{3}">×</button></nav>'
    ).format(t(lang, "tour"), steps, t(lang, f"tour_{page}"), t(lang, "tour_close"))


def page_link(lang: Lang, page: str, **query: str) -> str:
    """Return the address of a page, with what it should show."""
    path = f"/{lang}/" if page == PAGES[0] else f"/{lang}/{page}"
    return f"{path}?{urlencode(query)}" if query else path


def keep_in_address(chosen: gr.Dropdown, key: str = "run") -> None:
    """Let the page's address name what is chosen, for whoever copies it or changes the language."""
    chosen.change(None, chosen, None, js=f"(value) => studioShows('{key}', value)")


def query_value(request: gr.Request | None, key: str) -> str | None:
    """Read a value of the page's address."""
    return request.query_params.get(key) if request else None


def query_values(request: gr.Request | None, key: str) -> list[str]:
    """Read all values of the page's address under a key: repeated, with commas between, or both."""
    values = request.query_params.getlist(key) if request else []
    return list(dict.fromkeys(part for value in values for part in value.split(",") if part))
