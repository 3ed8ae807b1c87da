"""How many workers a run has, and where they are, as a run file says it; read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from pipelines.errors import InvalidValue

_RAY = "ray"


class RayWorkers(BaseModel):
    """Workers on the machines of a Ray cluster; what is left out is found out from the cluster when a run is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ray: int | None = Field(
        None, ge=1, description="how many workers; if left out, as many as the cluster has room for"
    )
    gpus: float | None = Field(
        None,
        ge=0,
        description="GPUs that a worker takes, or the share of one; if left out, 1 where the cluster has any",
    )
    cpus: int | None = Field(
        None,
        ge=1,
        description="CPUs that a worker takes, and threads that it sums with; if left out, those beside a GPU, or 1",
    )

    @field_validator("gpus")
    @classmethod
    def _whole_above_one(cls, gpus: float | None) -> float | None:
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise ValueError("of several GPUs a worker takes whole ones")
        return gpus


def _checked_count(value: object) -> object:
    """The value itself, or `RayWorkers` for what stands for these."""
    if value in (None, "auto") or isinstance(value, RayWorkers):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    if value == _RAY:
        return RayWorkers()
    if isinstance(value, str) and value.startswith(f"{_RAY}:") and value.removeprefix(f"{_RAY}:").isdecimal():
        value = {_RAY: int(value.removeprefix(f"{_RAY}:"))}
    if isinstance(value, Mapping) and _RAY in value:
        try:
            return RayWorkers.model_validate(value)
        except ValidationError:
            raise InvalidValue(
                "expected ray with a whole number of workers, 1 or more; gpus for each, a whole number or a share "
                "below 1; and cpus for each, 1 or more"
            ) from None
    raise InvalidValue("expected a whole number of workers, 1 or more, auto, ray, or ray:N")


WorkerCount = Annotated[
    int | Literal["auto"] | RayWorkers | None,
    BeforeValidator(_checked_count),
    Field(
        description="processes that draw and score at once, and offspring in flight: a number, auto for one per GPU, "
        "or ray for one per GPU of a Ray cluster; the run's own process draws one after another if left out"
    ),
]


def are_several(workers: int | str | RayWorkers | None) -> bool:
    """Whether a run file asks for more than one worker; not where their number is found out later."""
    count = workers.ray if isinstance(workers, RayWorkers) else workers
    return count not in (None, 1, "auto")
