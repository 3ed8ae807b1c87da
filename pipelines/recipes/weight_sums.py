"""What the weights of a merge add up to: 1 in an average. Another sum makes the network larger or smaller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .recipe import Recipe

NOTED = 0.05  # from 1: what people write to a few digits, and what SLERP of alike networks adds, is less
REFUSED = 0.5  # from 1: no picture comes of a network half as large again


@dataclass(frozen=True)
class WeightSum:
    """What the weights over a stretch of a chromosome add up to, where that is not 1.

    Attributes:
        chromosome: its name.
        total: the sum that is farthest from 1.
    """

    chromosome: str
    total: float

    @property
    def is_far(self) -> bool:
        """Whether it is too far from 1 to be meant."""
        return is_far_sum([self.total])


def odd_sums(recipe: Recipe) -> list[WeightSum]:
    """List the chromosomes of a recipe whose weights do not add up to 1, each with the sum that is farthest from it."""
    found = []
    for name, chromosome in recipe.chromosomes.items():
        total = max((sum(segment.weights) for segment in chromosome.segments), key=lambda one: abs(one - 1))
        if abs(total - 1) > NOTED:
            found.append(WeightSum(name, total))
    return found


def is_far_sum(weights: Sequence[float]) -> bool:
    """Return whether weights add up to something that nobody means who has not said so."""
    return abs(sum(weights) - 1) > REFUSED


def normalized(weights: Sequence[float]) -> list[float]:
    """Return weights divided by their sum.

    Raises:
        ZeroDivisionError: they add up to zero.
    """
    total = sum(weights)
    return [weight / total for weight in weights]
