"""The archive: the individuals alive, and who leaves when one more is born."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from studio.evolution.errors import EvolutionError
from studio.evolution.niches import Floats, check_scores, fitness


class Insertion(NamedTuple):
    """What became of a newcomer, and who left for it: None when there was room, or when it was turned away."""

    entered: bool
    dropped: str | None


class Archive:
    """At most `capacity` individuals with their raw scores, oldest first.

    A newcomer to a full archive is put in a table of P + 1; competition is worked out anew with it included, and the
    one with the least fitness leaves (M2N2, section 3). Of several equally unfit the newest leaves, so a copy never
    displaces its original.

    Args:
        capacity: P, at least 2: one individual has no mate.
        alpha: competition strength (Eq. 5), 0 to 10.

    Raises:
        EvolutionError: `capacity` is below 2.
    """

    def __init__(self, capacity: int, *, alpha: float = 1.0):
        if capacity < 2:
            raise EvolutionError(f"expected an archive of at least 2 individuals, found a capacity of {capacity}")
        self.capacity = capacity
        self.alpha = alpha
        self._ids: list[str] = []
        self._rows: list[Floats] = []

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
    def scores(self) -> Floats:
        """A copy of their raw scores, float64 [individuals, niches], in the order of `ids`; [0, 0] when empty."""
        return np.stack(self._rows) if self._rows else np.empty((0, 0))

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
            raise EvolutionError(f"expected a new id, found {id!r}, which is alive in the archive already")
        try:
            row = check_scores(np.asarray(scores, dtype=np.float64)[np.newaxis])[0].copy()
        except EvolutionError as error:
            raise EvolutionError(f"scores of {id!r} refused: {error}") from error
        if self._rows and len(row) != len(self._rows[0]):
            raise EvolutionError(f"scores of {id!r} refused: expected {len(self._rows[0])} niches, found {len(row)}")
        self._ids.append(id)
        self._rows.append(row)
        if len(self) <= self.capacity:
            return Insertion(entered=True, dropped=None)
        won = fitness(self.scores, alpha=self.alpha)
        leaver = int(np.flatnonzero(won == won.min())[-1])
        del self._rows[leaver]
        dropped = self._ids.pop(leaver)
        return Insertion(entered=False, dropped=None) if dropped == id else Insertion(entered=True, dropped=dropped)

    def best(self) -> str:
        """The individual with the highest mean raw score, the oldest of several.

        Raises:
            EvolutionError: nobody is alive.
        """
        if not self._ids:
            raise EvolutionError("expected an archive with individuals, found it empty; insert the sources first")
        return self._ids[int(np.argmax(self.scores.mean(axis=1)))]

    def to_state(self) -> dict[str, Any]:
        """What JSON can hold and `from_state` needs beside the scores: capacity, alpha, and the ids in their order."""
        return {"capacity": self.capacity, "alpha": self.alpha, "ids": list(self._ids)}

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
                f"expected at most {archive.capacity} individuals in the archive's state, found {len(state['ids'])}"
            )
        for id in state["ids"]:
            if id not in scores:
                raise EvolutionError(f"expected scores for every individual alive, found none for {id!r}")
            archive.insert(id, scores[id])
        return archive
