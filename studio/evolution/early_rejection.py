"""Early rejection: a newcomer that can no longer enter a full archive is told from some of its scores.

It enters if somebody alive ends up less fit than it. Its lead over the incumbent i is a sum over niches,

    f_new - f_i = sum_j d_ij(x_j)      d_ij(x) = c_j(x) * (x - r_ij) / z_j(x)^alpha

in which its score x_j in niche j (raw, like r_ij) changes no other term. So the largest lead that is still possible is
the lead in the niches that are known plus, in each of the others, the headroom: the largest d_ij over x in 0..1. This
is no estimate, there are scores that give it. Where no lead can be positive the newcomer cannot enter.

Headroom in closed form. Let lo be the worst score of those alive, u = x - lo, a = r_i - lo, top the largest a and Z the
sum of all. Nothing is won from i unless u > a, where x is not the worst:

    a <= u <= top        top * (u - a) / (Z + u)^alpha  rises until u = (Z + alpha a) / (alpha - 1), then falls
    top <= u <= 1 - lo     u * (u - a) / (Z + u)^alpha  rises until the larger root of
                                                        (alpha - 2) u^2 - (2 Z + (alpha - 1) a) u + a Z, then falls

as their logarithmic derivatives show, and the largest value is at that turning point, moved into the interval. Up to
alpha 2 both only rise: what a newcomer can hope for most is a perfect score in every niche left.

Rounding. Fitness adds terms that are not negative, so it is computed to within (N + alpha (P + 2) + 16) 2^-53 of itself
for N niches and P alive: 2e-13 for 1,437 niches. The newcomer's share is counted larger by MARGIN and everyone else's
smaller, thousands of times more than that, so nobody is turned away by an error of rounding.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .archive import Archive
from .errors import EvolutionError
from .niches import MIN_CROWD, Floats, adjusted, check_alpha, check_scores, fitness, price

MARGIN = 1e-9


def cannot_enter(archive: Archive, scores: ArrayLike) -> bool:
    """Whether `archive` would turn a newcomer away whatever scores in 0..1 it may still get.

    Exact but for `MARGIN`: where the answer is False there are scores with which it would enter. With every niche known
    the answer is that of `Archive.insert`. Of several equally unfit the newest leaves, so a tie does not enter.

    Args:
        archive: who is alive; while there is room, everybody can enter.
        scores: float64 [niches], raw; NaN where a niche is not known yet.

    Raises:
        EvolutionError: not one score per niche, or a known one is outside 0..1.
    """
    if not archive.is_full:
        return False
    alive, row = archive.scores, np.asarray(scores, dtype=np.float64)
    if row.shape != alive.shape[1:]:
        raise EvolutionError(
            "expected a score or NaN for each of {niches} niches, found shape {shape}",
            niches=alive.shape[1],
            shape=row.shape,
        )
    unknown = np.isnan(row)
    table = np.concatenate([alive, check_scores(np.where(unknown, 0.0, row)[np.newaxis])])
    if not unknown.any():
        won = fitness(table, alpha=archive.alpha)
        return bool(won[-1] <= won.min())
    s = adjusted(table)
    leads = _lead(price(s.max(axis=0), s.sum(axis=0), alpha=archive.alpha), s[-1], s[:-1])
    leads[:, unknown] = headroom(alive[:, unknown], alpha=archive.alpha)
    return bool((leads.sum(axis=1) <= 0).all())


def headroom(scores: ArrayLike, *, alpha: float = 1.0) -> Floats:
    """The most that a newcomer can win more than each individual in each niche: max of d_ij(x) over x in 0..1.

    Args:
        scores: float64 [individuals, niches], raw, of those alive.
        alpha: competition strength, 0 to 10.

    Returns:
        float64 [individuals, niches], none negative, larger than the maximum by about `MARGIN` of a share. Above alpha
        2 a niche is worth the more the less there is of it, down to `MIN_CROWD`: it is huge where all are equal.

    Raises:
        EvolutionError: scores that `check_scores` refuses, or `alpha` out of range.
    """
    check_alpha(alpha)
    scores = check_scores(scores)
    a = adjusted(scores)
    top, crowd, highest = a.max(axis=0), a.sum(axis=0), 1.0 - scores.min(axis=0)
    lowest = MIN_CROWD - crowd  # for smaller u nothing is handed out
    share = a * ((1 - MARGIN) / (1 + MARGIN))  # where the lead with its margin is zero

    def lead(u: Floats) -> Floats:
        return _lead(np.maximum(top, u) / np.maximum(crowd + u, MIN_CROWD) ** alpha, u, a)

    most = lead(highest)
    if alpha > 2:
        b = 2 * crowd + (alpha - 1) * share
        turn = (b + np.sqrt(b * b - 4 * (alpha - 2) * crowd * share)) / (2 * (alpha - 2))
        most = np.maximum(
            lead(np.minimum((crowd + alpha * share) / (alpha - 1), top)),
            lead(np.clip(turn, np.maximum(top, lowest), highest)),
        )
    return np.where(highest >= lowest, np.maximum(most, 0.0), 0.0)


def prompt_order(archive: Archive, rounds: Sequence[slice]) -> list[int]:
    """The order to score a newcomer in, to find out soon that it cannot enter: rounds that tell most come first.

    A niche, which is a prompt, tells as much as becomes known: its headroom goes off the lead that is still possible.
    All leads have to fall, so that is the mean headroom over those alive. It does not depend on the newcomer.

    Args:
        archive: who is alive.
        rounds: niches that are scored together, by their columns in the archive's scores.

    Returns:
        Numbers of rounds; equals stay in the order they came in.

    Raises:
        EvolutionError: nobody is alive.
    """
    told = headroom(archive.scores, alpha=archive.alpha).mean(axis=0)
    return sorted(range(len(rounds)), key=lambda number: -told[rounds[number]].sum())


def _lead(unit: Floats, u: Floats, a: Floats) -> Floats:
    """What a newcomer with adjusted score u wins more than those with a, at a price, with the margin for rounding."""
    return unit * ((1 + MARGIN) * u - (1 - MARGIN) * a)
