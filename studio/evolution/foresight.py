"""Foresight: what an individual that nobody has scored is expected to score, learned from all that were.

A Gaussian process over places, points whose squared distances tell how alike two individuals are (Rasmussen and
Williams, "Gaussian Processes for Machine Learning", 2006). One kernel serves all niches,

    k(x, y) = exp(-|x - y|^2 / (2 length^2))

and each niche has a mean and a variance of its own. The length, and the noise as a share of the variance, are those of
a small grid under which the scores are likeliest; mean and variance are the likeliest ones under these. All of it is a
function of what was scored and in which order: nothing is kept, so a search that is resumed expects what it expected.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_solve, cholesky, solve_triangular

from .calibration import NO_VARIANCE
from .errors import EvolutionError
from .niches import Floats, check_scores, newcomer_fitness
from .racing import Surprise

FEWEST = 4  # individuals that anything is learned from
LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # as shares of the unit
NOISES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # as shares of a niche's variance
MOST_LIKELY_OF = 128  # individuals that length and noise are chosen on: the grid takes their number's cube
OPTIMISM = 0.5  # deviations above the mean that an individual is trusted with
ALIKE = 1e-9  # where two differ by a smaller share, rounding may have done it, and the first is chosen


@dataclass(frozen=True, eq=False)
class Forecast:
    """What is expected of places that were not scored.

    Attributes:
        mean: float64 [places, niches], in 0..1.
        deviation: how far the score itself may be from that, one standard deviation, float64 [places, niches].
        found: the same of what will be found, which has noise in it: float64 [places, niches].
    """

    mean: Floats
    deviation: Floats
    found: Floats


@dataclass(frozen=True, eq=False)
class Change:
    """How scores are expected to differ between pairs of places.

    Attributes:
        mean: of the second place, less that of the first: float64 [pairs, averages].
        deviation: how far the difference of the scores themselves may be from that, one standard deviation, float64
            [pairs, averages]. What is unknown of both places alike is in none of it.
    """

    mean: Floats
    deviation: Floats


class ScoreModel:
    """What scores so far say of those to come.

    Args:
        places: float64 [individuals, dimensions], whoever was scored.
        scores: float64 [individuals, niches], in 0..1; NaN where one was given up before it was known. What is expected
            there, given the rest of its scores, stands in: as of those in flight, it makes surer what lies near.
        unit: a distance at which individuals are likely to differ. It must not depend on who was scored so far: where
            they have come together, what is far from them would seem unknown.

    Raises:
        EvolutionError: fewer than `FEWEST` individuals with all their scores, not one row for each, or a score outside
            0..1.
    """

    def __init__(self, places: ArrayLike, scores: ArrayLike, *, unit: float = 1.0) -> None:
        places, scores = np.asarray(places, dtype=np.float64), np.asarray(scores, dtype=np.float64)
        check_scores(np.where(np.isnan(scores), 0.0, scores))
        known = ~np.isnan(scores).any(axis=1)
        if len(places) != len(scores) or known.sum() < FEWEST:
            raise EvolutionError(
                "expected scores of at least {fewest} places, one row each, found {places} places and {scores} rows",
                fewest=FEWEST,
                places=len(places),
                scores=int(known.sum()),
            )
        chosen = np.unique(np.linspace(0, known.sum() - 1, min(known.sum(), MOST_LIKELY_OF)).round().astype(int))
        self._length, self._noise = _likeliest(places[known][chosen], scores[known][chosen], unit)
        self._learn(places[known], scores[known])
        self._surprise: Surprise | None = None
        if not known.all():
            self._surprise, expected = self.surprise, self.forecast(places[~known])
            rest = zip(scores[~known], expected.mean, expected.found, strict=True)
            scores = scores.copy()
            scores[~known] = [self._surprise.outlook(*one).completed for one in rest]
            self._learn(places, scores)

    @property
    def surprise(self) -> Surprise:
        """How wrong it is of individuals that it does not know, as told by leaving out in turn each that it knows."""
        if self._surprise is None:
            foretold, told = self.left_out(), self._scale > 0
            self._surprise = Surprise.of((self._scores - foretold.mean)[:, told] / foretold.found[:, told])
        return self._surprise

    def _learn(self, places: Floats, scores: Floats) -> None:
        self._places, self._scores, self._factor = places, scores, self._factored(places)
        ones = np.ones(len(places))
        whitened = cho_solve(self._factor, ones)
        self._level: Floats = whitened @ scores / (whitened @ ones)  # [niches], the generalised least squares mean
        self._weights: Floats = cho_solve(self._factor, scores - self._level)  # [individuals, niches]
        self._scale = self._deviations(scores - self._level, self._weights)  # [niches]

    def forecast(self, places: ArrayLike, *, in_flight: ArrayLike | None = None) -> Forecast:
        """What places are expected to score.

        Args:
            places: float64 [places, dimensions].
            in_flight: float64 [others, dimensions], whoever is being scored now. Taken to score what is expected of
                them, they change no mean, but make it surer what lies near them.
        """
        places = np.asarray(places, dtype=np.float64)
        near = self._kernel(places, self._places)
        mean = np.clip(self._level + near @ self._weights, 0.0, 1.0)
        factor = self._factor
        if in_flight is not None and len(in_flight := np.asarray(in_flight, dtype=np.float64)):
            known = np.concatenate([self._places, in_flight])
            factor, near = self._factored(known), self._kernel(places, known)
        unknown = 1.0 - (solve_triangular(factor[0], near.T, lower=True) ** 2).sum(axis=0)  # [places]
        unknown = np.maximum(unknown, 0.0)[:, np.newaxis]
        return Forecast(mean, np.sqrt(unknown) * self._scale, np.sqrt(unknown + self._noise) * self._scale)

    @property
    def unknown(self) -> Floats:
        """The deviation of a score far from all that were scored: float64 [niches]."""
        return self._scale

    def change(self, before: ArrayLike, after: ArrayLike, averages: ArrayLike) -> Change:
        """Expect how average scores differ between two places each.

        An average over niches is a process with the same kernel, and its variance is the likeliest one as that of a
        niche is: niches that err together leave it more of their own than those that do not.

        Args:
            before: float64 [pairs, dimensions].
            after: float64 [pairs, dimensions].
            averages: share of each niche in each of them, float64 [averages, niches].
        """
        before, after = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
        shares = np.asarray(averages, dtype=np.float64).T  # [niches, averages]
        apart = self._kernel(after, self._places) - self._kernel(before, self._places)  # [pairs, individuals]
        prior = 2.0 * (1.0 - np.exp(((after - before) ** 2).sum(axis=1) / (-2 * self._length**2)))  # [pairs]
        unknown = prior - (solve_triangular(self._factor[0], apart.T, lower=True) ** 2).sum(axis=0)
        scale = self._deviations((self._scores - self._level) @ shares, self._weights @ shares)
        return Change(apart @ self._weights @ shares, np.sqrt(np.maximum(unknown, 0.0))[:, np.newaxis] * scale)

    def slope(self, places: ArrayLike) -> Floats:
        """Return how the expected score, averaged over niches, rises at places: float64 [places, dimensions], per unit.

        Args:
            places: float64 [places, dimensions].
        """
        places = np.asarray(places, dtype=np.float64)
        pulled = self._kernel(places, self._places) * self._weights.mean(axis=1)  # [places, individuals]
        return (pulled @ self._places - pulled.sum(axis=1)[:, np.newaxis] * places) / self._length**2

    def left_out(self) -> Forecast:
        """Expect the scores of whoever was scored from those of all others, each left out in turn.

        Length, noise and variances stay those of all; the mean is of the others (Dubrule, "Cross Validation of Kriging
        in a Unique Neighborhood", 1983).

        Returns:
            float64 [individuals, niches], in the order of the places that the model was made of.
        """
        inverse = cho_solve(self._factor, np.eye(len(self._places)))
        sums = inverse.sum(axis=1)
        known = (np.diagonal(inverse) - sums**2 / sums.sum())[:, np.newaxis]  # [individuals, 1]
        mean = np.clip(self._scores - self._weights / known, 0.0, 1.0)
        unknown = np.maximum(1.0 / known - self._noise, 0.0)
        return Forecast(mean, np.sqrt(unknown) * self._scale, np.sqrt(1.0 / known) * self._scale)

    @staticmethod
    def _deviations(rest: Floats, weights: Floats) -> Floats:
        """Return likeliest standard deviations, float64 [niches], of scores less their level: [individuals, niches]."""
        return np.asarray(np.sqrt(np.maximum((rest * weights).sum(axis=0), 0.0) / len(rest)))

    def _factored(self, places: Floats) -> tuple[Floats, bool]:
        covariance = self._kernel(places, places)
        covariance[np.diag_indices_from(covariance)] += self._noise
        return cholesky(covariance, lower=True), True

    def _kernel(self, some: Floats, others: Floats) -> Floats:
        return np.exp(squared_distances(some, others) / (-2 * self._length**2))


def squared_distances(some: Floats, others: Floats) -> Floats:
    """Squared distances between points: float64 [some, others] of [some, dimensions] and [others, dimensions]."""
    mixed = some @ others.T
    squares = (some**2).sum(axis=1)[:, np.newaxis] + (others**2).sum(axis=1) - 2 * mixed
    return np.maximum(squares, 0.0)


def _likeliest(places: Floats, scores: Floats, unit: float) -> tuple[float, float]:
    """Length and noise under which the scores are likeliest, of several equally likely the smoothest."""
    told = scores[:, scores.var(axis=0) > NO_VARIANCE]
    best, found = -np.inf, (LENGTHS[-1] * unit, NOISES[-1])
    if not told.size:
        return found
    distances = squared_distances(places, places)
    for share in reversed(LENGTHS):
        values, vectors = np.linalg.eigh(np.exp(distances / (-2 * (share * unit) ** 2)))
        rotated, ones = vectors.T @ told, vectors.sum(axis=0)
        for noise in reversed(NOISES):
            weights = 1.0 / (np.maximum(values, 0.0) + noise)
            level = (ones * weights) @ rotated / (weights @ ones**2)
            variances = weights @ (rotated - ones[:, np.newaxis] * level) ** 2 / len(places)
            likelihood = float(told.shape[1] * np.log(weights).sum() - len(places) * np.log(variances).sum())
            if likelihood > best + ALIKE * abs(likelihood):
                best, found = likelihood, (share * unit, noise)
    return found


def most_promising(alive: Floats, forecast: Forecast, *, alpha: float = 1.0) -> int:
    """Whoever is expected to win most in competition with those alive: a place of the forecast, the first of several.

    Each is trusted with `OPTIMISM` deviations above its mean in every niche, so that between two that are expected to
    win alike the less known one is tried.

    Args:
        alive: float64 [individuals, niches], scores of those it will compete with; of those in flight what is expected.
        forecast: of the places to choose from.
        alpha: competition strength, 0 to 10.
    """
    hoped = np.clip(forecast.mean + OPTIMISM * forecast.deviation, 0.0, 1.0)
    won = newcomer_fitness(alive, hoped, alpha=alpha)
    return int(np.flatnonzero(won >= won.max() * (1 - ALIKE))[0])
