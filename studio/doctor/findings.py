"""What the examination of a source says: one finding after another, in both languages and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from studio.analysis.colours import ColourDrift
from studio.i18n import Lang, t

WeightFinding = Literal[
    "not_finite", "zero", "apart", "apart_from", "foreign", "same", "nearly_same", "nearest", "alone"
]
UseFinding = Literal["refused", "incomplete", "lends"]  # what a source can be used for
PredictionFinding = Literal["predicts", "predicts_otherwise", "predicts_neither"]
FindingKind = WeightFinding | UseFinding | PredictionFinding


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: which.
        problem: whether the source should not be bred as it is; else it is worth knowing.
        values: what fills the sentence in.
    """

    kind: FindingKind
    problem: bool
    values: Mapping[str, Any]

    def sentence(self, lang: Lang) -> str:
        """Say it in a sentence or two."""
        return t(lang, f"check_{self.kind}", **self.values)


@dataclass(frozen=True)
class SourceColours:
    """How a source's pictures look in a run that it took part in, beside those of the run's other sources."""

    run: str
    drift: ColourDrift


@dataclass(frozen=True)
class Examination:
    """What was found of a source.

    Attributes:
        name: what it is called.
        uri: what opens it.
        architecture: which model its UNet is, and what it predicts.
        findings: problems first.
        colours: `None` where no run has drawn pictures of it beside others.
    """

    name: str
    uri: str
    architecture: str
    findings: tuple[Finding, ...]
    colours: SourceColours | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing stands against breeding it."""
        return not any(finding.problem for finding in self.findings)

    def sentences(self, lang: Lang) -> list[str]:
        """Say what was found, the verdict first."""
        problems = sum(finding.problem for finding in self.findings)
        verdict = t(lang, "check_sound") if self.sound else t(lang, "check_problems", n=problems)
        said = [t(lang, "check_is", architecture=self.architecture), verdict]
        said += [finding.sentence(lang) for finding in self.findings]
        if self.colours is None:
            return [*said, t(lang, "check_no_pictures")]
        return [*said, t(lang, "check_pictures", run=self.colours.run), *self.colours.drift.sentences(lang)]

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints of it."""
        return {
            "name": self.name,
            "path": self.uri,
            "architecture": self.architecture,
            "sound": self.sound,
            "findings": [
                {"kind": finding.kind, "problem": finding.problem, **finding.values} for finding in self.findings
            ],
            "colours": self.colours and {"run": self.colours.run, **self.colours.drift.as_json()},
        }
