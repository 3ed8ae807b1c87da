"""A child just made, and the functions that a search makes one with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

G = TypeVar("G")
Crossover = Callable[[G, G, np.random.Generator], G]
Compatibility = Callable[[G, G], float]


@dataclass(frozen=True)
class Offspring(Generic[G]):
    """A child just made and not yet scored, with its parents' ids."""

    mother: str
    father: str
    genome: G


Breed = Callable[[], Offspring[G]]  # one child by fitness, attraction and crossover
Selection = Callable[[Breed[G], np.random.Generator], Offspring[G]]
