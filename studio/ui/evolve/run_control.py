"""Runs as the page steers them: pause, end, go on with more, go on all the same."""

from __future__ import annotations

from studio.errors import RunError
from studio.execution import control
from studio.i18n import phrase
from studio.runs import status
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio


def stop(studio: Studio, name: str) -> bool:
    """Ask a run to stop after the batch of pictures in hand; returns whether it waited for the machine till now."""
    with studio.run(name) as store:
        status.ask_to_stop(store)
        return store.state.status == "queued"


def finish(studio: Studio, name: str) -> None:
    """Ask a run to breed nobody else, and to report."""
    with studio.run(name) as store:
        control.finish(store)


def extend(studio: Studio, name: str, evaluations: int) -> None:
    """Give a run that stands still another budget, and go on with it.

    Raises:
        RunError: it is going on, or has made more offspring already.
    """
    with studio.run(name) as store, at_field("budget"):
        control.extend(store, evaluations)
    resume(studio, name)


def resume(studio: Studio, name: str, accept: str | None = None) -> None:
    """Go on with a run that was stopped, or whose process is gone; `accept` as of `control.carry_out`."""
    studio.previewer.release()
    with studio.run(name) as store:
        control.start(store, accept)


def accept(studio: Studio, name: str, why: str) -> None:
    """Go on with a run though what it depends on has changed.

    Raises:
        RunError: no reason is given.
    """
    if not why.strip():
        with at_field("accept-why"):
            raise RunError(phrase("accept_empty"))
    resume(studio, name, why.strip())
