"""Weak spots of a run: prompts that nobody alive draws well, who owns the rest, and what the numbers suggest.

Everything is measured by the run's own scorer on its own prompts, so a score means something beside the other scores of
the run and nothing by itself. An archive is weak where its best score on a prompt is among the lowest quarter of all
prompts' best scores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eval.metrics import paired_bootstrap
from eval.prompts.prompt_set import Language, Prompt
from studio.runs.individual import Individual

from .source_shares import mean_share, offspring_alive

QUARTER = 0.25  # of the prompts: those with the lowest best scores are looked at
FEWEST = 5  # prompts of a category from which a difference is told from chance
MOST_NOISES = 8  # per prompt; more are not suggested


@dataclass(frozen=True)
class PromptBest:
    """Who draws a prompt best in one language.

    Attributes:
        prompt: what is drawn.
        best: the best of everybody alive.
        score: that one's mean score over the noises.
        source: the best of the sources, alive or not; `source_alive` says which.
        source_score: that one's.
        margin: how far it is ahead of the next source; 0 where there is none.
        offspring: the best of the offspring alive; `None` where there are none.
        offspring_score: that one's.
        weak: whether `score` is among the lowest quarter.
    """

    prompt: Prompt
    best: str
    score: float
    source: str
    source_score: float
    source_alive: bool
    margin: float
    offspring: str | None
    offspring_score: float | None
    weak: bool


@dataclass(frozen=True)
class CategoryBest:
    """Who draws a category best: `best` is the mean of its prompts' best scores alive, the rest as in `PromptBest`.

    `interval` is the 95 % one of the best offspring's mean minus the best source's, `None` for fewer than five prompts,
    which tell nothing.
    """

    name: str
    prompts: int
    weak: int
    best: float
    source: str
    source_score: float
    margin: float
    offspring: str | None
    offspring_score: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Suggestion:
    """What the numbers of a run suggest to do next.

    Attributes:
        kind: "source_ahead": a source draws a category better than every offspring alive; "undrawn": prompts on which
            everybody, the best source too, stays below the lowest quarter of all sources' scores; "noise": scores
            differ by noise at least as much as by individual.
        values: the figures that say so, for the sentence.
        noises: how many noises per prompt to take next; for "noise" alone.
    """

    kind: Literal["source_ahead", "undrawn", "noise"]
    values: Mapping[str, str]
    noises: int | None = None


def is_weak(best: np.ndarray) -> np.ndarray:
    """Which prompts are weak spots: bool [prompts].

    Args:
        best: float64 [prompts], the best score on each.

    Returns:
        Those in the lowest quarter; none where all are alike.
    """
    return np.asarray((best <= np.quantile(best, QUARTER)) & (best < np.median(best)))


def best_by_prompt(everyone: Sequence[Individual], prompts: Sequence[Prompt], language: Language) -> list[PromptBest]:
    """Find who draws each prompt best, in the prompts' order; none where nobody alive has scores in this language."""
    alive = _scored([one for one in everyone if one.alive], language)
    sources = _scored([one for one in everyone if one.is_source], language)
    offspring = _scored([one for one in everyone if one.alive and not one.is_source], language)
    if alive is None or sources is None:
        return []
    best = alive.values.max(axis=0)
    weak = is_weak(best)
    prompts_best = []
    for row, prompt in enumerate(prompts):
        source, ahead = sources.first(row), sources.margin(row)
        bred = offspring.first(row) if offspring else None
        prompts_best.append(
            PromptBest(
                prompt=prompt,
                best=alive.first(row)[0],
                score=float(best[row]),
                source=source[0],
                source_score=source[1],
                source_alive=source[0] in alive.names,
                margin=ahead,
                offspring=bred[0] if bred else None,
                offspring_score=bred[1] if bred else None,
                weak=bool(weak[row]),
            )
        )
    return prompts_best


def best_by_category(
    everyone: Sequence[Individual], prompts_best: Sequence[PromptBest], language: Language
) -> list[CategoryBest]:
    """Find who draws each category best, in the order of `prompts_best`, which is not empty."""
    sources = _scored([one for one in everyone if one.is_source], language)
    offspring = _scored([one for one in everyone if one.alive and not one.is_source], language)
    assert sources is not None
    names = np.array([spot.prompt.category for spot in prompts_best])
    rows = []
    for name in dict.fromkeys(names.tolist()):
        in_category = names == name
        of_sources = sources.over(in_category)
        source, source_score = of_sources.first(0)
        bred, interval = None, None
        if offspring:
            bred = offspring.over(in_category).first(0)
        if offspring and bred and in_category.sum() >= FEWEST:
            difference = paired_bootstrap(
                offspring.values[offspring.names.index(bred[0]), in_category],
                sources.values[sources.names.index(source), in_category],
            )
            interval = difference.low, difference.high
        rows.append(
            CategoryBest(
                name=name,
                prompts=int(in_category.sum()),
                weak=sum(spot.weak for spot, inside in zip(prompts_best, in_category, strict=True) if inside),
                best=float(
                    np.mean([spot.score for spot, inside in zip(prompts_best, in_category, strict=True) if inside])
                ),
                source=source,
                source_score=source_score,
                margin=of_sources.margin(0),
                offspring=bred[0] if bred else None,
                offspring_score=bred[1] if bred else None,
                interval=interval,
            )
        )
    return rows


