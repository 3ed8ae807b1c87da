"""The keys of a run file as a table, read from the model that checks it; no limit is written twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .config import RunConfig


@dataclass(frozen=True)
class RunKey:
    """A key of a run file.

    Attributes:
        key: `breeding.beta` is a key within another.
        annotation: type of its value.
        required: whether a run file must say it.
        default: what holds where it does not.
        meaning: what it is for, in English.
        at_least, above, at_most: limits of a number.
        multiple_of: what a number must be divisible by.
        fewest, most: how many entries a list or mapping may have.
    """

    key: str
    annotation: Any
    required: bool
    default: Any
    meaning: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    multiple_of: float | None = None
    fewest: int | None = None
    most: int | None = None

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(".")[2]

    @property
    def holds_keys(self) -> bool:
        """Whether its value is a mapping with keys of its own in the table."""
        return isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel)


def keys_of(model: type[BaseModel], within: str = "") -> Iterator[RunKey]:
    """A row for each field of a model, and after a field that is a model a row for each of its fields."""
    for name, field in model.model_fields.items():
        row = RunKey(
            key=within + name,
            annotation=field.annotation,
            required=field.is_required(),
            default=None if field.is_required() else field.default,
            meaning=field.description or "",
            at_least=_limit(field, "ge"),
            above=_limit(field, "gt"),
            at_most=_limit(field, "le"),
            multiple_of=_limit(field, "multiple_of"),
            fewest=_limit(field, "min_length"),
            most=_limit(field, "max_length"),
        )
        yield row
        if row.holds_keys:
            yield from keys_of(row.annotation, f"{row.key}.")


def _limit(field: FieldInfo, what: str) -> Any:
    return next((getattr(limit, what) for limit in field.metadata if hasattr(limit, what)), None)


RUN_KEYS: Mapping[str, RunKey] = {row.key: row for row in keys_of(RunConfig)}
