"""Drift: what changed between the scores at an export's birth and those of a later measurement. Pure.

Three answers. *Equal*: every score is the same bits. *Noise*: no score moved further than scores do when the same files
are measured twice in one go, the second time in another batch, which rounds differently. *Changed*: some score did. The
threshold is thus measured for each kind of score and never chosen: it is the largest such move that was ever seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from studio.exporting.certificate import BirthCertificate, ScoreLists, score_arrays

Measurement = Mapping[str, Any]
DriftVerdict = Literal["damaged", "first", "equal", "noise", "changed"]


@dataclass(frozen=True)
class ScoreChange:
    """A mean score at the export's birth and at a later measurement."""

    then: float
    now: float

    @property
    def difference(self) -> float:
        """Now minus then."""
        return self.now - self.then


@dataclass(frozen=True)
class Drift:
    """A measurement beside the birth certificate.

    Attributes:
        verdict: "first" where there was nothing to compare with: this is what later ones are compared with.
        when: of the measurement.
        means: the change of the mean, by kind of score.
        prompts: the change of every prompt's mean over noises, float64 [prompts], by kind.
        order: rows of the prompts, the largest change first; empty where all are equal.
        noise: the largest move of a prompt among repeats, by kind; `None` before anything was measured twice.
        repeats: how many repeats that comes from.
        damaged: files that are not as they were written, with what was found.
        environment: what is another one than at the birth: (then, now) by name.
    """

    verdict: DriftVerdict
    when: str
    means: dict[str, ScoreChange]
    prompts: dict[str, np.ndarray]
    order: list[int]
    noise: dict[str, float] | None
    repeats: int
    damaged: dict[str, str]
    environment: dict[str, tuple[str, str]]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "verdict": self.verdict,
            "when": self.when,
            "means": {
                kind: {"then": one.then, "now": one.now, "difference": one.difference}
                for kind, one in self.means.items()
            },
            "largest_change": {kind: float(np.abs(rows).max()) for kind, rows in self.prompts.items()},
            "noise": self.noise,
            "repeats": self.repeats,
            "damaged": self.damaged,
            "environment": {name: list(pair) for name, pair in self.environment.items()},
        }


def drift(certificate: BirthCertificate, events: Sequence[Measurement], number: int = -1) -> Drift:
    """Compare one measurement with the birth certificate.

    Args:
        certificate: what was measured then.
        events: every measurement, oldest first.
        number: which one; the last if left out.
    """
    event, until = events[number], list(events)[: number % len(events) + 1]
    damaged = dict(event["damaged"])
    before = baseline(certificate, until)
    noise, repeats = repeat_noise(until)
    means: dict[str, ScoreChange] = {}
    prompts: dict[str, np.ndarray] = {}
    verdict: DriftVerdict = "damaged" if damaged else "first"
    if not damaged and before:
        then, now = score_arrays(before), score_arrays(event["scores"])
        kinds = [kind for kind in then if kind in now]
        means = {kind: ScoreChange(float(then[kind].mean()), float(now[kind].mean())) for kind in kinds}
        prompts = {kind: (now[kind] - then[kind]).mean(axis=1) for kind in kinds}
        verdict = _verdict({kind: np.abs(now[kind] - then[kind]) for kind in kinds}, noise)
        if not certificate.scores and event is _intact(events)[0]:
            verdict = "first"
    return Drift(
        verdict=verdict,
        when=str(event["when"]),
        means=means,
        prompts=prompts,
        order=largest_changes(before, event["scores"]) if prompts and before else [],
        noise=noise,
        repeats=repeats,
        damaged=damaged,
        environment={
            name: (certificate.environment.get(name, "–"), now)
            for name, now in event["environment"].items()
            if certificate.environment.get(name) != now
        },
    )


def baseline(certificate: BirthCertificate, events: Sequence[Measurement]) -> ScoreLists | None:
    """Return what later measurements are compared with: the certificate's scores, else the first ones measured."""
    if certificate.scores:
        return certificate.scores
    intact = _intact(events)
    return dict(intact[0]["scores"]) if intact else None


def largest_changes(before: ScoreLists, after: ScoreLists) -> list[int]:
    """Return the rows of the prompts that moved, in any language, the largest move first."""
    then, now = score_arrays(before), score_arrays(after)
    moved = np.max([np.abs(now[kind] - then[kind]).max(axis=1) for kind in then if kind in now], axis=0)
    return [int(row) for row in np.argsort(-moved, kind="stable") if moved[row] > 0]


def repeat_noise(events: Sequence[Measurement]) -> tuple[dict[str, float] | None, int]:
    """Measure the largest move of any picture's score where the same files were measured twice in one go.

    Two measurements on different days are no repeats: what changed in between may not be known.

    Returns:
        By kind, `None` where nothing was measured twice; and how many times it was.
    """
    repeated = [event for event in _intact(events) if event.get("repeat")]
    largest: dict[str, float] = {}
    for event in repeated:
        for kind, moved in _moves(event["scores"], event["repeat"]).items():
            largest[kind] = max(largest.get(kind, 0.0), float(moved.max()))
    return largest or None, len(repeated)


def is_repeated(events: Sequence[Measurement], environment: Mapping[str, str]) -> bool:
    """Whether noise was measured on this machine, with these programs."""
    return any(event.get("repeat") and event["environment"] == environment for event in events)


def _verdict(moved: Mapping[str, np.ndarray], noise: Mapping[str, float] | None) -> DriftVerdict:
    if not any(rows.any() for rows in moved.values()):
        return "equal"
    within = noise is not None and all(rows.max() <= noise.get(kind, 0.0) for kind, rows in moved.items())
    return "noise" if within else "changed"


def _moves(before: ScoreLists, after: ScoreLists) -> dict[str, np.ndarray]:
    then, now = score_arrays(before), score_arrays(after)
    return {kind: np.abs(now[kind] - then[kind]) for kind in then if kind in now}


def _intact(events: Sequence[Measurement]) -> list[Measurement]:
    return [event for event in events if not event["damaged"]]
