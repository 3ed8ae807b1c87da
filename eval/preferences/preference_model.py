"""What somebody prefers, learned from votes between pictures: Bradley and Terry's model on features of the pictures.

The first of two pictures wins with probability sigmoid(w . (f_first - f_second)), where f are a scorer's image features
and w is found by logistic regression without intercept, with a normal prior. So a picture nobody voted on has a value
too: w . f. The model is antisymmetric by construction: it cannot learn that somebody likes the left side.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from eval.errors import MetricError

from .bradley_terry import TIE, VoteShare, scorer_agreement

# Variance of the log-odds of a typical pair before any vote: the prior expects wins of about three in four. Few votes
# then teach little, and a preference that is not in the features none: its niche hands out next to nothing.
PRIOR = 1.0
FOLDS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PreferenceWeights:
    """What somebody prefers, as the weights of a logistic regression on image features.

    Attributes:
        weights: float64 [d], w above.
        centre: float64 [d], the mean features of the pictures that were voted on: those of an average picture.
    """

    weights: Floats
    centre: Floats

    def win_probability(self, features: ArrayLike) -> Floats:
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


def fit_preference(first: ArrayLike, second: ArrayLike, won: ArrayLike) -> PreferenceWeights:
    """Fit a preference to votes by logistic regression with a normal prior.

    Args:
        first: features [n, d] of the first picture of each vote.
        second: features [n, d] of the second.
        won: [n], 1 where the first was preferred, 0 where the second was, 0.5 for a tie.

    Raises:
        MetricError: no votes, shapes that do not fit, or pictures that are all the same.
    """
    from sklearn.linear_model import LogisticRegression  # a second to import, which every command would wait for

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
    return PreferenceWeights(weights, np.concatenate([first, second]).mean(axis=0))


def cross_validated_agreement(
    first: ArrayLike, second: ArrayLike, won: ArrayLike, captions: ArrayLike
) -> VoteShare | None:
    """Return how many votes a preference predicts that it was not fitted to.

    Cross-validated, with a caption's votes kept together: else a fold would hold pictures that the fit has seen.

    Args:
        first: as in `fit_preference`, like `second` and `won`.
        second: see there.
        won: see there.
        captions: [n], what the two pictures of each vote were asked to show.

    Returns:
        The share of decided votes, 0.5 is chance; `None` where nothing was decided, or for one caption.

    Raises:
        MetricError: as `fit_preference`.
    """
    from sklearn.model_selection import GroupKFold

    first, second, won = _checked(first, second, won)
    groups = np.unique(np.asarray(captions), return_inverse=True)[1]
    folds = min(FOLDS, int(groups.max()) + 1)
    if folds < 2:
        return None
    margins = np.full(len(won), np.nan)
    for train, test in GroupKFold(folds).split(first, groups=groups):
        if (first[train] == second[train]).all():
            continue
        preference = fit_preference(first[train], second[train], won[train])
        margins[test] = preference._margin(first[test] - second[test])
    return scorer_agreement(won, margins)


def _checked(first: ArrayLike, second: ArrayLike, won: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return votes as float64 arrays; refuse those that nothing can be learned from."""
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    won = np.asarray(won, dtype=np.float64)
    if first.ndim != 2 or len(first) == 0 or first.shape != second.shape or won.shape != first.shape[:1]:
        raise MetricError(
            "expected features [n, d] of both pictures and n outcomes, found {first}, {second} and {outcomes}",
            first=first.shape,
            second=second.shape,
            outcomes=won.shape,
        )
    if not np.isin(won, (0, TIE, 1)).all():
        raise MetricError("expected outcomes of 0, 0.5 or 1, found {found}", found=sorted(set(won.tolist())))
    return first, second, won
