"""What a run has noted of how it stands, beside its individuals: one typed, frozen object.

In `run.db` each field is a row of the table `state`, under its own name, as JSON; a field that was never written has
its default here. Rows of reports lie in the same table, under keys that `report_row_key` makes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.jobs.worker_account import PoolStatus
from studio.jobs.worker_kinds import KindsCompared

Status = Literal["new", "queued", "running", "reporting", "stopped", "done", "failed"]
ReportRow = dict[str, list[float]]  # kind of score to values per held-out prompt
_REPORT_ROW = "held_out:"


@dataclass(frozen=True)
class Pace:
    """How far a run is.

    Attributes:
        sources: how many sources were evaluated.
        offspring: how many offspring were.
        seconds: what the newest of them took, oldest first.
        last: when the newest individual was recorded, in seconds since 1970; `None` where there is none.
        slowest_source: the seconds of the source that took longest; `None` before there is one.
    """

    sources: int
    offspring: int
    seconds: tuple[float, ...]
    last: float | None
    slowest_source: float | None


class Steering(BaseModel):
    """What people ask breeding to be steered by.

    Attributes:
        by: who asked; empty of whoever has no name.
        favour: how many times as often as by its scores an individual mates, by id: 0 for never. Nothing ends it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str
    favour: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]


class Steered(Steering):
    """What breeding was steered by, from the child of that number on until the next entry."""

    first: int


class RunState(BaseModel):
    """How a run stands, as its process wrote it down.

    What belongs to the search is written in the transaction of an individual, see `RunStore.record`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Status = Field("new", description="what its process was doing last; see `status.current_status`")
    error: str | None = Field(None, description="why it failed")
    before: int = Field(0, description="runs before it in the queue for the device")
    called: float | None = Field(
        None, description="when a process was called to carry it that has not begun yet, in seconds since 1970"
    )
    began: float | None = Field(
        None, description="when the process that carries it, or carried it last, began to work, in seconds since 1970"
    )
    stop: bool = Field(False, description="somebody asks its process to stop after what is in hand")
    finish: bool = Field(False, description="somebody asks it to make no more offspring, and to report")

    steer: Steering | None = Field(None, description="what somebody asks the next children to be steered by")
    steered: tuple[Steered, ...] = Field((), description="what children were steered by, oldest first")
    workers_wanted: int | None = Field(
        None, ge=1, description="how many workers somebody wants it to go on with; as many as it has, if left out"
    )
    pool: PoolStatus | None = Field(None, description="what its workers are about, or what they did before they ended")
    kinds: KindsCompared | None = Field(None, description="what devices that draw for it scored of the same prompts")

    search: dict[str, Any] | None = Field(None, description="the search, as it was after the last individual")
    rotation: int = Field(0, description="which noises the scores of those alive are from")

    scorer: dict[str, Any] | None = Field(None, description="identity of what is fitness: the same to the end")
    conditions: dict[str, Any] | None = Field(
        None, description="what it depends on beside its folder, see `studio.conditions.record`"
    )
    differences: list[dict[str, str]] = Field(
        [], description="what was another than it was, when it last refused to go on"
    )
    accepted: list[dict[str, Any]] = Field(
        [], description="differences it went on with: `when`, `after` so many offspring, `why`, `differences`"
    )
    machine: dict[str, Any] | None = Field(None, description="what it was carried out on last")
    truncated: list[str] = Field([], description="captions of which a scorer or a text encoder reads the beginning")
    tastes: list[dict[str, Any]] | None = Field(None, description="what was learned of people's votes, once")

    results: dict[str, dict[str, Any]] | None = Field(None, description="report: estimates by row")
    as_shipped: dict[str, dict[str, Any]] | None = Field(None, description="the same of sources as they lie on disk")
    comparisons: dict[str, Any] | None = Field(None, description="the child beside the other rows")
    child: str | None = Field(None, description="the offspring that the report is about")
    realism: dict[str, float] | None = Field(None, description="CMMD by row")
    failed_rows: dict[str, str] | None = Field(None, description="rows of the report that failed, and why")
    report_keys: dict[str, str] | None = Field(None, description="where the row of each is kept, see `report_row_key`")
    report_rows: tuple[int, int] = Field((0, 0), description="rows of the report that are done, and in all")
    report_last: float | None = Field(None, description="when the newest of them was done, in seconds since 1970")
    report_slowest: float | None = Field(None, description="the seconds of the one that took longest")
    reporter: dict[str, Any] | None = Field(
        None, description="identity of what reports, its prompts, what it truncates"
    )
    items: dict[str, list[float]] | None = Field(None, description="report of a network: scores per item, by row")
    held_out: dict[str, list[float]] = Field({}, description="those that are scored already, by row and identity")


#: What a report leaves, beside the rows that it is made of: another budget makes all of it a report of somebody else.
REPORTED = frozenset(
    {
        "results",
        "as_shipped",
        "comparisons",
        "child",
        "realism",
        "failed_rows",
        "report_keys",
        "report_rows",
        "report_last",
        "report_slowest",
        "reporter",
    }
    | {"items"}
)


def checked_changes(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values to be written, known to be what `RunState` holds.

    Raises:
        TypeError: it has no such field, as with a wrong keyword argument.
        pydantic.ValidationError: a value is not of the field's type.
    """
    if unknown := changes.keys() - RunState.model_fields.keys():
        raise TypeError(
            f"RunState has no field {', '.join(sorted(unknown))}; it has {', '.join(sorted(RunState.model_fields))}"
        )
    RunState.model_validate(changes)
    return changes


class EncodedOnce(dict[str, Any]):
    """Plain values that never change from here on, so that their JSON is made once, however often they are written."""

    @functools.cached_property
    def text(self) -> str:
        """The JSON."""
        return json.dumps(self)


def encoded_search(state: Mapping[str, Any]) -> str:
    """The JSON of a search's state, as `json.dumps` has it.

    Hundreds may be in flight, and all but the newest of them were written with the commit before: what is told of each
    in `EncodedOnce` is not encoded again.
    """
    in_flight = state.get("in_flight", ())
    if not in_flight or not all(isinstance(one, EncodedOnce) for one in in_flight):
        return json.dumps(dict(state))
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in state.items() if key != "in_flight"]
    return "{" + ", ".join([*parts, '"in_flight": [' + ", ".join(one.text for one in in_flight) + "]"]) + "}"


def report_row_key(row: str, recipe: str, scorer: str) -> str:
    """Under which key the held-out scores of a row are kept: whoever is scored again by the same scorer finds them.

    Args:
        row: its name in the report.
        recipe: digest of what drew it.
        scorer: digest of what scored it.
    """
    return f"{_REPORT_ROW}{row}:{recipe}:{scorer[:16]}"


def checked_report_row_key(key: str) -> str:
    """The key itself.

    Raises:
        ValueError: it is none of `report_row_key`.
    """
    if not key.startswith(_REPORT_ROW):
        raise ValueError(f"expected a key of report_row_key, found {key!r}")
    return key
