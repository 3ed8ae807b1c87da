"""The page: `templates/report.html`, filled in with what a run tells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape
from PIL import Image

from eval.prompts.prompt_set import LANGUAGES
from eval.scorers import names
from pipelines.storage.files import write_whole
from studio.environment import versions
from studio.formatting import duration, score, verdict
from studio.i18n import Lang, t
from studio.png_metadata import data_uri
from studio.runs.individual import KINDS
from studio.runs.store import RunStore

from . import drawings, standalone
from .content import Told, gather
from .figures import curves
from .pictures import Place, Shown

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
    """A run as one page that needs nothing beside it; see `gather` for what it raises."""
    told = gather(store)
    return standalone.page(
        "report.html",
        lang,
        told=told,
        settings=_settings(lang, told),
        rows=_rows(lang, told),
        verdict=_bold(verdict(lang, told.compared)) if told.compared else None,
        curves=curves(lang, told.moments) if told.moments else None,
        niche_map=drawings.niche_map(lang, [one for one in told.alive if "ja" in one.scores], told.niches)
        if len(told.niches) <= PROMPTS_TOLD
        else None,
        depth=drawings.depth_strip(lang, told.child) if told.child else None,
        groups=[_group(shown, told.pictures.models) for shown in told.pictures.shown],
        model_name=lambda name: model_name(lang, told, name),
        score=score,
        ratios=_ratios,
        reporter=names.label(told.config.reporter),
        kinds=[*KINDS, *(["cmmd"] if told.realism else [])],
        took=duration(lang, (told.ended - told.began).total_seconds()) if told.ended and told.began else None,
        versions=(told.state["machine"] or {}).get("versions") or versions(),
        hashes=_hashes(told),
    )


def model_name(lang: Lang, told: Told, row: str) -> str:
    """A row of the held-out report as people read it."""
    child = told.child.id if told.child else ""
    return {"average": t(lang, "row_average"), "child": t(lang, "row_child", id=child)}.get(row, row)


def _bold(words: str) -> Markup:
    """A sentence with `**stress**`, as the pages of the studio write it."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", str(escape(words))))


def _settings(lang: Lang, told: Told) -> list[tuple[str, str]]:
    """What was asked, as (name, value)."""
    config = told.config
    drawn = config.pictures
    size = f", {drawn.size} px" if drawn.size else ""
    fitness = ", ".join(f"{kind} {weight:g}" for kind, weight in config.fitness.items())
    asked: list[tuple[str, Any]] = [
        ("sources", ", ".join(config.sources)),
        ("host", ", ".join(f"{part}: {name}" for part, name in config.host.items())),
        ("prompts", f"{told.niches.name} ({len(told.niches)})"),
        ("held_out", f"{told.held_out.name} ({len(told.held_out)})"),
        ("compete", ", ".join(t(lang, f"kind_{kind}") for kind in config.competing)),
        ("fitness", fitness),
        ("evaluations", config.evaluations),
        ("archive_size", config.archive),
        ("noises", config.noises),
        ("seed", config.seed),
        ("alpha", f"{config.alpha:g}"),
        ("angle", t(lang, f"angle_{config.angle}")),
        ("drawn_how", f"{t(lang, 'steps')} {drawn.steps}, {t(lang, 'guidance')} {drawn.guidance:g}{size}"),
        ("scorer", names.label(config.scorer)),
        ("reporter", names.label(config.reporter)),
    ]
    return [(t(lang, key), str(value)) for key, value in asked]


def _rows(lang: Lang, told: Told) -> list[dict[str, Any]]:
    """The held-out report: name, mean with interval per kind, CMMD where it was measured."""
    return [
        {
            "name": model_name(lang, told, name),
            "is_child": name == "child",
            "cells": [_interval(row[kind]) for kind in KINDS]
            + ([f"{told.realism[name]:.2f}" if name in told.realism else "–"] if told.realism else []),
        }
        for name, row in told.results.items()
    ]


def _ratios(drawn: float | Sequence[float]) -> str:
    """Mixing ratios of a crossover: one, or one per stretch."""
    return ", ".join(f"{ratio:.3f}" for ratio in ([drawn] if isinstance(drawn, float) else drawn))


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{score(estimate['mean'])} ({score(estimate['low'])}–{score(estimate['high'])})"


def _hashes(told: Told) -> list[tuple[str, str]]:
    """What the scores and weights depend on, as (what, sha256): sources, scorers, captions."""
    found = [
        (f"{source.name}: {part} ({source.uri})", digest)
        for source in (told.recipe.sources if told.recipe else ())
        for part, digest in source.sha256.items()
    ]
    for scorer in (told.state["scorer"], told.state["reporter"]):
        if scorer:
            facts = [
                str(scorer[key]) for key in ("dtype", "autocast", "context_length", "text_cleaning") if scorer.get(key)
            ]
            found.append((", ".join([names.label(scorer["name"]), *facts]), scorer["sha256"]))
    return found + [(f"{prompts.name} ({len(prompts)})", prompts.digest) for prompts in (told.niches, told.held_out)]


def _group(shown: Shown, models: Sequence[str]) -> dict[str, Any]:
    """A caption with its pictures, per model in both languages."""

    def cell(place: Place) -> dict[str, Any]:
        file = shown.files.get(place)
        return {"src": _embedded(file) if file else None, "score": score(shown.scores.get(place))}

    return {
        "prompt": shown.prompt,
        "seed": shown.seed,
        "models": [(name, {language: cell((name, language)) for language in LANGUAGES}) for name in models],
    }


def _embedded(file: Path) -> str:
    with Image.open(file) as picture:
        return data_uri(picture, SIDE)
