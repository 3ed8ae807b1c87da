"""Votes between two pictures to strengths, and how often a scorer sides with people.

The model is Bradley and Terry's (1952, Biometrika 39): `first` beats `second` with probability
sigmoid(strength of first - strength of second). Its likelihood is concave, so any good optimiser finds the one maximum
(Hunter 2004, Annals of Statistics 32, section 2); the order in which votes came does not matter, unlike Elo's. A tie is
half a win for each (as in Hunter's section 4.2, without a parameter of its own).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval.errors import MetricError

REGULARISATION = 0.5  # a prior: strengths are normal around 0 with variance 2, so nobody wins for ever
TIE = 0.5

Floats = NDArray[np.float64]


class PairedComparison(NamedTuple):
    """Two that were compared, by name, and how the first fared: 1 where it won, 0 where it lost, 0.5 for a tie."""

    first: str
    second: str
    won: float


@dataclass(frozen=True)
class Rating:
    """The place of one who was compared in a ranking.

    Attributes:
        name: whose place it is.
        strength: in log-odds: a difference of log 3 wins three times of four. Those of a ranking average to 0.
        chance: what a person reads: the probability, 0..1, to win against an average one (strength 0).
        low: the lower end of the interval of `chance`.
        high: its upper end.
        votes: the number of comparisons it took part in.
    """

    name: str
    strength: float
    chance: float
    low: float
    high: float
    votes: int


@dataclass(frozen=True)
class VoteShare:
    """The share of votes on which a scorer and people agree, with Wilson's interval.

    Attributes:
        share: 0..1.
        low: the lower end of its interval.
        high: its upper end.
        of: the number of votes that it is a share of.
        ties: the number of votes that were left out because somebody preferred neither.
    """

    share: float
    low: float
    high: float
    of: int
    ties: int


def fit_strengths(
    comparisons: Sequence[PairedComparison], *, regularisation: float = REGULARISATION
) -> dict[str, float]:
    """Fit strengths to comparisons.

    Args:
        comparisons: at least one.
        regularisation: r in the penalty r/2 * sum of squared strengths, which keeps those finite who never lost. With 0
            the likelihood alone decides; its maximum exists only where wins lead from everybody to everybody else.

    Returns:
        Strengths by name, in log-odds that average to 0, the strongest first.

    Raises:
        MetricError: no comparisons, one with itself, or an outcome that is neither 0, 0.5 nor 1.
    """
    tally = _count_outcomes(comparisons)
    strength = _fit(tally, tally.counts[None], regularisation)[0]
    return dict(sorted(zip(tally.names, strength.tolist(), strict=True), key=lambda pair: -pair[1]))


def rank_comparisons(
    comparisons: Sequence[PairedComparison], *, resamples: int = 200, level: float = 0.95, seed: int = 0
) -> list[Rating]:
    """Rank everybody who was compared, the strongest first, with percentile bootstrap intervals over votes.

    A resample draws as many votes again from the distinct (pair, outcome) by how often each was given. Where votes are
    few that alone is far too sure: one win seen once is a win in every resample. So the prior is drawn anew too: each
    resample is pulled towards strengths drawn from it, not towards 0 (randomised maximum a posteriori: Bardsley et al.
    2014, SIAM J. Sci. Comput. 36). Of 24 simulated individuals after 30 votes 95 % intervals then held the truth for
    99 %, without it for 72 %; after 600 votes for 94 % and 93 %.

    Args:
        comparisons: none give an empty ranking; errors as in `fit_strengths`.
        resamples: how many.
        level: coverage of the intervals.
        seed: of the resampling; equal input and seed give equal numbers.
    """
    if not comparisons:
        return []
    from scipy.special import expit

    tally = _count_outcomes(comparisons)
    strength = _fit(tally, tally.counts[None], REGULARISATION)[0]
    rng, total = np.random.default_rng(seed), int(tally.counts.sum())
    drawn = rng.multinomial(total, tally.counts / total, size=resamples)  # [resamples, m]
    pull = rng.normal(0.0, REGULARISATION**-0.5, size=(resamples, len(tally.names)))
    spread = expit(_fit(tally, drawn, REGULARISATION, pull))  # [resamples, individuals]
    low, high = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2], axis=0)
    votes = tally.per_pair(tally.counts[None])[0][0] @ np.abs(tally.design)
    ratings = [
        Rating(name, float(strength[k]), float(expit(strength[k])), float(low[k]), float(high[k]), int(votes[k]))
        for k, name in enumerate(tally.names)
    ]
    return sorted(ratings, key=lambda rating: -rating.strength)


def scorer_agreement(won: ArrayLike, margins: ArrayLike, *, level: float = 0.95) -> VoteShare | None:
    """Measure how often a scorer prefers the picture that people preferred.

    Args:
        won: [n], how people judged the first of two pictures: 1, 0, or 0.5 for a tie.
        margins: [n], the scorer's score of the first less that of the second; NaN where it gave none.
        level: coverage of the interval (Wilson 1927), which takes votes as independent.

    Returns:
        The share of votes that both decided; the others are counted as ties. `None` where both decided nothing.

    Raises:
        MetricError: the shapes differ.
    """
    won, margins = np.asarray(won, dtype=np.float64), np.asarray(margins, dtype=np.float64)
    if won.shape != margins.shape or won.ndim != 1:
        raise MetricError(
            "expected one margin per vote, found shapes {margins} and {outcomes}",
            margins=margins.shape,
            outcomes=won.shape,
        )
    decided = (won != TIE) & np.isfinite(margins) & (margins != 0)
    of = int(decided.sum())
    if of == 0:
        return None
    from scipy.stats import binomtest  # here, not above: it takes most of a second

    agreed = int(((won > TIE) == (margins > 0))[decided].sum())
    interval = binomtest(agreed, of).proportion_ci(level, method="wilson")
    return VoteShare(agreed / of, float(interval.low), float(interval.high), of, len(won) - of)


@dataclass(frozen=True)
class _Tally:
    """How often each distinct outcome of each pair was given.

    Attributes:
        names: everybody compared, sorted.
        design: float64 [pairs, individuals], 1 for a pair's first and -1 for its second.
        pair: int64 [m], which pair each distinct (pair, outcome) is about.
        won: float64 [m], how its first fared.
        counts: int64 [m], how often it was given.
    """

    names: list[str]
    design: Floats
    pair: NDArray[np.int64]
    won: Floats
    counts: NDArray[np.int64]

    def per_pair(self, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return votes and wins of the first, each [n, pairs], for how often each outcome was given: counts [n, m]."""
        belongs = (self.pair[:, None] == np.arange(len(self.design))).astype(np.float64)  # [m, pairs]
        return counts @ belongs, (counts * self.won) @ belongs


