"""What searches at drawing time find for a model: chosen by the judge, scored by the jury."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eval.metrics import Estimate, bootstrap_mean, paired_bootstrap
from eval.prompts.prompt_set import Language, PromptSet
from eval.scorers.scorer import FeatureScorer
from pipelines.generation.live_pipeline import LivePipeline, PictureRequest
from pipelines.generation.settings import GenerationSettings
from studio.evaluation.open_scorer import unpark_beside
from studio.evaluation.picture_search import PictureWish, SearchedPicture, search_picture
from studio.inference_search.search import SEARCHES
from studio.library.model_reference import OpenedModel
from studio.runs.noise import noise_seed

PLAIN = "plain"
Key = tuple[str, int]  # a search, or PLAIN, and how many pictures it may draw


@dataclass(frozen=True)
class Found:
    """The best pictures of one search with one budget, a row per prompt.

    Attributes:
        judge: float64 [prompts], what they were chosen by.
        jury: float64 [prompts], what another scorer says of them.
        steps: float64 [prompts], denoising steps of all pictures that were drawn.
    """

    judge: NDArray[np.float64]
    jury: NDArray[np.float64]
    steps: NDArray[np.float64]


@dataclass(frozen=True)
class Conditions:
    """What all models draw, and who looks at it; `wordings` have {} for the prompt."""

    prompts: PromptSet
    language: Language
    settings: GenerationSettings
    budgets: tuple[int, ...]
    wordings: tuple[str, ...]
    judge: FeatureScorer
    jury: FeatureScorer


def measure(model: OpenedModel, conditions: Conditions) -> dict[Key, Found]:
    """Search for every prompt's picture, with each search and budget.

    A search does not know how far it may go, so that what it finds with few pictures is the beginning of what it finds
    with many: each is run once, with the largest budget.
    """
    alone = conditions.settings.model_copy(update={"batch": 1})
    scorer_bytes = max(conditions.judge.weights_bytes, conditions.jury.weights_bytes)
    pipeline = LivePipeline(*model, settings=alone, scorer=scorer_bytes)
    for scorer in (conditions.judge, conditions.jury):
        unpark_beside(scorer, pipeline)
    rows: dict[Key, list[tuple[float, float, float]]] = {}
    captions = conditions.prompts.captions_in(conditions.language)
    for prompt, caption in zip(conditions.prompts.prompts, captions, strict=True):
        drawn: dict[tuple[PictureRequest, float, int], Image.Image] = {}  # both searches begin alike

        def draw(
            request: PictureRequest,
            settings: GenerationSettings,
            drawn: dict[tuple[PictureRequest, float, int], Image.Image] = drawn,
        ) -> Image.Image:
            key = (request, settings.guidance, settings.steps)
            if key not in drawn:
                drawn[key] = pipeline.generate([request], settings)[0]
            return drawn[key]

        wish = PictureWish(
            caption,
            max(conditions.budgets),
            "best-of-n",
            conditions.settings,
            conditions.language,
            tuple(wording.format(caption) for wording in conditions.wordings),
            noise_seed(prompt.id, 0),
        )
        for name in SEARCHES:
            found = search_picture(replace(wish, search=name), draw, conditions.judge)
            for budget in conditions.budgets:
                row = _row(found, budget, caption, conditions.jury)
                rows.setdefault((name, budget), []).append(row)
            if name == "best-of-n":
                rows.setdefault((PLAIN, 1), []).append(_row(found, 1, caption, conditions.jury))
    pipeline.release()
    return {key: Found(*np.array(row).T) for key, row in rows.items()}


def _row(
    found: Sequence[SearchedPicture], budget: int, caption: str, jury: FeatureScorer
) -> tuple[float, float, float]:
    """Return the judge's and the jury's score of the best of the first pictures of a search, and the steps of all."""
    first = [one for one in found if one.attempt.number < budget]
    best = first[0]  # they are in the order of the judge's scores
    if best.image is None:
        return 0.0, 0.0, float(sum(one.attempt.candidate.steps for one in first))
    with jury.on_device():
        score = float(jury.score([best.image], [caption])[0])
    return best.attempt.reward, score, float(sum(one.attempt.candidate.steps for one in first))


def table(found: Mapping[str, Mapping[Key, Found]], child: str) -> list[list[str]]:
    """Return a row per model, search and budget; differences are from the child drawn plainly, prompt by prompt."""
    plain = found[child][PLAIN, 1]
    rows = []
    for model, searches in found.items():
        for (name, budget), one in sorted(searches.items(), key=lambda item: (item[0][1], item[0][0])):
            is_plain = one is plain
            rows.append(
                [
                    model,
                    name,
                    str(budget),
                    f"{one.steps.mean():.0f}",
                    f"{one.judge.mean():.3f}",
                    shown(bootstrap_mean(one.jury)),
                    "" if is_plain else shown(paired_bootstrap(one.jury, plain.jury), "+"),
                ]
            )
    return rows


def shown(estimate: Estimate, sign: str = "") -> str:
    """Return a mean with its interval."""
    return f"{estimate.mean:{sign}.3f} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"
