"""An individual as a run knows it: where it came from, its recipe, its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from pipelines.recipes.recipe import Recipe
from studio.evolution.racing import RaceEnd

ScoreKind = Literal["ja", "en", "consistency", "score", "votes"]


@dataclass(frozen=True)
class PartialScores:
    """Scores of one that was turned away before all its pictures were drawn.

    Attributes:
        values: float64 [prompts, noises]; NaN where nothing was drawn.
    """

    values: np.ndarray

    @property
    def spared(self) -> int:
        """How many pictures were not drawn."""
        return int(np.isnan(self.values).sum())

    @property
    def niches(self) -> np.ndarray:
        """What they come to, float64 [prompts], means over noises; NaN where nothing was drawn."""
        return self.values.mean(axis=1)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was expected of an offspring before it was measured.

    Attributes:
        mean: float64 [niches], in 0..1.
        deviation: of what would be found, one standard deviation: float64 [niches].
    """

    mean: np.ndarray
    deviation: np.ndarray

    def recorded(self) -> dict[str, list[float]]:
        """As JSON has it."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def read(cls, recorded: Mapping[str, Sequence[float]] | None) -> Prediction | None:
        """What `recorded` gave; None of None."""
        return None if recorded is None else cls(np.array(recorded["mean"]), np.array(recorded["deviation"]))


@dataclass(frozen=True)
class Evaluation:
    """What measuring an individual came to; fields as in `Individual`."""

    scores: Mapping[str, np.ndarray]
    partial: PartialScores | None = None
    error: str | None = None
    race: RaceEnd | None = None

    @property
    def complete(self) -> bool:
        """Whether all is there that competes: it neither failed nor was given up early."""
        return self.error is None and self.partial is None


@dataclass(frozen=True)
class Individual:
    """An individual that was evaluated.

    `scores` maps "ja", "en" and "consistency" to float64 [prompts, noises]; the report's English and consistency are
    only there for those that entered the archive. In a run that votes steer there is "votes" too, float64
    [raters * prompts, noises]. A network that draws no pictures has "score", float64 [items, 1]. One that was turned
    away early has `partial` scores and no others. `error` says why an evaluation failed; there are no scores then.
    `prediction` is what a search that looks ahead expected; `race` says where it was given up for the little chance
    it had to enter, or, where it was drawn to the end all the same, would have been.
    `seconds` is what the run took for it: where several are in hand at once, since the one before was recorded; of
    those that were recorded together each has an equal share.
    """

    id: str
    mother: str | None
    father: str | None
    recipe: Recipe
    scores: Mapping[str, np.ndarray]
    entered: bool
    alive: bool
    seconds: float
    born: datetime
    error: str | None = None
    partial: PartialScores | None = None
    prediction: Prediction | None = None
    race: RaceEnd | None = None

    def mean(self, kind: ScoreKind) -> float | None:
        """The mean score over prompts and noises, `None` where it was not measured."""
        return float(self.scores[kind].mean()) if kind in self.scores else None

    def competing(self, kinds: Sequence[str]) -> np.ndarray | None:
        """What competes of its scores: float64 [niches], means over noises, one kind after the other.

        Returns:
            None where it failed, or was turned away early.
        """
        if not all(kind in self.scores for kind in kinds):
            return None
        return np.concatenate([self.scores[kind].mean(axis=1) for kind in kinds])

    @property
    def is_source(self) -> bool:
        """Whether it is a source, and no offspring."""
        return self.mother is None


KINDS: tuple[ScoreKind, ...] = ("ja", "en", "consistency")
