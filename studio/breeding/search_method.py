"""What a search over recipes looks like from outside: asked for recipes to score, told their scores.

    while (candidate := method.ask()) is not None:
        method.tell(candidate, score(candidate.recipe))
    method.best()

`m2n2.M2N2` is the studio's own. Others stand beside it in the benchmark of searches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from pipelines.checkpoints.sources import Source
from pipelines.recipes.recipe import Recipe
from studio.evolution.archive import Archive
from studio.evolution.niches import Floats
from studio.evolution.racing import Race
from studio.runs.individual import Individual, Prediction

Role = Literal["source", "offspring", "again"]


@dataclass(frozen=True)
class Past:
    """What a run has recorded of a search that is to go on.

    Attributes:
        state: as `M2N2.state` gave it with the last individual.
        rotation: which noise the scores of those alive are from.
        everyone: all individuals so far, oldest first.
        niches: an individual's scores by kind to what competes, float64 [niches].
    """

    state: Mapping[str, Any]
    rotation: int
    everyone: Sequence[Individual]
    niches: Callable[[Mapping[str, np.ndarray]], Floats]


@dataclass(frozen=True)
class Candidate:
    """A recipe that a search wants to be scored.

    Attributes:
        recipe: what to score; its name is the individual's.
        role: a source, an offspring, or somebody alive who is to be scored again, on other noise.
        rotation: which noise it is to be drawn with: 0 the first of every prompt, 1 the next, and so on.
        prediction: what the search expects it to score, where it looks ahead.
        race: tells from some of its scores that it is to be given up; None where all are wanted.
    """

    recipe: Recipe
    role: Role = "offspring"
    rotation: int = 0
    prediction: Prediction | None = None
    race: Race | None = None

    def recorded(self) -> dict[str, Any]:
        """What a search that goes on needs of one in flight, as JSON has it."""
        recorded: dict[str, Any] = {"recipe": self.recipe.model_dump(mode="json", exclude_none=True)}
        if self.prediction is not None:
            recorded["prediction"] = self.prediction.recorded()
        if self.race is not None:
            recorded["race"] = self.race.recorded()
        return recorded


@dataclass(frozen=True)
class Told:
    """What became of a candidate.

    Attributes:
        entered: whether it is alive in the archive now.
        settled: whether the search stands where it may be saved. It does not while some of those alive have scores on
            other noise than the rest; a search that is restored scores all of them again.
    """

    entered: bool
    settled: bool = True


class SearchMethod(Protocol):
    """A search in progress."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """What its recipes name."""

    def ask(self) -> Candidate | None:
        """The next candidate; None when there are no more."""

    def tell(self, candidate: Candidate, scores: Floats | None) -> Told | None:
        """Its scores, float64 [niches], or None where it has none: it failed, or was given up early."""

    def best(self) -> tuple[Recipe, Floats] | None:
        """What it would ship now, with its scores; None before anything was scored."""


class ResumableSearch(SearchMethod, Protocol):
    """A search that a run can be stopped in, and that goes on from its state as if it had not been."""

    @property
    def archive(self) -> Archive:
        """Who is alive."""

    @property
    def sources_left(self) -> int:
        """How many of the sources that it begins with are still to be asked for."""

    @property
    def in_flight(self) -> Sequence[Candidate]:
        """Those asked for and not told, in the order in which they are to be told. A search that goes on may have some:
        they are not asked for again.
        """

    @property
    def ready(self) -> bool:
        """Whether it may be asked for another candidate now, before any of those in flight is told."""

    def tell(self, candidate: Candidate, scores: Floats | None, *, partial: Floats | None = None) -> Told:
        """As in `SearchMethod`, and what became of it.

        Args:
            candidate: the oldest in flight.
            scores: float64 [niches], or None where it has none.
            partial: of one that was given up, float64 [niches], NaN where a score is not known.
        """

    def state(self) -> dict[str, Any]:
        """What a restored search needs beside the individuals; JSON can hold it."""
