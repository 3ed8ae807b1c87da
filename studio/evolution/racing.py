"""Racing: a newcomer that will hardly enter a full archive is told from some of its scores, drawn in small rounds.

Early rejection (`early_rejection`) asks whether any scores could still let a newcomer in; where all scores are alike,
the answer is yes until the end. Racing asks how likely it is that those to come do, by what a model of all scores so
far expects of it (`foresight`), and gives up where the chance is small (Maron and Moore, "Hoeffding Races", 1994, with
a model's intervals in place of Hoeffding's). So some are given up that would have entered: a few of those that are to
be given up are drawn to the end all the same, and show how many.

What a model is wrong by in one niche it is partly wrong by in all: an individual that has disappointed so far is
expected to go on disappointing. Its errors, in deviations, are taken as normal with a part that all niches share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .niches import Floats, newcomer_leads, newcomer_prices

AUDITED = 1 / 20  # of those that are given up, drawn to the end to see what was missed
OUTCOMES = 512  # scores to come, drawn to count those with which a newcomer enters
MOST_ALIKE = 0.95  # of errors; beyond it a single score would say all


@dataclass(frozen=True)
class Surprise:
    """How wrong a model is.

    Attributes:
        spread: of its errors, in the deviations that it states; 1 at least, so that none is trusted beyond its word.
        alike: the share of their variance that all niches of an individual have in common, 0..1.
    """

    spread: float = 1.0
    alike: float = 0.0

    @classmethod
    def of(cls, errors: Floats) -> Surprise:
        """That of errors in deviations, float64 [individuals, niches], each of an individual that was left out.

        The mean of N errors with a common share r has r + (1 - r) / N of an error's variance.
        """
        if not errors.any():
            return cls()
        niches, variance = errors.shape[1], float((errors**2).mean())
        of_means = float((errors.mean(axis=1) ** 2).mean()) / variance
        alike = (of_means * niches - 1) / (niches - 1) if niches > 1 else 0.0
        return cls(max(1.0, variance**0.5), float(np.clip(alike, 0.0, MOST_ALIKE)))

    def outlook(self, scores: Floats, mean: Floats, deviation: Floats) -> Outlook:
        """What is expected of one individual's scores once some of them are known.

        Args:
            scores: float64 [niches], in 0..1; NaN where one is not known.
            mean: float64 [niches], expected before any was known.
            deviation: float64 [niches], of what was to be found.
        """
        unknown, width = np.isnan(scores), deviation * self.spread
        told = ~unknown & (width > 0)
        shared, variance = 0.0, self.alike
        if self.alike > 0:
            errors, rest = (scores[told] - mean[told]) / width[told], 1 - self.alike
            variance = 1 / (1 / self.alike + len(errors) / rest)
            shared = variance * float(errors.sum()) / rest
        return Outlook(
            np.where(unknown, mean + width * shared, scores),
            np.where(unknown, width * variance**0.5, 0.0),
            np.where(unknown, width * (1 - self.alike) ** 0.5, 0.0),
        )


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is expected of one individual's scores: normal, with deviations of 0 where a score is known.

    Attributes:
        mean: float64 [niches]; where a score is not known it may be outside 0..1.
        shared: float64 [niches], the deviation that all niches have in common.
        own: float64 [niches], the deviation of each by itself.
    """

    mean: Floats
    shared: Floats
    own: Floats

    @property
    def completed(self) -> Floats:
        """The scores with those that are not known as they are expected: float64 [niches], in 0..1."""
        return np.clip(self.mean, 0.0, 1.0)

    def outcomes(self, count: int) -> Floats:
        """Scores as they may come, float64 [count, niches], in 0..1; of the same random numbers every time."""
        rng = np.random.default_rng(0)
        shared, own = rng.standard_normal((count, 1)), rng.standard_normal((count, len(self.mean)))
        return np.clip(self.mean + self.shared * shared + self.own * own, 0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Race:
    """What decides whether one newcomer is worth drawing on, as it stood when the newcomer was bred.

    Attributes:
        ids: of those alive then, by row.
        alive: float64 [individuals, niches], raw, of a full archive.
        alpha: competition strength, 0 to 10.
        mean: float64 [niches], what it is expected to score.
        deviation: float64 [niches], of what will be found.
        surprise: how wrong such expectations are.
        least: it is given up where its chance to enter is below this.
        audited: whether it is drawn to the end all the same.
    """

    ids: tuple[str, ...]
    alive: Floats
    alpha: float
    mean: Floats
    deviation: Floats
    surprise: Surprise
    least: float
    audited: bool = False

    def recorded(self) -> dict[str, Any]:
        """What `alive`, `mean` and `deviation` that are kept elsewhere do not say, as JSON has it."""
        return {"ids": list(self.ids), "spread": self.surprise.spread, "alike": self.surprise.alike}

    def chance(self, scores: ArrayLike) -> float:
        """How likely the newcomer is to enter: the share of outcomes in which somebody alive ends up less fit.

        Args:
            scores: float64 [niches], in 0..1; NaN where one is not known yet.
        """
        known = np.asarray(scores, dtype=np.float64)
        outcomes = self.surprise.outlook(known, self.mean, self.deviation).outcomes(OUTCOMES)
        return float((newcomer_leads(self.alive, outcomes, alpha=self.alpha).max(axis=1) > 0).mean())

    def most_telling(self, scores: ArrayLike, count: int) -> list[int]:
        """The niches that would tell most of those that are not known, the first of them first.

        A niche tells as much as what is won in it may vary: a deviation's worth at the price that it would have.

        Args:
            scores: float64 [niches]; NaN where one is not known yet.
            count: how many are wanted; fewer where fewer are left.
        """
        left = np.flatnonzero(np.isnan(np.asarray(scores, dtype=np.float64)))
        told = self.deviation * newcomer_prices(self.alive, self.mean[np.newaxis], alpha=self.alpha)[0]
        return left[np.argsort(-told[left], kind="stable")[:count]].tolist()


@dataclass(frozen=True)
class RaceEnd:
    """Where a race was given up, or would have been.

    Attributes:
        chance: to enter, by then.
        drawn: niches that were known by then.
    """

    chance: float
    drawn: int


class RaceProgress:
    """A race that is being run: which niches to score next, until it is given up or all are known.

    Args:
        race: to run.
        size: niches of a round, 1 at least.

    Attributes:
        end: where it was given up, or would have been; None as long as it is not.
    """

    def __init__(self, race: Race, size: int) -> None:
        self._race, self._size = race, size
        self.end: RaceEnd | None = None

    def next_round(self, scores: ArrayLike) -> list[int]:
        """The niches to score next; none where enough is known. The first round is always run.

        Args:
            scores: float64 [niches], in 0..1; NaN where one is not known yet.
        """
        unknown = np.isnan(np.asarray(scores, dtype=np.float64))
        if self.end is None and unknown.any() and not unknown.all():
            chance = self._race.chance(scores)
            if chance < self._race.least:
                self.end = RaceEnd(chance, int((~unknown).sum()))
        if self.end is not None and not self._race.audited:
            return []
        return self._race.most_telling(scores, self._size)


@dataclass(frozen=True)
class RacingRecord:
    """What racing has spared, and missed.

    Attributes:
        given_up: newcomers of which no more was drawn.
        spared: pictures of theirs that were not.
        audited: others that would have been given up, and were drawn to the end to see.
        missed: how many of these entered.
        chance: what all that were given up, or audited, had on the mean.
    """

    given_up: int
    spared: int
    audited: int
    missed: int
    chance: float
