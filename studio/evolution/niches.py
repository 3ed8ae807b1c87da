"""Competition and attraction: functions of a score matrix (M2N2, arXiv 2508.16204, equations 3 to 5).

A prompt is a niche with a limited capacity, shared by the individuals in proportion to their scores on it. All
functions take raw scores and first subtract, per niche, the worst score in the archive (M2N2, section 4.3): raw CLIP
cosines are so close together that without it everybody would get the same share. `s` below is the score after that
subtraction, and

    c_j = max_i s_ij           what niche j can hand out (section 3, continuous scores)
    z_j = sum_i s_ij           how crowded it is
    alpha                      how hard the competition is (Eq. 5): 0 none, a plain genetic algorithm; 1 shared capacity
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import EvolutionError

MAX_ALPHA = 10.0
# Where all scores together exceed the worst by no more, the differences are rounding: the niche hands out nothing.
MIN_CROWD = 1e-12

Floats = NDArray[np.float64]


def check_scores(scores: ArrayLike) -> Floats:
    """The scores as float64 [individuals, niches], refused unless every one is a number in 0..1.

    Raises:
        EvolutionError: not two-dimensional, empty, NaN, infinite, or outside 0..1.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or 0 in scores.shape:
        raise EvolutionError(
            "expected scores of shape [individuals, niches], at least one of each, found shape {shape}",
            shape=scores.shape,
        )
    if not (scores.min() >= 0 and scores.max() <= 1):  # a NaN anywhere is the smallest and fails
        row, niche = np.argwhere(~((scores >= 0) & (scores <= 1)))[0]
        raise EvolutionError(
            "expected scores in 0..1, found {score} for individual {row} in niche {niche}; "
            "a failed evaluation is an error to record, never a score",
            score=scores[row, niche],
            row=row,
            niche=niche,
        )
    return scores


def check_alpha(alpha: float) -> None:
    """Refuse a competition strength that is out of range.

    Raises:
        EvolutionError: not in 0..10.
    """
    if not 0 <= alpha <= MAX_ALPHA:
        raise EvolutionError(
            "expected a competition strength alpha in 0..{max_alpha:g}, found {alpha}", max_alpha=MAX_ALPHA, alpha=alpha
        )


def adjusted(scores: ArrayLike) -> Floats:
    """Scores above the worst of the archive, per niche (M2N2, section 4.3).

    Args:
        scores: float64 [individuals, niches], raw.

    Returns:
        float64 [individuals, niches]; every niche's smallest is 0.

    Raises:
        EvolutionError: as `check_scores`, which every function here goes through.
    """
    scores = check_scores(scores)
    return scores - scores.min(axis=0)


def capacity(scores: ArrayLike) -> Floats:
    """What each niche can hand out: c_j = max_i s_ij, so a niche that all solve equally well hands out nothing.

    Args:
        scores: float64 [individuals, niches], raw.

    Returns:
        float64 [niches], in 0..1.
    """
    return adjusted(scores).max(axis=0)


def price(c: Floats, z: Floats, *, alpha: float = 1.0) -> Floats:
    """What a unit of score earns in each niche: c_j / z_j^alpha.

    Args:
        c: float64 [niches], capacity.
        z: float64 [niches], the sum of adjusted scores.
        alpha: competition strength, 0 to 10.

    Returns:
        float64 [niches]; 0 where there is nothing to win.

    Raises:
        EvolutionError: `alpha` is out of range.
    """
    check_alpha(alpha)
    return np.divide(c, z if alpha == 1 else z**alpha, out=np.zeros(len(z)), where=z > MIN_CROWD)


def fitness(scores: ArrayLike, *, alpha: float = 1.0) -> Floats:
    """What each individual wins in competition: sum_j c_j * s_ij / z_j^alpha (M2N2, Eq. 3 and 5).

    With alpha 1 an archive's fitness sums to sum_j c_j: every niche hands out exactly its capacity.

    Args:
        scores: float64 [individuals, niches], raw.
        alpha: competition strength, 0 to 10.

    Returns:
        float64 [individuals]; all zeros when nobody is better than another anywhere.
    """
    s = adjusted(scores)
    # A sum per row, not a matrix product: BLAS may round equal rows differently, and equal individuals must tie.
    return (s * price(s.max(axis=0), s.sum(axis=0), alpha=alpha)).sum(axis=1)


def newcomer_fitness(alive: ArrayLike, newcomers: ArrayLike, *, alpha: float = 1.0) -> Floats:
    """What each of several newcomers would win if it alone competed with those alive, by `fitness` of all of them.

    Args:
        alive: float64 [individuals, niches], raw.
        newcomers: float64 [newcomers, niches], raw.
        alpha: competition strength, 0 to 10.

    Returns:
        float64 [newcomers].
    """
    s, worth, _ = _beside(check_scores(alive), check_scores(newcomers), alpha)
    return (s * worth).sum(axis=1)


def newcomer_prices(alive: ArrayLike, newcomers: ArrayLike, *, alpha: float = 1.0) -> Floats:
    """What a unit of score earns in each niche where each of several newcomers alone competes with those alive.

    Args:
        alive: float64 [individuals, niches], raw.
        newcomers: float64 [newcomers, niches], raw.
        alpha: competition strength, 0 to 10.

    Returns:
        float64 [newcomers, niches].
    """
    return _beside(check_scores(alive), check_scores(newcomers), alpha)[1]


