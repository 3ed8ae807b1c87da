"""How an archive went, one offspring at a time: played again from what the run store keeps of everyone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.prompts.prompt_set import LANGUAGES
from studio.evolution.archive import Archive
from studio.evolution.niches import coverage, entropy
from studio.runs.config import RunConfig
from studio.runs.individual import Individual


@dataclass(frozen=True)
class ArchiveMoment:
    """The archive after so many offspring.

    Attributes:
        made: offspring evaluated so far.
        best: highest mean score alive, by language.
        mean: mean score of those alive, by language.
        coverage: of the niches that compete, see `evolution.niches`.
        entropy: likewise, in bits.
    """

    made: int
    best: dict[str, float]
    mean: dict[str, float]
    coverage: float
    entropy: float


def archive_history(individuals: Sequence[Individual], config: RunConfig) -> list[ArchiveMoment]:
    """Replay the archive after the sources and after each offspring.

    Exact: the same insertions in the same order. Only where a run changes its noise on the way are the scores of those
    alive then the last ones they were given.

    Args:
        individuals: of the run, oldest first.
        config: of the run.
    """
    archive = Archive(config.archive, alpha=config.alpha)
    means: dict[str, Mapping[str, float]] = {
        individual.id: {
            language: float(individual.scores[language].mean())
            for language in LANGUAGES
            if language in individual.scores
        }
        for individual in individuals
    }
    made = 0
    moments: list[ArchiveMoment] = []
    for individual in individuals:
        if not individual.is_source and made == 0:
            archive.keep_apart_by(config.breeding.min_distance)
        made += not individual.is_source
        if (scores := individual.competing(config.competing)) is not None:
            archive.insert(individual.id, scores)
        moment = _moment(made, [means[id] for id in archive.ids], archive)
        if moments and moments[-1].made == made:
            moments.pop()  # the sources are one moment
        moments += [moment] if moment else []
    return moments


def _moment(made: int, alive: Sequence[Mapping[str, float]], archive: Archive) -> ArchiveMoment | None:
    if not alive:
        return None
    means = {language: [one[language] for one in alive if language in one] for language in LANGUAGES}
    scores = archive.scores
    return ArchiveMoment(
        made=made,
        best={language: max(values) for language, values in means.items() if values},
        mean={language: float(np.mean(values)) for language, values in means.items() if values},
        coverage=coverage(scores),
        entropy=entropy(scores),
    )