def _count_outcomes(comparisons: Sequence[PairedComparison]) -> _Tally:
    """Count the distinct outcomes of each pair."""
    if not comparisons:
        raise MetricError("expected at least one comparison, found none; collect votes first")
    for each in comparisons:
        if each.first == each.second or each.won not in (0, TIE, 1):
            raise MetricError(
                "expected two different names and an outcome of 0, 0.5 or 1, found {found}", found=tuple(each)
            )
    # One order per pair, so that the same vote seen from the other side is the same.
    counted = Counter(
        each if each.first < each.second else PairedComparison(each.second, each.first, 1 - each.won)
        for each in comparisons
    )
    names = sorted({name for each in counted for name in (each.first, each.second)})
    pairs = sorted({(each.first, each.second) for each in counted})
    place, row = ({key: k for k, key in enumerate(keys)} for keys in (names, pairs))
    design = np.zeros((len(pairs), len(names)))
    for k, (first, second) in enumerate(pairs):
        design[k, place[first]], design[k, place[second]] = 1.0, -1.0
    return _Tally(
        names,
        design,
        np.array([row[each.first, each.second] for each in counted]),
        np.array([each.won for each in counted]),
        np.array(list(counted.values())),
    )


def _fit(tally: _Tally, counts: NDArray[np.int64], regularisation: float, towards: Floats | float = 0.0) -> Floats:
    """Fit the strengths that make counts of the distinct outcomes most likely.

    Args:
        tally: whose outcomes.
        counts: int64 [problems, m]. They share nothing, so one minimisation of their sum solves them all, in a tenth of
            the time that one after another takes.
        regularisation: as in `fit_strengths`.
        towards: strengths [problems, individuals] that the penalty pulls to.

    Returns:
        float64 [problems, individuals], rows with mean 0.
    """
    from scipy.optimize import minimize  # here, not above: shares of votes are read without it
    from scipy.special import expit

    design = tally.design
    votes, wins = tally.per_pair(counts)  # [problems, pairs]

    def loss(flat: Floats) -> tuple[float, Floats]:
        strength = flat.reshape(len(counts), -1)
        margin = strength @ design.T  # [problems, pairs]
        chance = expit(margin)
        surprise = (votes * np.logaddexp(0.0, margin) - wins * margin).sum()
        deviation = strength - towards
        slope = (votes * chance - wins) @ design + regularisation * deviation
        return float(surprise + regularisation / 2 * (deviation**2).sum()), slope.ravel()

    start = np.zeros(len(counts) * design.shape[1])
    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-12, "gtol": 1e-7}).x
    strength = optimum.reshape(len(counts), -1)
    return np.asarray(strength - strength.mean(axis=1, keepdims=True))
