"""Random generators out of the state that a search keeps of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import EvolutionError


def generator_of(state: Mapping[str, Any]) -> np.random.Generator:
    """Make the generator whose bits were in a state, as numpy's `bit_generator.state` gives it.

    Raises:
        EvolutionError: numpy does not know its kind.
    """
    name = state["bit_generator"]
    if not hasattr(np.random, name):
        raise EvolutionError(
            "expected a random generator that numpy {numpy} has, found {name!r}", numpy=np.__version__, name=name
        )
    bits = getattr(np.random, name)()
    bits.state = state
    return np.random.Generator(bits)
