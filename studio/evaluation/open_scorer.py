"""Scorers by name, on the device that pictures are drawn on; and whether one is the same as before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.scorers.clip import ClipScorer
from eval.scorers.scorer import FeatureScorer, Scorer
from pipelines.errors import Phrase
from pipelines.generation.devices import best_device
from pipelines.generation.live_pipeline import LivePipeline


def open_scorer(name: str) -> FeatureScorer:
    """Open a scorer for this machine's best device, parked: until it is used, the device is left to others.

    Args:
        name: an open_clip model, a folder or a hub repository; see `eval.scorers.model_files`.

    Raises:
        ScorerError: there is no such scorer, its weights are missing or damaged, or the device cannot be used.
    """
    return ClipScorer(name, device=str(best_device()), parked=True)


def unpark_beside(scorer: Scorer, pipeline: LivePipeline) -> None:
    """Bring a scorer to the device, to stay, where the pipeline's plan has room for both; else it stays parked.

    Raises:
        ScorerError: the device has no room after all.
    """
    if pipeline.plan.scorer == "beside":
        scorer.unpark()


def scorer_change(before: Mapping[str, Any], scorer: Scorer, *, same_device: bool = True) -> str | None:
    """How a scorer differs from the one that scored before: scores of the two are on different scales.

    Args:
        before: the identity that was stored with the scores; it may know fewer things, and may be empty.
        scorer: the one that is to go on; it may have been moved, and so have another name.
        same_device: whether it computes where the other did; another device may compute in another precision.

    Returns:
        A sentence that lacks its subject, what was scored; None where the scorer is the same.
    """
    for part in changed_parts(before, scorer, same_device=same_device):
        now = scorer.identity.get(part)
        return Phrase(
            "was scored by {name} with {part} {before!r}; now that is {now!r}.",
            name=before.get("name"),
            part=part,
            before=before[part],
            now=now,
        )
    return None


def changed_parts(before: Mapping[str, Any], scorer: Scorer, *, same_device: bool = True) -> list[str]:
    """In which parts of its identity a scorer differs from one before; arguments are those of `scorer_change`."""
    ignored = {"name"} if same_device else {"name", "autocast"}
    return [part for part, value in before.items() if part not in ignored and scorer.identity.get(part) != value]
