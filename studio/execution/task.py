"""What a run is about, as the loop sees it: how individuals are measured, and what is said of them in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

import numpy as np

from studio.breeding.search_method import Candidate
from studio.evolution.archive import Archive
from studio.evolution.niches import Floats
from studio.runs.individual import Evaluation

E = TypeVar("E", bound=Evaluation)


class Task(Protocol[E]):
    """The part of a run that is another one for pictures (`PictureTask`) and for any network (`NetworkTask`).

    A task has opened the sources, and refuses to go on where scores would not be comparable with those before. It
    raises `Stopped` from any of its methods where the run was asked to stop; nothing of what was in hand is kept then.
    """

    def evaluate(self, candidate: Candidate, archive: Archive) -> E:
        """Score a candidate; a failure is part of what comes back, except a source's.

        Args:
            candidate: whom, and on which noise.
            archive: what it wants to enter, for early rejection; not to be changed.

        Raises:
            M2N2Error: a source cannot be scored, and without it the run makes no sense.
        """

    def niches(self, scores: Mapping[str, np.ndarray]) -> Floats:
        """What competes of an individual's scores by kind: float64 [niches]."""

    def complete(self, candidate: Candidate, evaluation: E, *, entered: bool) -> Evaluation:
        """Do what is only worth it, or only possible, once it is known whether the candidate entered the archive.

        Returns:
            What is to be recorded of it.
        """

    @property
    def reports(self) -> bool:
        """Whether there is anything to report on when the last offspring is made."""

    def report(self) -> None:
        """Say in the run's state what it achieved; what a stopped report had found is not measured again."""
