"""Which field of a page an error is about: it is said beside that field (`server/inline_errors.js`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pipelines.errors import M2N2Error

_MARK = "at the field "


@contextlib.contextmanager
def at_field(field: str) -> Iterator[None]:
    """Note on errors that are raised inside that they are about a field; their kind and message stay.

    Args:
        field: the `elem_id` of a component.
    """
    try:
        yield
    except M2N2Error as error:
        error.add_note(_MARK + field)
        raise


def field_of(error: BaseException) -> str | None:
    """The field that an error is about, the innermost that was named; `None` where none was."""
    notes = getattr(error, "__notes__", ())
    return next((note.removeprefix(_MARK) for note in notes if note.startswith(_MARK)), None)
