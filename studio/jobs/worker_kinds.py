"""The kinds of devices that the workers of a run compute on, and how far their scores of the same are apart."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class KindsCompared(BaseModel):
    """What calibration prompts scored where a run is drawn.

    Attributes:
        reference: the kind of the first worker that opened, see `WorkerIdentity.kind`.
        scores: of its pictures of the calibration prompts, [prompts, noises].
        differences: the largest from those scores, by each other kind.
        tolerance: the largest with which a worker may draw for the run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str
    scores: tuple[tuple[float, ...], ...]
    differences: dict[str, float] = {}
    tolerance: float
