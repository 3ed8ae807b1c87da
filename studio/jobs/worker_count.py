"""How many processes work on a run at once, as a run file says it; read without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from pipelines.errors import InvalidValue


def _checked_count(value: object) -> object:
    """The value itself, if it is a number of workers, `auto` or nothing."""
    if value in (None, "auto") or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise InvalidValue("expected a whole number of workers, 1 or more, or auto")


WorkerCount = Annotated[int | Literal["auto"] | None, BeforeValidator(_checked_count)]
