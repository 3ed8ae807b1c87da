"""Where an offspring came from, as its recipe says it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Lineage(BaseModel):
    """The origin of an offspring: its parents' ids and the crossover that made it.

    Per chromosome one split point and the mixing ratio before it, as in the paper, or all split points and a ratio for
    each stretch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mother: str
    father: str
    splits: dict[str, int | tuple[int, ...]] = {}
    ratios: dict[str, float | tuple[float, ...]] = {}
    seed: int | None = None
