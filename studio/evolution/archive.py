"""The archive: the individuals alive, and who leaves when one more is born."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .competition import Competition
from .distances import mean_distance, score_distances
from .errors import EvolutionError
from .niches import Floats, check_alpha, check_scores, fitness


class Insertion(NamedTuple):
    """What became of a newcomer, and who left for it: nobody when there was room, or when it was turned away."""

    entered: bool
    dropped: tuple[str, ...] = ()


class Archive:
    """At most `capacity` individuals with their raw scores, oldest first.

    A newcomer to a full archive is put in a table of P + 1; competition is worked out anew with it included, and the
    one with the least fitness leaves (M2N2, section 3). Of several equally unfit the newest leaves, so a copy never
    displaces its original.

    Where a least distance is set (`keep_apart`), which is not the paper's, a newcomer that is nearer than that to some
    of those alive competes with these alone: all of them leave if its mean raw score is above all theirs, else it is
    turned away, however many places are empty. It is turned away too if it would be left without a mate.

    Scores are checked as they enter and trusted from then on; the competition among those alive is worked out once per
    change, by the functions of `niches`.

    Args:
        capacity: P, at least 2: one individual has no mate.
        alpha: competition strength (Eq. 5), 0 to 10.

    Raises:
        EvolutionError: `capacity` is below 2, or `alpha` out of range.
    """

    def __init__(self, capacity: int, *, alpha: float = 1.0):
        if capacity < 2:
            raise EvolutionError(
                "expected an archive of at least 2 individuals, found a capacity of {capacity}", capacity=capacity
            )
        check_alpha(alpha)
        self.capacity = capacity
        self.alpha = alpha
        self._min_distance = 0.0
        self._ids: list[str] = []
        self._table: Floats = np.empty((0, 0))  # [capacity + 1, niches], oldest first; made for the first who comes
        self._room: Floats = np.empty((2, 0, 0))  # [2, capacity, niches], for competition to work in
        self._competition: Competition | None = None

    def __len__(self) -> int:
        """How many individuals are alive."""
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        """Whether an individual is alive."""
        return id in self._ids

    @property
    def ids(self) -> tuple[str, ...]:
        """The individuals alive, oldest first."""
        return tuple(self._ids)

    @property
    def is_full(self) -> bool:
        """Whether a newcomer has to compete for its place."""
        return len(self) == self.capacity

    @property
    def scores(self) -> Floats:
        """A copy of their raw scores, float64 [individuals, niches], in the order of `ids`; [0, 0] when empty."""
        return self._alive.copy()

    @property
    def competition(self) -> Competition:
        """The competition among those alive, in the order of `ids`; only valid until somebody is inserted.

        Raises:
            EvolutionError: nobody is alive.
        """
        if self._competition is None:
            self._some()
            self._competition = Competition(self._alive, alpha=self.alpha, room=self._room[:, : len(self)])
        return self._competition

    @property
    def min_distance(self) -> float:
        """The least mean absolute difference of scores over niches between a newcomer and those alive; 0 for none."""
        return self._min_distance

    def keep_apart(self, min_distance: float) -> None:
        """Set the least distance that newcomers keep from now on; who is alive stays.

        Raises:
            EvolutionError: it is negative, or no number.
        """
        if not min_distance >= 0:
            raise EvolutionError("expected a least distance of 0 or more, found {distance}", distance=min_distance)
        self._min_distance = min_distance

    def keep_apart_by(self, share: float) -> None:
        """Set the least distance that newcomers keep from now on to a share of how far those alive are apart.

        Raises:
            EvolutionError: the share is negative, or no number.
        """
        self.keep_apart(share * mean_distance(self._alive))

    def insert(self, id: str, scores: ArrayLike) -> Insertion:
        """Let a newcomer compete for a place.

        Args:
            id: its name; not one that is alive.
            scores: float64 [niches], raw, in 0..1; the same niches in the same order for everyone.

        Raises:
            EvolutionError: the id is alive already, or the scores are not one number in 0..1 per niche. The archive is
                left as it was.
        """
        if id in self._ids:
            raise EvolutionError("expected a new id, found {id!r}, which is alive in the archive already", id=id)
        row = self._checked(id, scores)
        newest = len(self)
        if newest == 0:
            self._table = np.empty((self.capacity + 1, len(row)))
            self._room = np.empty((2, self.capacity, len(row)))
        self._table[newest] = row
        leavers = self._near(row)
        if leavers and (newest == len(leavers) or row.mean() <= self._table[leavers].mean(axis=1).max()):
            return Insertion(entered=False)
        if not leavers and self.is_full:
            leavers = [self._least_fit()]
        if leavers == [newest]:
            return Insertion(entered=False)
        self._competition = None
        dropped = tuple(self._ids[leaver] for leaver in leavers)
        self._ids.append(id)
        for leaver in reversed(leavers):
            self._table[leaver:newest] = self._table[leaver + 1 : newest + 1]
            newest -= 1
            del self._ids[leaver]
        return Insertion(entered=True, dropped=dropped)

    def rescore(self, scores: Mapping[str, ArrayLike]) -> None:
        """Replace the raw scores of everyone alive at once, as when all are judged on new noise. Nobody leaves.

        Args:
            scores: float64 [niches] for each id alive, at least; niches as before.

        Raises:
            EvolutionError: somebody's scores are missing, or as `insert` refuses them. The archive is left as it was.
        """
        rows = [self._checked(id, _scores_of(id, scores)) for id in self._ids]
        for place, row in zip(self._alive, rows, strict=True):
            place[:] = row
        self._competition = None

    def best(self) -> str:
        """The individual with the highest mean raw score, the oldest of several.

        Raises:
            EvolutionError: nobody is alive.
        """
        self._some()
        return self._ids[int(np.argmax(self._alive.mean(axis=1)))]

    def mean(self, id: str) -> float:
        """The mean raw score of one alive.

        Raises:
            EvolutionError: it is not alive.
        """
        if id not in self._ids:
            raise EvolutionError(
                "expected one of the individuals alive, {ids}; found {id!r}", ids=", ".join(self._ids), id=id
            )
        return float(self._table[self._ids.index(id)].mean())

    def to_state(self) -> dict[str, Any]:
        """What JSON can hold and `from_state` needs beside the scores: capacity, alpha, distance, the ids in order."""
        state = {"capacity": self.capacity, "alpha": self.alpha, "ids": list(self._ids)}
        return state | {"min_distance": self.min_distance} if self.min_distance else state

    @classmethod
    def from_state(cls, state: Mapping[str, Any], scores: Mapping[str, ArrayLike]) -> "Archive":
        """The archive that `to_state` described.

        Scores are stored once, with their individual, and looked up here: a state stays small.

        Args:
            state: what `to_state` gave.
            scores: float64 [niches] for each id in the state, at least.

        Raises:
            EvolutionError: an individual's scores are missing, or the state holds more than its capacity.
        """
        archive = cls(state["capacity"], alpha=state["alpha"])
        if len(state["ids"]) > archive.capacity:
            raise EvolutionError(
                "expected at most {capacity} individuals in the archive's state, found {found}",
                capacity=archive.capacity,
                found=len(state["ids"]),
            )
        for id in state["ids"]:
            archive.insert(id, _scores_of(id, scores))
        archive.keep_apart(state.get("min_distance", 0.0))
        return archive

    @property
    def _alive(self) -> Floats:
        return self._table[: len(self._ids)]

    def _some(self) -> None:
        if not self._ids:
            raise EvolutionError("expected an archive with individuals, found it empty; insert the sources first")

    def _checked(self, id: str, scores: ArrayLike) -> Floats:
        try:
            row: Floats = check_scores(np.asarray(scores, dtype=np.float64)[np.newaxis])[0]
        except EvolutionError as error:
            raise EvolutionError("scores of {id!r} refused: {error}", id=id, error=error) from error
        niches = self._table.shape[1]
        if self._ids and len(row) != niches:
            raise EvolutionError(
                "scores of {id!r} refused: expected {niches} niches, found {found}",
                id=id,
                niches=niches,
                found=len(row),
            )
        return row

    def _near(self, row: Floats) -> list[int]:
        """The places of those alive who are nearer to a newcomer than the least distance."""
        if not self.min_distance or not self._ids:
            return []
        return np.flatnonzero(score_distances(self._alive, row) < self.min_distance).tolist()

    def _least_fit(self) -> int:
        """The row of the full table, newcomer last, that has the least fitness; the newest of several."""
        rows = self.competition.least_fit_beside(self._table[-1])
        if len(rows) > 1 and (self._table[rows] != self._table[rows[-1]]).any():  # else they are equally unfit
            won = fitness(self._table, alpha=self.alpha)
            rows = np.flatnonzero(won == won.min()).tolist()
        return rows[-1]


def _scores_of(id: str, scores: Mapping[str, ArrayLike]) -> ArrayLike:
    if id not in scores:
        raise EvolutionError("expected scores for every individual alive, found none for {id!r}", id=id)
    return scores[id]
