"""What somebody prefers, learned from votes between pictures: Bradley and Terry's model on features of the pictures.

The first of two pictures wins with probability sigmoid(w . (f_first - f_second)), where f are a scorer's image features
and w is found by logistic regression without intercept, with a normal prior. So a picture nobody voted on has a value
too: w . f. The model is antisymmetric by construction: it cannot learn that somebody likes the left side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from eval.errors import MetricError

from .bradley_terry import TIE, Share, agreement

# Variance of the log-odds of a typical pair before any vote: the prior expects wins of about three in four. Few votes
# then teach little, and a taste that is not in the features none: its niche hands out next to nothing.
PRIOR = 1.0
FOLDS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Taste:
    """A learned preference: `weights` [d], and `centre` [d], the mean features of the pictures that were voted on."""

    weights: Floats
    centre: Floats

    def liking(self, features: ArrayLike) -> Floats:
        """Return the chance that each picture is preferred to an average one.

        Args:
            features: image features [n, d] by the scorer that the weights were fitted to.

        Returns:
            float64 [n], in 0..1.
        """
        return np.asarray(expit(self._margin(np.asarray(features, dtype=np.float64) - self.centre)))

    def _margin(self, difference: Floats) -> Floats:
        # A sum per row, not a matrix product: BLAS may round equal rows differently, and equal pictures must tie.
        return (difference * self.weights).sum(axis=1)


def learn(first: ArrayLike, second: ArrayLike, won: ArrayLike) -> Taste:
    """Fit a taste.

    Args:
        first: features [n, d] of the first picture of each vote.
        second: features [n, d] of the second.
        won: [n], 1 where the first was preferred, 0 where the second was, 0.5 for a tie.

    Raises:
        MetricError: no votes, shapes that do not fit, or pictures that are all the same.
    """
    first, second, won = _checked(first, second, won)
    difference = first - second
    typical = float(np.sqrt((difference**2).sum(axis=1).mean()))
    if typical == 0:
        raise MetricError("expected votes between different pictures, found only pairs of equal ones")
    scaled = difference / typical
    # Each vote from both sides: a tie is half a win for each, and both classes are there whatever was answered.
    rows = np.concatenate([scaled, -scaled, scaled, -scaled])
    label = np.repeat([1, 0, 0, 1], len(won))
    weight = np.concatenate([won, won, 1 - won, 1 - won]) / 2
    model = LogisticRegression(C=PRIOR, fit_intercept=False, tol=1e-8, max_iter=1000)
    model.fit(rows[weight > 0], label[weight > 0], sample_weight=weight[weight > 0])
    weights = np.asarray(model.coef_[0], dtype=np.float64) / typical
    return Taste(weights, np.concatenate([first, second]).mean(axis=0))


def foreseen(first: ArrayLike, second: ArrayLike, won: ArrayLike, captions: ArrayLike) -> Share | None:
    """Return how many votes a preference predicts that it was not fitted to.

    Cross-validated, with a caption's votes kept together: else a fold would hold pictures that the fit has seen.

    Args:
        first: as in `learn`, like `second` and `won`.
        second: see there.
        won: see there.
        captions: [n], what the two pictures of each vote were asked to show.

    Returns:
        The share of decided votes, 0.5 is chance; `None` where nothing was decided, or for one caption.
    """
    first, second, won = _checked(first, second, won)
    groups = np.unique(np.asarray(captions), return_inverse=True)[1]
    folds = min(FOLDS, int(groups.max()) + 1)
    if folds < 2:
        return None
    margins = np.full(len(won), np.nan)
    for train, test in GroupKFold(folds).split(first, groups=groups):
        if (first[train] == second[train]).all():
            continue
        taste = learn(first[train], second[train], won[train])
        margins[test] = taste._margin(first[test] - second[test])
    return agreement(won, margins)


def _checked(first: ArrayLike, second: ArrayLike, won: ArrayLike) -> tuple[Floats, Floats, Floats]:
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    outcome = np.asarray(won, dtype=np.float64)
    if one.ndim != 2 or len(one) == 0 or one.shape != other.shape or outcome.shape != one.shape[:1]:
        raise MetricError(
            f"expected features [n, d] of both pictures and n outcomes, found {one.shape}, {other.shape} and "
            f"{outcome.shape}"
        )
    if not np.isin(outcome, (0, TIE, 1)).all():
        raise MetricError(f"expected outcomes of 0, 0.5 or 1, found {sorted(set(outcome.tolist()))}")
    return one, other, outcome
