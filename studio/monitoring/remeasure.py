"""Measure an export again as at its birth: the same captions, noise, settings and scorer, on the exported files.

The hashes of the files come first: a damaged or edited export is not scored, for its scores would mean nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

import numpy as np
from pydantic import AfterValidator
from typing_extensions import TypedDict

import assets
from eval.prompts.prompt_set import LANGUAGES, Language
from eval.scorers import names
from eval.scorers.scorer import FeatureScorer
from pipelines.checkpoints.sources import open_source
from pipelines.errors import ExportError
from pipelines.storage.files import read_sha256, write_whole
from studio.environment import current_environment
from studio.evaluation.evaluator import DrawingConditions, DrawnPicture, Evaluator
from studio.evaluation.open_scorer import open_scorer, scorer_change, unpark_beside
from studio.exporting.certificate import BirthCertificate, ScoreLists, small_webp
from studio.exporting.registry import Export
from studio.journal import Journal, Moment
from studio.library.model_reference import source_as_model
from studio.runs.noise import Noise
from studio.runs.picture_names import picture_stem
from studio.runs.store import now

from .drift import baseline, is_repeated, largest_changes

SHOWN = 6  # prompts whose pictures are kept, those that changed most
Stage = Literal["files", "pictures"]
Progress = Callable[[Stage, int, int], None]
Pictures = dict[tuple[str, Language], DrawnPicture]


class _Measured(TypedDict):
    """A measurement, as a line of the journal has it; see `measure`."""

    when: Moment
    environment: dict[str, Any]
    damaged: dict[str, str]
    scores: NotRequired[ScoreLists]
    repeat: NotRequired[ScoreLists | None]
    pictures: NotRequired[dict[str, Any]]


def _checked_scores(event: _Measured) -> _Measured:
    if not event["damaged"] and "scores" not in event:
        raise ValueError("what is not damaged is scored")
    return event


Measurement = Annotated[_Measured, AfterValidator(_checked_scores)]


def journal(export: Export) -> Journal:
    """Every measurement of an export, oldest first; see `measure`."""
    return Journal(export.monitor / "drift.jsonl", Measurement)


def measure(export: Export, progress: Progress | None = None) -> dict[str, Any]:
    """Measure an export and append what was found to its journal.

    The first measurement on a machine draws everything a second time, one picture after the other: another batch
    rounds differently, and how far scores move then is what numerical noise is on this machine.

    Args:
        export: one with a birth certificate.
        progress: told the stage and (bytes read, bytes in all) or (pictures drawn, pictures in all); raise to give up.

    Returns:
        The event: `when`, `seconds`, `environment`, `damaged` (files that are not as they were written, with what was
        found); and where none is, `scores`, `repeat` (scores of the second time, or null) and `pictures` (of the
        prompts that changed most, by prompt and language, in the export's monitor folder).

    Raises:
        M2N2Error: there is no certificate, the scorer is another one, or the pictures cannot be drawn.
    """
    on_progress = progress or (lambda *_: None)
    birth, started = export.certificate.with_noted_places(), time.monotonic()
    event: dict[str, Any] = {"when": now().isoformat(), "environment": current_environment()}
    event["damaged"] = damage(export, lambda done, of: on_progress("files", done, of))
    if not event["damaged"]:
        event |= _scored(export, birth, event, on_progress)
    event["seconds"] = time.monotonic() - started
    journal(export).append(event)
    return event


def damage(export: Export, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
    """The files of an export that are not as they were written, with what was found; every byte is read."""
    wanted = export.certificate.files
    sizes = {name: export.file(name).stat().st_size for name in wanted if export.file(name).is_file()}
    found, base = {}, 0
    for name, digest in wanted.items():
        if name not in sizes:
            found[name] = "missing"
            continue
        told = (lambda done, base=base: progress(base + done, sum(sizes.values()))) if progress else None
        there = read_sha256(export.file(name), told)
        if there != digest:
            found[name] = there
        base += sizes[name]
    return found


def _scored(export: Export, birth: BirthCertificate, event: Mapping[str, Any], on_progress: Progress) -> dict[str, Any]:
    scorer = open_scorer(_scorer_of(birth))
    if change := scorer_change(birth.scorer, scorer, same_device=False):
        raise ExportError("The export {change} Expected the same scorer: put its former weights back.", change=change)
    model, sources = source_as_model(open_source(export.path))
    conditions = DrawingConditions(birth.settings, Noise(birth.noises, birth.rotation), birth.prompt_syntax)
    evaluator = Evaluator(model, sources, settings=birth.settings, scorer_bytes=scorer.weights_bytes)
    unpark_beside(scorer, evaluator.pipeline)
    events = journal(export).events()
    rounds = 1 if is_repeated(events, event["environment"]) else 2
    total = rounds * len(LANGUAGES) * len(birth.prompts) * birth.noises

    def once(conditions: DrawingConditions, before: int) -> tuple[ScoreLists, Pictures]:
        return _once(evaluator, birth, conditions, scorer, lambda done: on_progress("pictures", before + done, total))

    try:
        scores, pictures = once(conditions, 0)
        repeat = None
        if rounds == 2:
            other_batch = birth.settings.model_copy(update={"batch": 1 if birth.settings.batch > 1 else 2})
            repeat, _ = once(replace(conditions, settings=other_batch), total // rounds)
    finally:
        evaluator.pipeline.release()
    kept = _keep(export, str(event["when"]), scores, pictures, events)
    return {"scores": scores, "repeat": repeat, "pictures": kept}


def _once(
    evaluator: Evaluator,
    birth: BirthCertificate,
    conditions: DrawingConditions,
    scorer: FeatureScorer,
    on_progress: Callable[[int], None],
) -> tuple[ScoreLists, Pictures]:
    each = len(birth.prompts) * birth.noises
    drawn = {
        language: evaluator.draw(
            evaluator.pipeline.recipe,
            birth.prompts,
            language,
            conditions,
            lambda done, before=number * each: on_progress(before + done),  # type: ignore[misc]
        )
        for number, language in enumerate(LANGUAGES)
    }
    scored = {language: evaluator.score(pictures, scorer, conditions) for language, pictures in drawn.items()}
    rows: dict[str, np.ndarray] = {language: one.scores for language, one in scored.items()}
    rows["consistency"] = scored["ja"].consistency(scored["en"])
    first = {(one.prompt, one.language): one for pictures in drawn.values() for one in pictures if one.noise == 0}
    return {kind: values.tolist() for kind, values in rows.items()}, first


def _scorer_of(birth: BirthCertificate) -> str:
    """The scorer that was fitness; where its folder is not there any more, the studio's own one of that name."""
    name = str(birth.scorer["name"])
    folder = names.folder_in(name)
    if folder is None or folder.is_dir():
        return name
    own = next((one for one in (assets.JUDGE, assets.JURY) if one.name == folder.name), folder)
    return names.of_folder(own)


def _keep(
    export: Export, when: str, scores: ScoreLists, drawn: Pictures, events: list[dict[str, Any]]
) -> dict[str, str]:
    """Keep small pictures of the prompts that changed most against the birth; none where nothing did."""
    before = baseline(export.certificate, events)
    rows = largest_changes(before, scores)[:SHOWN] if before else []
    folder = "".join(sign for sign in when if sign.isalnum())
    kept = {}
    for row in rows:
        for language in LANGUAGES:
            prompt = export.certificate.prompts.prompts[row].id
            place = f"{folder}/{picture_stem(prompt)}-{language}.webp"
            write_whole(Path(export.monitor / place), small_webp(drawn[prompt, language].image))
            kept[f"{prompt}-{language}"] = place
    return kept
