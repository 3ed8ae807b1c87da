"""Scores of one model outside a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

import assets
from eval.metrics import bootstrap_mean, mean_by_category
from eval.prompts.prompt_set import Language, load_prompts
from eval.scorers import names
from eval.scorers.catalogue import REPORTER
from pipelines.generation.cost import native_side
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from pipelines.generation.settings import FULL_SIZE_SIDE, PresetName
from studio.library.model_reference import open_model, syntax_of_model
from studio.runs.config_file import preset
from studio.runs.noise import Noise

from .evaluator import DrawingConditions, DrawnPicture, Evaluator, scored_short
from .open_scorer import open_scorer, unpark_beside


def score_model(
    model: str,
    prompts: str | Path,
    scorer: str | None,
    language: Literal["ja", "en", "both"],
    *,
    pictures: PresetName = "standard",
    syntax: PromptSyntax | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Draw a model's pictures for a prompt set and score them.

    Args:
        model: a diffusers folder, a recipe file, or RUN:INDIVIDUAL.
        prompts: a prompt set's file.
        scorer: an open_clip model; if left out the embedded jury for small models, the recommended one for SDXL.
        language: which captions; both also give the consistency of the twins.
        pictures: how to draw, as a preset for the model.
        syntax: how prompts are read; if left out as the run reads them whose individual it is, else plain.
        progress: told (pictures done, pictures in all).

    Returns:
        JSON: model, prompts, scorer (name, hash, token limit, text cleaning), `pictures` (how they were drawn),
        `prompt_syntax` where it is not plain, `scores` (mean and 95 % interval per language and consistency),
        `per_prompt`, `per_category`, and the captions that the scorer cuts short as `truncated`.
    """
    wanted = load_prompts(prompts)
    recipe, sources = open_model(model)
    drawn_by = sources[recipe.lender("unet")]
    usual = REPORTER if native_side(drawn_by) >= FULL_SIZE_SIDE else names.of_folder(assets.JURY)
    opened = open_scorer(scorer or usual)
    conditions = DrawingConditions(preset(pictures, drawn_by), Noise(1), syntax or syntax_of_model(model))
    evaluator = Evaluator(recipe, sources, settings=conditions.settings, scorer_bytes=opened.weights_bytes)
    unpark_beside(opened, evaluator.pipeline)
    languages: tuple[Language, ...] = ("ja", "en") if language == "both" else (language,)
    captions = [text for spoken in languages for text in wanted.captions_in(spoken)]
    drawn: dict[Language, list[DrawnPicture]] = {}
    for k, spoken in enumerate(languages):
        on_progress = (lambda done, k=k: progress(k * len(wanted) + done, len(captions))) if progress else None
        drawn[spoken] = evaluator.draw(recipe, wanted, spoken, conditions, on_progress)
    scored = {spoken: evaluator.score(pictures, opened, conditions) for spoken, pictures in drawn.items()}
    rows: dict[str, np.ndarray] = {str(spoken): one.scores[:, 0] for spoken, one in scored.items()}
    if language == "both":
        rows["consistency"] = scored["ja"].consistency(scored["en"])[:, 0]
    return {
        "model": model,
        "prompts": wanted.name,
        "scorer": opened.identity,
        "pictures": conditions.settings.model_dump(),
        **({} if conditions.syntax == PLAIN else {"prompt_syntax": conditions.syntax}),
        "scores": {kind: dataclasses.asdict(bootstrap_mean(row)) for kind, row in rows.items()},
        "per_prompt": {kind: dict(zip(wanted.ids, row.tolist(), strict=True)) for kind, row in rows.items()},
        "per_category": {kind: mean_by_category(row, wanted.categories) for kind, row in rows.items()},
        "truncated": scored_short(opened.truncated, captions, conditions.syntax),
    }