def newcomer_leads(alive: ArrayLike, newcomers: ArrayLike, *, alpha: float = 1.0) -> Floats:
    """How much more each of several newcomers would win than each alive, if it alone competed with them.

    Args:
        alive: float64 [individuals, niches], raw.
        newcomers: float64 [newcomers, niches], raw.
        alpha: competition strength, 0 to 10.

    Returns:
        float64 [newcomers, individuals], up to rounding.
    """
    alive = check_scores(alive)
    s, worth, worst = _beside(alive, check_scores(newcomers), alpha)
    theirs = worth @ alive.T - (worth * worst).sum(axis=1)[:, np.newaxis]
    return (s * worth).sum(axis=1)[:, np.newaxis] - theirs


def _beside(alive: Floats, newcomers: Floats, alpha: float) -> tuple[Floats, Floats, Floats]:
    """Newcomers that compete one by one: adjusted scores, prices and worst scores, each [newcomers, niches]."""
    check_alpha(alpha)
    worst = np.minimum(alive.min(axis=0), newcomers)
    s = newcomers - worst
    c = np.maximum(alive.max(axis=0) - worst, s)
    z = np.maximum(alive.sum(axis=0) - len(alive) * worst + s, 0.0)
    return s, np.divide(c, z if alpha == 1 else z**alpha, out=np.zeros_like(z), where=z > MIN_CROWD), worst


def attraction(scores: ArrayLike, mother: int, *, alpha: float = 1.0) -> Floats:
    """How much each individual complements the mother: sum_j c_j / z_j^alpha * max(s_ij - s_mother,j, 0) (M2N2, Eq. 4).

    Args:
        scores: float64 [individuals, niches], raw.
        mother: row of the first parent.
        alpha: competition strength, 0 to 10.

    Returns:
        float64 [individuals], zero for the mother herself; all zeros when nobody is better than her anywhere.
    """
    s = adjusted(scores)
    worth = price(s.max(axis=0), s.sum(axis=0), alpha=alpha)
    return (np.maximum(s - s[mother], 0.0) * worth).sum(axis=1)


def owners(scores: ArrayLike) -> NDArray[np.int64]:
    """Who is best in each niche.

    Args:
        scores: float64 [individuals, niches], raw.

    Returns:
        int64 [niches]: a row; the oldest of several equally good; -1 where all are equal and nobody stands out.
    """
    s = adjusted(scores)
    return np.where(s.max(axis=0) > 0, s.argmax(axis=0), -1).astype(np.int64)


def coverage(scores: ArrayLike) -> float:
    """How much of the niches the archive can draw: the mean over niches of the best score there (M2N2, section 4.1).

    The paper counts the share of data points that at least one member solves, which is what this is for scores of 0
    and 1. Between them a niche counts in part, as it does in the paper's capacity for continuous scores (section 3).

    Args:
        scores: float64 [individuals, niches], raw; bool does as well.

    Returns:
        0..1. It falls where the last individual that was good at something has left.
    """
    return float(check_scores(scores).max(axis=0).mean())


def entropy(scores: ArrayLike) -> float:
    """How much the archive disagrees, in bits per niche (M2N2, section 4.1).

    For scores of 0 and 1 it is the paper's: the entropy of the share of members that solve a point, mean over points.
    A score between them is taken as the chance to solve the niche, and what each member is unsure of by itself is no
    disagreement: H(mean_i s_ij) - mean_i H(s_ij), the Jensen-Shannon divergence (Lin 1991).

    Args:
        scores: float64 [individuals, niches], raw; bool does as well.

    Returns:
        0 where all score alike in every niche, 1 where half of them solve each niche and the others do not.
    """
    scores = check_scores(scores)
    return float((_bits(scores.mean(axis=0)) - _bits(scores).mean(axis=0)).mean())


def _bits(chance: Floats) -> Floats:
    """Entropy in bits of something that happens with this chance; 0 at both ends."""
    open_ended = (chance > 0) & (chance < 1)
    p = np.where(open_ended, chance, 0.5)
    return np.where(open_ended, -(p * np.log2(p) + (1 - p) * np.log2(1 - p)), 0.0)


def roulette(weights: ArrayLike, rng: np.random.Generator) -> int:
    """An index drawn with probability proportional to its weight; uniformly when all weights are zero.

    Takes exactly one uniform number from `rng`, so that the stream of a search does not depend on its luck.

    Args:
        weights: float64 [n], none negative.
        rng: the search's generator.

    Returns:
        An index; never one of weight zero unless all are.

    Raises:
        EvolutionError: no weights, or one is negative, NaN or infinite.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if weights.ndim != 1 or len(weights) == 0 or not (weights.min() >= 0 and weights.max() < np.inf):
        raise EvolutionError(
            "expected at least one weight, finite and not negative, found {weights}", weights=weights.tolist()
        )
    return spin(weights, rng.random())


def spin(weights: Floats, draw: float) -> int:
    """As `roulette`, of weights already checked and its uniform number in 0..1."""
    if not weights.any():
        weights = np.ones_like(weights)
    bounds = np.cumsum(weights)
    index = int(np.searchsorted(bounds, draw * bounds[-1], side="right"))
    return min(index, int(np.flatnonzero(weights)[-1]))  # the product may round up to the last bound