def suggestions(
    everyone: Sequence[Individual], prompts_best: Sequence[PromptBest], language: Language
) -> list[Suggestion]:
    """Suggest what to do next, each with the figures that say so; nothing where the numbers say nothing."""
    if not prompts_best:
        return []
    bred = offspring_alive(everyone)
    advice = [
        Suggestion(
            "source_ahead",
            {
                "source": one.source,
                "category": one.name,
                "score": f"{one.source_score:.3f}",
                "best": f"{one.offspring_score:.3f}",
                "offspring": one.offspring,
                "low": f"{-one.interval[1]:.3f}",
                "high": f"{-one.interval[0]:.3f}",
                "share": f"{mean_share(bred, one.source):.0%}",
            },
        )
        for one in best_by_category(everyone, prompts_best, language)
        if one.offspring is not None and one.interval is not None and one.interval[1] < 0
    ]
    sources = _scored([one for one in everyone if one.is_source], language)
    assert sources is not None
    usual = float(np.quantile(sources.values, QUARTER))
    undrawn = [spot for spot in prompts_best if max(spot.source_score, spot.score) < usual]
    if undrawn:
        worst = min(undrawn, key=lambda spot: spot.score)
        advice.append(
            Suggestion(
                "undrawn",
                {
                    "n": str(len(undrawn)),
                    "usual": f"{usual:.3f}",
                    "prompt": getattr(worst.prompt, language) or worst.prompt.id,
                    "score": f"{worst.source_score:.3f}",
                    "source": worst.source,
                },
            )
        )
    more_noises = noises_wanted([one.scores[language] for one in everyone if one.alive and language in one.scores])
    if more_noises:
        noise, individual, noises = more_noises
        advice.append(Suggestion("noise", {"noise": f"{noise:.3f}", "individual": f"{individual:.3f}"}, noises))
    return advice


def noises_wanted(scores: Sequence[np.ndarray]) -> tuple[float, float, int] | None:
    """Compute how many noises per prompt would tell individuals apart, where those at hand do not.

    Everybody draws a prompt from the same noises, so what a noise does to all of them alike cancels. What is left of a
    score after its individual's and its noise's mean is chance; a mean over m noises keeps 1/m of its variance. More
    noises are wanted where that is at least the variance among individuals (analysis of variance, two ways).

    Args:
        scores: of each individual, float64 [prompts, noises].

    Returns:
        The standard deviation of a prompt's mean score by chance and among individuals, and the noises at which chance
        would be half of the latter's variance, at most 8; `None` where one noise cannot tell or chance is smaller.
    """
    if len(scores) < 2 or scores[0].shape[1] < 2:
        return None
    values = np.stack(scores)  # [individuals, prompts, noises]
    people, _, noises = values.shape
    by_person = values.mean(axis=2, keepdims=True)
    by_noise = values.mean(axis=0, keepdims=True)
    left = values - by_person - by_noise + values.mean(axis=(0, 2), keepdims=True)
    chance = float((left**2).sum(axis=(0, 2)).mean()) / ((people - 1) * (noises - 1))
    among = float(by_person[:, :, 0].var(axis=0, ddof=1).mean()) - chance / noises  # of true means
    if chance / noises < among or chance == 0:
        return None
    needed = MOST_NOISES if among <= 0 else min(MOST_NOISES, math.ceil(2 * chance / among))
    if needed <= noises:
        return None
    return math.sqrt(chance / noises), math.sqrt(max(among, 0.0)), needed


@dataclass(frozen=True)
class _Scores:
    """Mean scores of some individuals: float64 [individuals, prompts]."""

    names: list[str]
    values: np.ndarray

    def first(self, column: int) -> tuple[str, float]:
        """Return who is best in a column, and how good; the oldest of several."""
        row = int(self.values[:, column].argmax())
        return self.names[row], float(self.values[row, column])

    def margin(self, column: int) -> float:
        """Measure how far the best is ahead of the next."""
        if len(self.names) < 2:
            return 0.0
        second, best = np.sort(self.values[:, column])[-2:]
        return float(best - second)

    def over(self, columns: np.ndarray) -> _Scores:
        """Average some columns into the only column."""
        return _Scores(self.names, self.values[:, columns].mean(axis=1, keepdims=True))


def _scored(individuals: Sequence[Individual], language: Language) -> _Scores | None:
    scored = [one for one in individuals if language in one.scores]
    if not scored:
        return None
    return _Scores([one.id for one in scored], np.stack([one.scores[language].mean(axis=1) for one in scored]))
