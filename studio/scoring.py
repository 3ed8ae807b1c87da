"""Scores of one model outside a run, and how alike sources are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

import assets
from eval.clip import ClipScorer
from eval.metrics import bootstrap, by_category
from eval.prompts import Language, load_prompts
from pipelines.generate import Settings, best_device
from pipelines.gram import gram
from pipelines.sources import check_mergeable, open_source, text_encoders_mergeable

from .evaluate import Drawn, Evaluator
from .models import open_model


def score_model(
    model: str,
    prompts: str | Path,
    scorer: str | None,
    language: Literal["ja", "en", "both"],
    *,
    settings: Settings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Draw a model's pictures for a prompt set and score them.

    Args:
        model: a diffusers folder, a recipe file, or RUN:INDIVIDUAL.
        prompts: a prompt set's file.
        scorer: an open_clip model; the embedded jury if left out.
        language: which captions; both also give the consistency of the twins.
        settings: how to draw.
        progress: told (pictures done, pictures in all).

    Returns:
        JSON: model, prompts, scorer with its hash, `pictures` (how they were drawn), `scores` (mean and 95 % interval
        per language and consistency), `per_prompt`, `per_category`, and the captions that the scorer cuts short as
        `truncated`.
    """
    wanted = load_prompts(prompts)
    recipe, sources = open_model(model)
    judge = ClipScorer(scorer or f"local-dir:{assets.JURY}", device=str(best_device()))
    settings = settings or Settings()
    evaluator = Evaluator(recipe, sources, judge, settings=settings, noises=1)
    languages: tuple[Language, ...] = ("ja", "en") if language == "both" else (language,)
    captions = [text for spoken in languages for text in wanted.texts(spoken)]
    drawn: dict[Language, list[Drawn]] = {}
    for k, spoken in enumerate(languages):
        told = (lambda done, k=k: progress(k * len(wanted) + done, len(captions))) if progress else None
        drawn[spoken] = evaluator.draw(recipe, wanted, spoken, told)
    judged = {spoken: evaluator.score(pictures) for spoken, pictures in drawn.items()}
    rows: dict[str, np.ndarray] = {str(spoken): one.scores[:, 0] for spoken, one in judged.items()}
    if language == "both":
        rows["consistency"] = evaluator.consistency(judged["ja"], judged["en"])[:, 0]
    return {
        "model": model,
        "prompts": wanted.name,
        "scorer": judge.name,
        "scorer_sha256": judge.digest,
        "pictures": settings.model_dump(),
        "scores": {kind: dataclasses.asdict(bootstrap(row)) for kind, row in rows.items()},
        "per_prompt": {kind: dict(zip(wanted.ids, row.tolist(), strict=True)) for kind, row in rows.items()},
        "per_category": {kind: by_category(row, wanted.categories) for kind, row in rows.items()},
        "truncated": judge.truncated(captions),
    }


def compare_sources(paths: Sequence[str | Path]) -> dict[str, Any]:
    """Whether sources can be merged, and the angles between them.

    Returns:
        JSON: `sources`, `angles` (degrees, per chromosome a matrix), `text_encoders` (why they cannot be merged, or
        null).

    Raises:
        SourceError: a source cannot be opened or merged with the others.
    """
    sources = [open_source(path) for path in paths]
    check_mergeable(sources)
    angles = {}
    for name, layout in sources[0].components["unet"].layouts.items():
        products = gram(sources, layout).between(0, layout.size)
        norms = np.sqrt(np.diag(products))
        cosines = np.clip(products / np.outer(norms, norms), -1.0, 1.0)
        np.fill_diagonal(cosines, 1.0)
        angles[name] = [[math.degrees(math.acos(cosine)) for cosine in row] for row in cosines]
    return {
        "sources": [source.name for source in sources],
        "angles": angles,
        "text_encoders": text_encoders_mergeable(sources),
    }
