"""The competition in one archive, worked out once: what `niches` would decide, told many times faster.

A decision hardly ever hangs on how a sum is rounded. So dot products decide; only where these are so close to one
another, or to what a roulette drew, that rounding could matter, the sums of `niches` do. What is decided is therefore
exactly what `niches` says.
"""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

import numpy as np

from .errors import EvolutionError
from .niches import MIN_CROWD, Floats, price, spin

# A sum of N terms, none negative, is within N 2^-53 of itself whichever way it is added, and the bounds of a roulette
# of P differences of such sums within 2 P N 2^-53 of the largest: less than this share of it up to P N = 4 million.
ROUNDING = 1e-9
# Where the crowd is about `MIN_CROWD`, it is added without rounding, unless the scores themselves are as small.
TINY = 10 * MIN_CROWD


class Competition:
    """Who wins what, and so who leaves and who mates.

    Args:
        scores: float64 [individuals, niches], raw; `niches.check_scores` has passed them.
        alpha: competition strength, 0 to 10.
        room: float64 [2, individuals, niches], memory to take over: fetching it anew takes longer than the sums.
    """

    def __init__(self, scores: Floats, *, alpha: float = 1.0, room: Floats | None = None):
        held, self._work = np.empty((2, *scores.shape)) if room is None else room
        self._alpha = alpha
        self._worst: Floats = scores.min(axis=0)
        self._s = np.subtract(scores, self._worst, out=held)
        self._c: Floats = self._s.max(axis=0)
        self._z: Floats = self._s.sum(axis=0)
        self._price = price(self._c, self._z, alpha=alpha)
        best = self._worst + self._c
        self._tiny = bool(((best > 0) & (best < TINY)).any())
        self._rough: list[float] = np.vecdot(self._s, self._price).tolist()

    @property
    def fitness(self) -> Floats:
        """What each wins, float64 [individuals], as `niches.fitness`."""
        return self._sums(self._s)

    def attraction(self, mother: int) -> Floats:
        """How much each complements the mother, float64 [individuals], as `niches.attraction`."""
        better = np.subtract(self._s, self._s[mother], out=self._work)
        return self._sums(np.maximum(better, 0.0, out=better))

    def least_fit_beside(self, newcomer: Floats) -> list[int]:
        """Who may be the least fit once a newcomer competes too: rows, its own after all others.

        One row as a rule; `niches.fitness` has to decide among several.

        Args:
            newcomer: float64 [niches], raw; `niches.check_scores` has passed it.
        """
        if self._tiny:
            return list(range(len(self._s) + 1))
        worst = np.minimum(self._worst, newcomer)
        gain = self._worst - worst  # what its failures add to everyone else's adjusted score
        s = newcomer - worst
        z = self._z + len(self._s) * gain + s
        worth = price(np.maximum(self._c + gain, s), z, alpha=self._alpha)
        won = [*(np.vecdot(self._s, worth) + gain @ worth).tolist(), float(s @ worth)]
        close = min(won) * (1 + ROUNDING)
        return [row for row, one in enumerate(won) if one <= close]

    def pick_parents(
        self,
        rng: np.random.Generator,
        *,
        attract: bool = True,
        compatibility: Callable[[int, int], float] | None = None,
        favour: Floats | None = None,
    ) -> tuple[int, int]:
        """Two different individuals: the mother by fitness (M2N2, Eq. 3), the father by attraction to her (Eq. 4).

        When nobody wins anything (all fitness zero) the mother is drawn uniformly. When nobody attracts her, or
        `attract` is off, the father is drawn by fitness among the others, uniformly if that is all zero too.

        Args:
            rng: gives exactly two uniform numbers.
            attract: False for a search without attraction, to compare with.
            compatibility: rows of the mother and of a candidate to a factor of its attraction, 0 or more; asked only
                about those that attract her.
            favour: float64 [individuals], factors of fitness and of attraction, 0 or more, where people steer; nobody
                of factor 0 mates, and two at least have more. None for the paper's search.

        Returns:
            Rows of the mother and the father.

        Raises:
            EvolutionError: fewer than two individuals, or a compatibility or a favour that is no factor.
        """
        if len(self._s) < 2:
            raise EvolutionError("expected at least 2 individuals to choose parents from, found 1; add another source")
        if favour is not None:
            return self._favoured(rng, favour, attract, compatibility)
        mother = _clear(self._rough, draw := rng.random(), ROUNDING * sum(self._rough))
        if mother is None:
            mother = spin(self.fitness, draw)
        return mother, self._father(mother, rng.random(), attract, compatibility)

    def _father(
        self, mother: int, draw: float, attract: bool, compatibility: Callable[[int, int], float] | None
    ) -> int:
        if attract and compatibility is None:
            # What each would win with the mother's scores wherever they are better, less what she wins.
            both = np.maximum(self._s, self._s[mother], out=self._work)
            won: list[float] = np.vecdot(both, self._price).tolist()
            father = _clear([one - won[mother] for one in won], draw, ROUNDING * max(won))
            if father is not None:
                return father
        if attract:
            appeal = self._appeal(mother, compatibility)
            if appeal.any():
                return spin(appeal, draw)
        father = spin(np.delete(self.fitness, mother), draw)
        return father + (father >= mother)

    def _appeal(self, mother: int, compatibility: Callable[[int, int], float] | None) -> Floats:
        appeal = self.attraction(mother)
        if compatibility is not None:
            for row in np.flatnonzero(appeal):
                appeal[row] *= _factor(compatibility(mother, int(row)))
        return appeal

    def _favoured(
        self,
        rng: np.random.Generator,
        favour: Floats,
        attract: bool,
        compatibility: Callable[[int, int], float] | None,
    ) -> tuple[int, int]:
        """As `pick_parents` with factors: where nobody who may mate wins anything, the factors alone decide."""
        if favour.shape != (len(self._s),) or not (favour.min() >= 0 and favour.max() < np.inf):
            raise EvolutionError(
                "expected a factor of 0 or more for each individual, found {favour}", favour=favour.tolist()
            )
        if np.count_nonzero(favour) < 2:
            raise EvolutionError(
                "expected at least 2 individuals that may mate, found {favour}", favour=favour.tolist()
            )
        mother = spin(_or_else(self.fitness * favour, favour), rng.random())
        others = favour.copy()
        others[mother] = 0
        won = _or_else(self.fitness * others, others)
        if attract:
            won = _or_else(self._appeal(mother, compatibility) * others, won)
        return mother, spin(won, rng.random())

    def _sums(self, s: Floats) -> Floats:
        return np.multiply(s, self._price, out=self._work).sum(axis=1)


def _clear(rough: list[float], draw: float, margin: float) -> int | None:
    """The index that a roulette draws, unless bounds that are off by `margin` could change it."""
    bounds = list(accumulate(rough))
    stop = draw * bounds[-1]
    index = bisect_right(bounds, stop + margin)
    return None if index == len(bounds) or (index and stop - bounds[index - 1] <= margin) else index


def _or_else(weights: Floats, others: Floats) -> Floats:
    return weights if weights.any() else others


def _factor(compatibility: float) -> float:
    if not 0 <= compatibility < np.inf:
        raise EvolutionError(
            "expected a compatibility of 0 or more, found {compatibility}", compatibility=compatibility
        )
    return compatibility
