"""The page: `templates/report.html`, filled in with what a run tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.prompts.prompt_set import LANGUAGES
from eval.scorers import names
from pipelines.generation.prompt_syntax import PLAIN
from pipelines.storage.files import write_whole
from pipelines.storage.pictures import open_picture
from studio.conditions.agreement import accepted_note
from studio.environment import package_versions
from studio.formatting import format_duration, format_score, report_verdict
from studio.i18n import Lang, t, worded
from studio.judging.steering_words import steering_notes
from studio.markdown import stressed
from studio.png_metadata import data_uri
from studio.runs.individual import KINDS
from studio.runs.store import RunStore
from studio.stored_messages import stored_phrase

from . import drawings, standalone
from .content import ReportContent, read_report_content
from .figures import archive_curves
from .foresight import foresight_words, racing_words
from .learned import learned_section
from .pictures import CaptionPictures, ModelLanguage

SIDE = 224  # pixels of a picture on the page, at most: a report of full-size pictures stays below 3 MB
PROMPTS_TOLD = 500  # captions whose holders are shown; a longer set is named by its hash alone


def write_report(store: RunStore, lang: Lang, out: Path) -> Path:
    """Write a run's report; returns where.

    Raises:
        M2N2Error: the run cannot be read.
    """
    write_whole(out, report_html(store, lang).encode())
    return out


def report_html(store: RunStore, lang: Lang) -> str:
    """Render a run as one page that needs nothing beside it.

    Raises:
        M2N2Error: the run cannot be read.
    """
    report = read_report_content(store)
    return standalone.page(
        "report.html",
        lang,
        report=report,
        settings=_settings(lang, report),
        steered=steering_notes(lang, report.status),
        accepted=[accepted_note(lang, statement) for statement in report.status["accepted"]],
        rows=_rows(lang, report),
        verdict=stressed(report_verdict(lang, report.comparisons)) if report.comparisons else None,
        curves=archive_curves(lang, report.moments) if report.moments else None,
        foresight=foresight_words(lang, report.calibration) if report.calibration else None,
        racing=racing_words(lang, report.racing) if report.racing else None,
        niche_map=drawings.niche_map(lang, [one for one in report.alive if "ja" in one.scores], report.niches)
        if len(report.niches) <= PROMPTS_TOLD
        else None,
        learned=learned_section(lang, store),
        depth=drawings.depth_strip(lang, report.child) if report.child else None,
        colours=report.drift.sentences(lang) if report.drift else [],
        groups=[_group(caption, report.pictures.models) for caption in report.pictures.captions],
        model_name=lambda name: row_label(lang, report, name),
        failures=[(name, worded(lang, stored_phrase(reason))) for name, reason in report.failures],
        score=format_score,
        ratios=_ratios,
        reporter=names.label(report.config.reporter),
        kinds=[*KINDS, *(["cmmd"] if report.realism else [])],
        took=format_duration(lang, (report.ended - report.began).total_seconds())
        if report.ended and report.began
        else None,
        versions=(report.state["machine"] or {}).get("versions") or package_versions(),
        hashes=_hashes(report),
    )


def row_label(lang: Lang, report: ReportContent, row: str) -> str:
    """Name a row of the held-out report as people read it."""
    child = report.child.id if report.child else ""
    return {"average": t(lang, "row_average"), "child": t(lang, "row_child", id=child)}.get(row, row)


def _settings(lang: Lang, report: ReportContent) -> list[tuple[str, str]]:
    """List what was asked, as (name, value)."""
    config = report.config
    pictures = config.pictures
    size = f", {pictures.size} px" if pictures.size else ""
    fitness = ", ".join(f"{kind} {weight:g}" for kind, weight in config.fitness.items())
    settings: list[tuple[str, Any]] = [
        ("sources", ", ".join(config.sources)),
        ("host", ", ".join(f"{part}: {name}" for part, name in config.host.items())),
        ("prompts", f"{report.niches.name} ({len(report.niches)})"),
        ("held_out", f"{report.held_out.name} ({len(report.held_out)})"),
        ("compete", ", ".join(t(lang, f"kind_{kind}") for kind in config.competing)),
        ("fitness", fitness),
        ("evaluations", config.evaluations),
        ("archive_size", config.archive),
        ("noises", config.noises),
        ("seed", config.seed),
        ("alpha", f"{config.alpha:g}"),
        ("angle", t(lang, f"angle_{config.angle}")),
        ("drawn_how", f"{t(lang, 'steps')} {pictures.steps}, {t(lang, 'guidance')} {pictures.guidance:g}{size}"),
        ("scorer", names.label(config.scorer)),
        ("reporter", names.label(config.reporter)),
    ]
    if config.prompt_syntax != PLAIN:
        settings.append(("prompt_syntax", t(lang, f"syntax_{config.prompt_syntax}")))
    return [(t(lang, key), str(value)) for key, value in settings]


def _rows(lang: Lang, report: ReportContent) -> list[dict[str, Any]]:
    """List the held-out report: name, mean with interval per kind, CMMD where it was measured."""
    return [
        {
            "name": row_label(lang, report, name),
            "is_child": name == "child",
            "cells": [_interval(row[kind]) for kind in KINDS]
            + ([f"{report.realism[name]:.2f}" if name in report.realism else "–"] if report.realism else []),
        }
        for name, row in report.results.items()
    ]


def _ratios(ratios: float | Sequence[float]) -> str:
    """Format the mixing ratios of a crossover: one, or one per stretch."""
    return ", ".join(f"{ratio:.3f}" for ratio in ([ratios] if isinstance(ratios, float) else ratios))


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{format_score(estimate['mean'])} ({format_score(estimate['low'])}–{format_score(estimate['high'])})"


def _hashes(report: ReportContent) -> list[tuple[str, str]]:
    """List what the scores and weights depend on, as (what, sha256): sources, scorers, captions."""
    hashes = [
        (f"{source.name}: {part} ({source.uri})", digest)
        for source in (report.recipe.sources if report.recipe else ())
        for part, digest in source.sha256.items()
    ]
    for scorer in (report.state["scorer"], report.state["reporter"]):
        if scorer:
            facts = [
                str(scorer[key]) for key in ("dtype", "autocast", "context_length", "text_cleaning") if scorer.get(key)
            ]
            hashes.append((", ".join([names.label(scorer["name"]), *facts]), scorer["sha256"]))
    return hashes + [
        (f"{prompts.name} ({len(prompts)})", prompts.digest) for prompts in (report.niches, report.held_out)
    ]


def _group(caption: CaptionPictures, models: Sequence[str]) -> dict[str, Any]:
    """Return a caption with its pictures, per model in both languages."""

    def cell(place: ModelLanguage) -> dict[str, Any]:
        file = caption.files.get(place)
        return {"src": _embedded(file) if file else None, "score": format_score(caption.scores.get(place))}

    return {
        "prompt": caption.prompt,
        "seed": caption.seed,
        "models": [(name, {language: cell((name, language)) for language in LANGUAGES}) for name in models],
    }


def _embedded(file: Path) -> str:
    with open_picture(file) as picture:
        return data_uri(picture, SIDE)
