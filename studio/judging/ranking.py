"""Votes summarised: who is preferred, by how much, and how often the run's scorer agrees."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval.preferences.bradley_terry import Rating, VoteShare, rank_comparisons, scorer_agreement
from eval.preferences.rater_agreement import RaterAgreement, rater_agreement
from eval.prompts.prompt_set import Language

from .votes import Vote, by_rater, by_reader


@dataclass(frozen=True)
class VoteSummary:
    """What some votes say: a ranking, the scorer's agreement, and how many were no preference."""

    votes: int
    both_good: int
    both_bad: int
    ranking: list[Rating]
    agreement: VoteShare | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


def summarise_votes(votes: Sequence[Vote]) -> VoteSummary:
    """Summarise some votes; 'both bad' is a tie for the ranking, like 'both good', and counted apart."""
    return VoteSummary(
        votes=len(votes),
        both_good=sum(vote.answer == "both good" for vote in votes),
        both_bad=sum(vote.answer == "both bad" for vote in votes),
        ranking=rank_comparisons([vote.comparison for vote in votes]),
        agreement=scorer_agreement([vote.won for vote in votes], [vote.margin for vote in votes]),
    )


def agreement_of_raters(votes: Sequence[Vote]) -> RaterAgreement | None:
    """Measure how far raters agree on the questions that several of them answered; `None` where that says nothing."""
    answers: dict[tuple[str, str, str, Language, int], list[float]] = {}
    for vote in votes:
        of_first = vote.won if vote.left == vote.about[0] else 1 - vote.won
        answers.setdefault(vote.question, []).append(of_first)
    return rater_agreement(list(answers.values()))


def votes_report(votes: Sequence[Vote]) -> dict[str, Any]:
    """Report on all votes of a run as JSON: of everybody, by the language raters read best, and by rater."""
    return {
        "everybody": summarise_votes(votes).to_json(),
        "by_reader": {reads: summarise_votes(group).to_json() for reads, group in by_reader(votes).items()},
        "by_rater": {rater: summarise_votes(group).to_json() for rater, group in by_rater(votes).items()},
    }
