"""Which source, in which half of the network, helps which prompts: changes that the scores of a run promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.stats import norm

from studio.evolution.foresight import Change, ScoreModel
from studio.evolution.niches import Floats

Half = Literal["first", "second"]
HALVES: tuple[Half, ...] = get_args(Half)
STEP = 0.1  # of a half of the network, that is taken from a source
CHANCE = 0.05  # that a change lies outside of its interval
TINY = 5e-4  # of a score: less than that prints as 0.000


@dataclass(frozen=True)
class Effect:
    """A change in score that is expected, in scores from 0 to 1.

    Attributes:
        mean: the change.
        half_width: of the interval around it.
    """

    mean: float
    half_width: float

    @property
    def is_told(self) -> bool:
        """Whether its sign is sure, also of the interval as it is printed."""
        return abs(self.mean) > self.half_width + TINY


@dataclass(frozen=True)
class SourceEffect:
    """What more of a source in one half of the network is expected to change.

    Attributes:
        source: its name.
        half: of every chromosome.
        groups: change of the mean score by group of prompts; those alone whose interval does not hold zero.
        strongest: the niche that changes most among those whose interval does not hold zero, and how; `None` where
            there is none. With so many niches some look changed by chance: their intervals are so wide that all of them
            hold together what one of a group holds alone (Bonferroni).
    """

    source: str
    half: Half
    groups: Mapping[str, Effect]
    strongest: tuple[int, Effect] | None


def source_effects(
    model: ScoreModel,
    place: Floats,
    sources: Mapping[str, Floats],
    first_half: np.ndarray,
    groups: Sequence[str],
) -> list[SourceEffect]:
    """Expect what a recipe's scores gain or lose when a tenth of one half is taken from one source.

    In that half its weights w become (1 - STEP) w + STEP e, with e the source's: all others shrink alike. As places are
    linear in weights, the place moves by a tenth of the way to the source's.

    Args:
        model: of the scores.
        place: of the recipe, float64 [dimensions].
        sources: place of each source, float64 [dimensions], by name.
        first_half: which coordinates belong to the first half, bool [dimensions].
        groups: which group each niche belongs to.

    Returns:
        One for each source and half, the sources in their order, the first half before the second.
    """
    kinds = [(source, half) for source in sources for half in HALVES]
    parts = {"first": first_half, "second": ~first_half}
    after = np.stack([place + STEP * parts[half] * (sources[source] - place) for source, half in kinds])
    before = np.broadcast_to(place, after.shape)
    names = list(dict.fromkeys(groups))
    averages = np.array([[one == name for one in groups] for name in names], dtype=np.float64)
    by_group = _effects(model.change(before, after, averages / averages.sum(axis=1, keepdims=True)), CHANCE)
    by_niche = _effects(model.change(before, after, np.eye(len(groups))), CHANCE / len(groups))
    found = []
    for (source, half), in_groups, in_niches in zip(kinds, by_group, by_niche, strict=True):
        told = {name: effect for name, effect in zip(names, in_groups, strict=True) if effect.is_told}
        alone = [(number, effect) for number, effect in enumerate(in_niches) if effect.is_told]
        strongest = max(alone, key=lambda one: abs(one[1].mean), default=None)
        found.append(SourceEffect(source, half, told, strongest))
    return found


def _effects(change: Change, chance: float) -> list[list[Effect]]:
    """Return the effects of each pair on each average, whose intervals miss the change by this chance."""
    half_widths = norm.ppf(1 - chance / 2) * change.deviation
    return [
        [Effect(mean, half_width) for mean, half_width in zip(*row, strict=True)]
        for row in zip(change.mean.tolist(), half_widths.tolist(), strict=True)
    ]
