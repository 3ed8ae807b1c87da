"""What an individual is worth to the search: its pictures drawn and scored, in the languages that compete and beyond.

Fitness is drawn for everybody. The other language and the consistency of the twins cost as much again and are only
reported: they are drawn for the sources and for those that enter the archive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from eval.prompts.prompt_set import LANGUAGES, Language, PromptSet
from pipelines.recipes.recipe import Recipe
from studio.evolution.archive import Archive
from studio.evolution.early_rejection import cannot_enter, prompt_order
from studio.judging.preference_niches import PreferenceModel, liking
from studio.runs.config import RunConfig

from .evaluator import Drawn, Evaluator, Scored

Seen = dict[Language, tuple[list[Drawn], Scored]]  # pictures of an individual and what the scorer saw, per language


class Judging:
    """Draws and scores individuals of one run.

    Args:
        config: what the run is asked to do.
        evaluator: draws and scores, under those settings.
        prompts: the niches.
        raters: what was learned of people's votes, where they are niches too.
        tick: called as pictures are finished; may raise to stop.
    """

    def __init__(
        self,
        config: RunConfig,
        evaluator: Evaluator,
        prompts: PromptSet,
        raters: Sequence[PreferenceModel],
        tick: Callable[[int], None],
    ) -> None:
        self._config, self._raters, self._tick = config, raters, tick
        self._evaluator, self._prompts = evaluator, prompts

    def niches(self, scores: Mapping[str, np.ndarray]) -> np.ndarray:
        """What competes: means over noises, float64 [niches], of one language after the other, then people's votes."""
        return np.concatenate([scores[kind].mean(axis=1) for kind in self._config.competing])

    def both_languages(self, recipe: Recipe) -> tuple[dict[str, np.ndarray], list[Drawn]]:
        """All scores of a source, or of one that is judged again, and all its pictures."""
        scores: dict[str, np.ndarray] = {}
        ja = self._evaluator.draw(recipe, self._prompts, "ja", self._tick)
        judged = self._evaluator.score(ja)
        scores["ja"] = judged.scores
        return scores, [*ja, *self.report_twins(recipe, {"ja": (ja, judged)}, scores)]

    def fitness(self, recipe: Recipe, archive: Archive, scores: dict[str, np.ndarray]) -> Seen:
        """Draw and score the languages that compete.

        Args:
            recipe: whose pictures.
            archive: what the individual wants to enter.
            scores: gets them, [niches, noises] by language, as soon as they are there; "partial" instead where early
                rejection cut it short.
        """
        if self._config.early_rejection and archive.is_full:
            return self._until_it_cannot_enter(recipe, archive, scores)
        seen: Seen = {}
        for language in self._config.compete:
            drawn = self._evaluator.draw(recipe, self._prompts, language, self._tick)
            seen[language] = drawn, self._evaluator.score(drawn)
            scores[language] = seen[language][1].scores
        self._add_votes({language: judged for language, (_, judged) in seen.items()}, scores)
        return seen

    def _until_it_cannot_enter(self, recipe: Recipe, archive: Archive, scores: dict[str, np.ndarray]) -> Seen:
        """Draw a round of prompts after another, those that tell most first, until the child cannot enter any more."""
        (language,) = self._config.compete
        rounds = self._evaluator.rounds(self._prompts)
        stops = np.cumsum([len(some) for some in rounds])
        rows = np.full((len(self._prompts), self._config.noises), np.nan)
        found: dict[int, tuple[list[Drawn], Scored]] = {}
        niches = [slice(stop - len(some), stop) for stop, some in zip(stops, rounds, strict=True)]
        for number in prompt_order(archive, niches):
            drawn = self._evaluator.draw(recipe, rounds[number], language, self._tick)
            found[number] = drawn, self._evaluator.score(drawn)
            rows[niches[number]] = found[number][1].scores
            if len(found) < len(rounds) and cannot_enter(archive, rows.mean(axis=1)):
                break
        scores["partial" if np.isnan(rows).any() else language] = rows
        parts = [found[number] for number in sorted(found)]
        pictures = [one for drawn, _ in parts for one in drawn]
        features = np.concatenate([judged.features for _, judged in parts])
        return {language: (pictures, Scored(rows, features))}

    def report_twins(self, recipe: Recipe, seen: Seen, scores: dict[str, np.ndarray]) -> list[Drawn]:
        """Draw and score the language that did not compete, and how alike the twins are; returns the new pictures."""
        new: list[Drawn] = []
        judged: dict[Language, Scored] = {language: one for language, (_, one) in seen.items()}
        for language in LANGUAGES:
            if language not in judged:
                new = self._evaluator.draw(recipe, self._prompts, language, self._tick)
                judged[language] = self._evaluator.score(new)
                scores[language] = judged[language].scores
        scores["consistency"] = self._evaluator.consistency(judged["ja"], judged["en"])
        self._add_votes(judged, scores)
        return new

    def _add_votes(self, judged: Mapping[Language, Scored], scores: dict[str, np.ndarray]) -> None:
        """What people would say of the pictures that compete, beside their scores."""
        if self._raters:
            features = [judged[language].features for language in self._config.compete]
            scores["votes"] = liking(self._raters, features, self._config.noises)
