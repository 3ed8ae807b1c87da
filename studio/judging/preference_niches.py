"""Votes as niches of a run: what people preferred is learned from their votes and scores pictures nobody has seen.

A run that is given votes learns once, before its first individual, with its own scorer's features of the pictures that
were voted on, and keeps what it learned in its state: votes that come later change nothing in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eval.preferences.bradley_terry import VoteShare
from eval.preferences.preference_model import PreferenceWeights, cross_validated_agreement, fit_preference
from eval.scorers.scorer import FeatureScorer
from pipelines.storage.pictures import read_picture
from studio.errors import RunError
from studio.png_metadata import picture_seed
from studio.runs.picture_names import image_folder, picture_file

from .votes import ENOUGH_VOTES, Vote, count_decided, niche_votes


@dataclass(frozen=True)
class PreferenceModel:
    """What a rater prefers, learned from votes: the taste, how many votes it rests on and how many it foresees."""

    rater: str
    taste: PreferenceWeights
    votes: int
    foreseen: VoteShare | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values; floats survive to the last bit."""
        return {
            "whose": self.rater,
            "weights": self.taste.weights.tolist(),
            "centre": self.taste.centre.tolist(),
            "votes": self.votes,
            "foreseen": vars(self.foreseen) if self.foreseen else None,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> PreferenceModel:
        """Read what `to_json` returned."""
        taste = PreferenceWeights(np.array(content["weights"]), np.array(content["centre"]))
        share = content["foreseen"]
        return cls(content["whose"], taste, content["votes"], VoteShare(**share) if share else None)


def learn_preferences(folder: Path, votes: Sequence[Vote], scorer: FeatureScorer) -> list[PreferenceModel]:
    """Learn what each rater prefers from the pictures in a run's folder.

    Votes whose pictures are gone, or were drawn again from other noise, teach nothing.

    Raises:
        RunError: too few are left.
    """
    usable = [vote for vote in votes if all(_is_there(folder, vote, id) for id in (vote.left, vote.right))]
    votes_by_rater = niche_votes(usable)
    if not votes_by_rater:
        raise RunError(
            "Of the pictures that were voted on in {folder}, those of {votes} decided "
            "votes are left. Expected {enough_votes} at least: keep the run's pictures, or leave `votes` out.",
            folder=folder / "images",
            votes=count_decided(usable),
            enough_votes=ENOUGH_VOTES,
        )
    files = list(dict.fromkeys(_file(folder, vote, id) for vote in usable for id in (vote.left, vote.right)))
    row = {file: k for k, file in enumerate(files)}
    features = scorer.image_features([read_picture(file) for file in files])  # [pictures, d]
    models = []
    for rater, rater_votes in votes_by_rater.items():
        first, second = (
            features[[row[_file(folder, vote, id)] for vote, id in zip(rater_votes, ids, strict=True)]]
            for ids in ([vote.left for vote in rater_votes], [vote.right for vote in rater_votes])
        )
        won, prompts = [vote.won for vote in rater_votes], [vote.prompt for vote in rater_votes]
        taste = fit_preference(first, second, won)
        models.append(
            PreferenceModel(rater, taste, len(rater_votes), cross_validated_agreement(first, second, won, prompts))
        )
    return models


def preference_scores(raters: Sequence[PreferenceModel], features: Sequence[np.ndarray], noises: int) -> np.ndarray:
    """Score an individual's pictures by raters' taste: float64 [raters * prompts, noises], rater by rater.

    A prompt is a niche for each of them, as it is for the scorer: one niche for all prompts would weigh as much as a
    single caption. Where both languages compete it is the mean over the two pictures.

    Args:
        raters: whose likings they are.
        features: per language that competes, float32 [prompts * noises, d], prompt by prompt.
        noises: pictures per prompt.
    """
    each = [np.mean([one.taste.win_probability(of).reshape(-1, noises) for of in features], axis=0) for one in raters]
    return np.concatenate(each)


def _file(folder: Path, vote: Vote, id: str) -> Path:
    return picture_file(image_folder(folder, id), vote.prompt, f"-{vote.language}-{vote.noise}.png")


def _is_there(folder: Path, vote: Vote, id: str) -> bool:
    file = _file(folder, vote, id)
    return file.is_file() and picture_seed(file) == vote.seed
