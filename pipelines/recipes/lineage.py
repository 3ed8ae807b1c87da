"""Where an offspring came from, as its recipe says it."""

from __future__ import annotations

from pydantic import Field

from .chromosome import FrozenModel


class Lineage(FrozenModel):
    """The origin of an offspring: its parents' ids and the crossover that made it.

    Per chromosome one split point and the mixing ratio before it, as in the paper, or all split points and a ratio for
    each stretch.
    """

    mother: str
    father: str
    splits: dict[str, int | tuple[int, ...]] = Field(default_factory=dict)
    ratios: dict[str, float | tuple[float, ...]] = Field(default_factory=dict)
    seed: int | None = None
