"""What breeding needs to know of a run's settings, whatever it breeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pipelines.checkpoints.sources import Source
from pipelines.recipes.crossover import AngleScope
from pipelines.recipes.recipe import Recipe
from studio.runs.config import Breeding


class BreedingSettings(Protocol):
    """The settings of a run that breeds recipes: `RunConfig` and `AnyConfig` say what each field means."""

    @property
    def seed(self) -> int:
        """Of everything random."""

    @property
    def archive(self) -> int:
        """Individuals kept alive."""

    @property
    def alpha(self) -> float:
        """Strength of competition."""

    @property
    def angle(self) -> AngleScope:
        """What a SLERP angle is measured over."""

    @property
    def frozen(self) -> Mapping[str, str]:
        """Chromosomes that are not bred, and the source each is taken from."""

    @property
    def breeding(self) -> Breeding:
        """How offspring are made, where that differs from the paper."""

    @property
    def start(self) -> str | None:
        """Folder of recipes that become the first offspring."""

    def bred(self, sources: Mapping[str, Source]) -> dict[str, Source]:
        """Those of the opened sources whose weights are bred; what is left only lends."""

    def weighted(self, sources: Mapping[str, Source], weights: Sequence[float], *, name: str) -> Recipe:
        """A recipe with the same weights in every chromosome that is bred, one for each source that is bred."""
