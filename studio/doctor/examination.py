"""The examination of sources: their weights read once, beside each other and beside all that the studio knows."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipelines.architectures.keys import WEIGHTED_COMPONENTS
from pipelines.checkpoints.source_expression import expression_predicting
from pipelines.checkpoints.source_uri import absolute_uri, is_at_hand, open_source_uri
from pipelines.checkpoints.sources import Source
from pipelines.diagnosis.measures import ComponentMeasures, measure_components, same_build
from pipelines.diagnosis.weights import ROUNDOFF, distances, weight_faults
from pipelines.errors import M2N2Error
from pipelines.recipes.mergeable import check_mergeable
from studio.analysis.colours import colour_drift
from studio.library.source_library import KnownSource, known_sources
from studio.runs.store import open_run

from .findings import Examination, Finding, FindingKind, SourceColours

_SAME = 1e-6  # as a share of the length: what float64 leaves of a difference of nothing


def examine_sources(
    uris: Sequence[str], runs: Path, progress: Callable[[int, int], None] | None = None
) -> list[Examination]:
    """Examine sources, each beside the others and beside the known ones of the same build.

    Every file is read once, all side by side; in memory are a few blocks of each.

    Args:
        uris: what a person named.
        runs: the folder of the runs, whose sources are known.
        progress: called with (bytes read, bytes in all); raise in it to give up.

    Returns:
        An examination for each, in their order.

    Raises:
        SourceError: one of them cannot be opened, or a file cannot be read any more.
    """
    asked = [open_source_uri(uri) for uri in dict.fromkeys(absolute_uri(uri) for uri in uris)]
    known = known_sources(runs)
    sources = [*asked, *_beside(asked, known)]
    parts = {
        part: [
            places
            for places in same_build([source.components.get(part) for source in sources])
            if min(places) < len(asked)
        ]
        for part in WEIGHTED_COMPONENTS
    }
    size = sum(sources[k].components[part].size for part, groups in parts.items() for places in groups for k in places)
    findings = [[*_refusals(source), *_prediction_findings(source)] for source in asked]
    done = 0
    for part, groups in parts.items():
        for places in groups:
            read = [sources[place].components[part] for place in places]
            weight = sum(component.size for component in read)
            measures = measure_components(read, partial(_report, progress, done, weight, size))
            done += weight
            for row, place in enumerate(places):
                if place < len(asked):
                    findings[place] += _weight_findings(measures, row, [sources[k] for k in places])
    return [
        Examination(
            source.name,
            source.uri,
            str(source.architecture),
            tuple(sorted(found, key=lambda finding: not finding.problem)),
            _colours(source, known, runs),
        )
        for source, found in zip(asked, findings, strict=True)
    ]


def _beside(asked: Sequence[Source], known: Sequence[KnownSource]) -> list[Source]:
    """Open the known sources that any of those asked for can be compared with; what is not at hand is left out."""
    opened = []
    for one in known:
        with contextlib.suppress(M2N2Error):  # its own card says what is wrong with it
            if one.uri in {source.uri for source in asked} or not is_at_hand(one.uri):
                continue
            source = open_source_uri(one.uri)
            if any(_is_comparable(source, other) for other in asked):
                opened.append(source)
    return opened


def _is_comparable(source: Source, asked: Source) -> bool:
    """Return whether a source has the same build as one that was asked for: its UNet, or the parts that there are."""
    for part in ("unet",) if "unet" in asked.components else asked.components:
        if part in source.components and len(same_build([source.components[part], asked.components[part]])) == 1:
            return True
    return False


def _refusals(source: Source) -> list[Finding]:
    """Say which parts of a source are not whole, and why it cannot be bred at all, if it cannot."""
    held = [part for part in WEIGHTED_COMPONENTS if part in source.components or part in source.contents.unusable]
    problems = {part: problem for part in held if (problem := source.problem(part))}
    findings = [Finding("incomplete", True, {"part": part, "reason": reason}) for part, reason in problems.items()]
    if "unet" not in held:
        whole = ", ".join(part for part in held if part not in problems)
        return [*findings, *([Finding("lends", False, {"parts": whole})] if whole else [])]
    if "unet" in problems:
        return findings
    try:
        check_mergeable([source])
    except M2N2Error as error:
        return [*findings, Finding("refused", True, {"reason": str(error)})]
    return findings


def _prediction_findings(source: Source) -> list[Finding]:
    """Say what one step on noise tells of a UNet, where nobody and no file says what it predicts."""
    drawn = source.architecture.text_to_image and not source.architecture.edm
    if source.says_prediction or not drawn or source.problem("unet"):
        return []
    from pipelines.generation.prediction_probe import probe_prediction  # here, not above: most sources say it

    probed = probe_prediction(source)
    kind, taken = probed.prediction_type, source.architecture.prediction_type
    if not math.isfinite(probed.share):  # of weights that are not
        return []
    if kind is None:
        return [Finding("predicts_neither", False, {"share": probed.share})]
    prediction = kind.replace("_", "-")
    if kind == taken:
        return [Finding("predicts", False, {"prediction": prediction})]
    values = {"prediction": prediction, "taken": taken.replace("_", "-"), "share": probed.share}
    return [Finding("predicts_otherwise", True, values | {"name": expression_predicting(source.uri, kind)})]


def _weight_findings(measures: ComponentMeasures, row: int, sources: Sequence[Source]) -> list[Finding]:
    """Say what the measures of a component tell of one of the sources; of the UNet also which source is nearest."""
    findings = []
    for fault in weight_faults(measures, row):
        values: dict[str, object] = {"component": fault.component, "place": fault.place}
        if fault.fault == "not_finite":
            values["count"] = fault.count
        if fault.fault in ("apart", "apart_from"):
            values["factor"] = fault.factor
        if fault.other is not None:
            values["other"] = sources[fault.other].name
        findings.append(Finding(fault.fault, True, values))
    if measures.component != "unet":
        return findings
    return [*findings, *_neighbours(distances(measures, row), sources, row)]


def _neighbours(apart: Mapping[int, float], sources: Sequence[Source], row: int) -> list[Finding]:
    """Say which other source has the same UNet, the same but for rounding, or the nearest one."""
    if not apart:
        return [Finding("alone", False, {})]
    found = []
    for other, distance in apart.items():
        rounding = max(_roundoff(sources[row]), _roundoff(sources[other]))
        if distance <= rounding:
            kind: FindingKind = "same" if distance <= _SAME else "nearly_same"
            found.append(Finding(kind, False, {"other": sources[other].name, "distance": distance}))
    nearest = min(apart, key=lambda other: apart[other])
    return found or [Finding("nearest", False, {"other": sources[nearest].name, "distance": apart[nearest]})]


def _roundoff(source: Source) -> float:
    """Return what the coarsest dtype of a source's UNet moves a number by at most."""
    return max(ROUNDOFF.get(ref.dtype, 0.0) for ref in source.components["unet"].tensors.values())


def _colours(source: Source, known: Sequence[KnownSource], runs: Path) -> SourceColours | None:
    """Measure a source's pictures in the newest run that kept some, beside those of the run's other sources."""
    taken = next((one.runs for one in known if one.uri == source.uri), ())
    for run in taken:
        with contextlib.suppress(M2N2Error), contextlib.closing(open_run(runs / run)) as store:
            everyone = store.sources()
            own = next((one for one in everyone if one.id == source.name), None)
            drift = own and colour_drift(store, own, [one for one in everyone if one is not own])
            if drift:
                return SourceColours(run, drift)
    return None


def _report(progress: Callable[[int, int], None] | None, done: int, weight: int, size: int, share: float) -> None:
    """Tell how many bytes have been read, from the share of the component in hand."""
    if progress:
        progress(done + int(weight * share), size)
