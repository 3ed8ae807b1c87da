"""Who asks for something: the visitor behind a request, what a handler needs of one, and the line in the audit."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import gradio as gr
from gradio.context import LocalContext

from pipelines.errors import M2N2Error
from studio.access.roles import Role, may
from studio.access.visitor import Visitor

P = ParamSpec("P")
R = TypeVar("R")

_SUBJECTS = ("run", "name", "title")  # what handlers call the run or export that they are about
_LONGEST = 120  # letters of it in the audit
_NEEDED = "needed_role"
_subject: contextvars.ContextVar[list[str]] = contextvars.ContextVar("subject")


def handler_for(role: Role, handler: Callable[P, R]) -> Callable[P, R]:
    """Return the handler marked with the role that somebody needs to call it."""

    @functools.wraps(handler)
    def marked(*args: P.args, **kwargs: P.kwargs) -> R:
        return handler(*args, **kwargs)

    marked.__dict__[_NEEDED] = role
    return marked


def needed_role(handler: Callable[..., Any] | None) -> Role | None:
    """Return what somebody needs to call a handler; `None` of one that nobody may call."""
    return getattr(handler, _NEEDED, None)


def visitor_of(request: gr.Request | None) -> Visitor | None:
    """Return who sent a request; `None` where no door was in between, as in a test of a handler."""
    inner = request.request if request else None
    return inner.scope.get("user") if inner else None


def rater_of(request: gr.Request | None) -> str | None:
    """Return the name that votes and notes go by; `None` where whoever is there has no name and types one."""
    visitor = visitor_of(request)
    return visitor.name if visitor else None


def asks_as(needed: Role) -> bool:
    """Whether whoever sent the request in hand has a role; true where no door was in between."""
    visitor = visitor_of(LocalContext.request.get(None))
    return visitor is None or may(visitor.role, needed)


def audited(does: str, handler: Callable[P, R]) -> Callable[P, R]:
    """Wrap a handler so that each call is written down: done, or refused with the kind of error."""

    @functools.wraps(handler)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        visitor = visitor_of(LocalContext.request.get(None))
        if visitor is None:
            return handler(*args, **kwargs)
        named: list[str] = []
        token = _subject.set(named)
        try:
            answer = handler(*args, **kwargs)
        except M2N2Error as error:
            visitor.record(does, _about(handler, args, kwargs, named), refused=type(error).__name__)
            raise
        finally:
            _subject.reset(token)
        visitor.record(does, _about(handler, args, kwargs, named))
        return answer

    return wrapped


def name_subject(name: str) -> str:
    """Tell the audit of the call in hand what it is about, where no argument says so; returns the name."""
    if named := _subject.get(None):
        named.clear()
    if (kept := _subject.get(None)) is not None:
        kept.append(name)
    return name


def _about(handler: Callable[..., Any], args: Any, kwargs: Any, named: list[str]) -> str | None:
    if named:
        return named[-1][:_LONGEST]
    given = inspect.signature(handler).bind_partial(*args, **kwargs).arguments
    values = (given.get(name) for name in _SUBJECTS)
    run = next((one.run for one in given.values() if isinstance(getattr(one, "run", None), str)), None)
    return next((one[:_LONGEST] for one in (*values, run) if isinstance(one, str)), None)
