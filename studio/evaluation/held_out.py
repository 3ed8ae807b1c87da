"""What a run achieved: sources, average and best child on held-out prompts, by a scorer that never was fitness."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from eval.cmmd import cmmd
from eval.metrics import bootstrap_mean, mean_by_category, paired_bootstrap
from eval.prompts.prompt_set import LANGUAGES, Language
from pipelines.architectures.keys import COMPONENTS, TEXT_ENCODERS
from pipelines.checkpoints.sources import Source
from pipelines.errors import GenerationError, RecipeError
from pipelines.recipes.recipe import Recipe
from pipelines.storage.pictures import read_picture
from studio.breeding.initial_population import average_recipe, source_recipes
from studio.runs.individual import KINDS
from studio.runs.noise import Noise
from studio.runs.results import best_child, shown_prompts
from studio.runs.state import report_row_key
from studio.runs.store import RunStore

from .evaluator import DrawingConditions, DrawnPicture, Evaluator, PictureScores, check_captions, save_picture
from .open_scorer import open_scorer, unpark_beside

logger = logging.getLogger(__name__)

Row = dict[str, np.ndarray]  # kind to scores per prompt


class HeldOutReporter:
    """Draws and scores the held-out prompts, a row at a time; rows that are done survive a stop.

    It opens a scorer of its own. Whoever opened the one of fitness releases it first: the two need not fit together.
    Reports are the same for every run: likeness to the caption, on the first noises.
    """

    def __init__(
        self, store: RunStore, sources: Mapping[str, Source], evaluator: Evaluator, *, tick: Callable[[int], None]
    ) -> None:
        """Open the scorer and look at the references.

        Args:
            store: the run.
            sources: opened, by the recipes' names.
            evaluator: draws; its pipeline was planned with room for the scorer that reports.
            tick: called after each batch of pictures; may raise to stop.
        """
        self.store = store
        self.sources = sources
        self.evaluator = evaluator
        self.tick = tick
        self.prompts = store.prompts.held_out
        config = store.config
        self.conditions = DrawingConditions(config.pictures, Noise(config.noises), config.prompt_syntax)
        self.scorer = open_scorer(store.config.reporter)
        unpark_beside(self.scorer, evaluator.pipeline)
        self.identity = self.scorer.identity
        self.truncated = check_captions(self.prompts, self.scorer, evaluator.pipeline, config.prompt_syntax)
        self.references = self._references()

    def report(self) -> None:
        """Score what is not scored yet, and store the results.

        Raises:
            GenerationError: none of the sources draws the held-out prompts, so there is nothing to compare with.
        """
        config = self.store.config
        child = best_child(self.store)
        sources = source_recipes(config, self.sources)
        rows = dict(sources)
        rows["average"] = average_recipe(config, self.sources)
        if child is not None:
            rows["child"] = child
        self._done, self._rows = 0, len(rows) + len(sources)
        self._slowest = 0.0
        self._kept: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        scored = self._if_drawn({name: partial(self._row, recipe, name) for name, recipe in rows.items()})
        there = [name for name in sources if name in scored]
        if not there:
            raise GenerationError(
                "No source draws the held-out prompts. {failure}", failure=next(iter(self._failed.values()))
            )
        shipped = self._if_drawn({name: partial(self._row_as_shipped, name, one) for name, one in sources.items()})
        self.store.update(
            results={name: estimates(row) for name, row in scored.items()},
            as_shipped={name: estimates(row) for name, row in shipped.items()},
            comparisons=comparisons(scored, there, self.prompts.categories),
            child=child.name if child else None,
            realism={name: float(row["cmmd"][0]) for name, row in scored.items() if "cmmd" in row},
            failed_rows=self._failed,
            report_keys=self._kept,
            reporter={
                **self.identity,
                "prompts": self.prompts.name,
                "truncated": self.truncated,
            },
        )

    def _references(self) -> np.ndarray | None:
        """Features of the held-out prompts' own pictures: float32 [prompts, d]; `None` where some have none."""
        files = [self.store.folder / (prompt.reference or "") for prompt in self.prompts.prompts]
        if len(files) < 2 or not all(file.is_file() for file in files):
            return None
        size, seen = self.conditions.settings.batch, []
        for start in range(0, len(files), size):  # thousands of photographs at once would fill the memory
            seen.append(self.scorer.image_features([read_picture(file) for file in files[start : start + size]]))
        return np.concatenate(seen)

    def _if_drawn(self, rows: Mapping[str, Callable[[], Row]]) -> dict[str, Row]:
        """The rows that can be drawn; a broken picture costs its row and is recorded, not hours of other rows."""
        done = {}
        for name, row in rows.items():
            try:
                done[name] = row()
            except (GenerationError, RecipeError) as error:
                logger.warning("no report on %s: %s", name, error)
                self._failed[name] = str(error)
        return done

    def _row(self, recipe: Recipe, name: str) -> dict[str, np.ndarray]:
        """Scores per held-out prompt, means over noises: float64 [prompts] by kind; draws only what is not known.

        With reference pictures also "cmmd", how far the Japanese pictures are from them as a set: float64 [1].
        """
        began, key = time.perf_counter(), report_row_key(name, recipe.digest, self.identity["sha256"])
        kept = self.store.report_row(key)
        if kept is None:
            ja, en = (self._scored(recipe, name, language) for language in LANGUAGES)
            scores = {"ja": ja.scores, "en": en.scores, "consistency": ja.consistency(en)}
            kept = {kind: values.mean(axis=1).tolist() for kind, values in scores.items()}
            if self.references is not None:
                kept["cmmd"] = [cmmd(ja.features, self.references)]
            self.store.keep_report_row(key, kept)
        self._kept[name] = key
        self._done += 1
        self._slowest = max(self._slowest, time.perf_counter() - began)
        self.store.update(report_rows=[self._done, self._rows], report_last=time.time(), report_slowest=self._slowest)
        return {kind: np.array(values) for kind, values in kept.items()}

    def _scored(self, recipe: Recipe, name: str, language: Language) -> PictureScores:
        """Draw and score one language, a round at a time: ten thousand pictures are more than a machine holds."""
        found = []
        for some in self.conditions.rounds(self.prompts):
            drawn = self.evaluator.draw(recipe, some, language, self.conditions, self.tick)
            found.append(self.evaluator.score(drawn, self.scorer, self.conditions))
            self._show(name, recipe, drawn)
        scores, features = ([getattr(one, part) for one in found] for part in ("scores", "features"))
        return PictureScores(np.concatenate(scores), np.concatenate(features))

    def _show(self, name: str, recipe: Recipe, drawn: Sequence[DrawnPicture]) -> None:
        """Keep the pictures of a few prompts to be looked at; those of the others can be drawn again."""
        shown = shown_prompts(self.prompts).ids
        for picture in drawn:
            if picture.prompt in shown and picture.noise == 0:
                file = self.store.report_image(name, picture.prompt, picture.language)
                save_picture(picture, file, recipe=recipe, settings=self.conditions.settings)

    def _row_as_shipped(self, name: str, recipe: Recipe) -> dict[str, np.ndarray]:
        """The same for a source with its own text encoders, as it lies on disk, or the host's where it has none."""
        if not any(self.sources[name].lends(part) for part in TEXT_ENCODERS):
            return self._row(recipe, name)  # a UNet alone reads as the run does, and may know no configuration
        own = {part: name if self.sources[name].lends(part) else recipe.lender(part) for part in COMPONENTS}
        if all(recipe.lender(part) == lender for part, lender in own.items()):
            return self._row(recipe, name)
        return self._row(recipe.model_copy(update={"host": {"default": name, **own}}), f"{name} as shipped")


def estimates(row: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Mean and 95 % interval per kind."""
    return {kind: dataclasses.asdict(bootstrap_mean(row[kind])) for kind in KINDS}


def comparisons(
    rows: Mapping[str, Mapping[str, np.ndarray]], sources: list[str], categories: list[str]
) -> dict[str, Any]:
    """The child against the best source, the average and the per-category best, in Japanese.

    Args:
        rows: scores per prompt, float64 [prompts], by row and kind.
        sources: the rows that are sources.
        categories: of each prompt.

    Returns:
        JSON: the best source, paired differences of the child with 95 % intervals for each kind, the mean that choosing
        the best source in each category would reach, and the share of that gap which the child closes.
    """
    best = max(sources, key=lambda name: rows[name]["ja"].mean())
    per_category = {name: mean_by_category(rows[name]["ja"], categories) for name in sources}
    owners = {
        category: max(sources, key=lambda name: per_category[name][category]) for category in sorted(set(categories))
    }
    ceiling = float(np.mean([rows[owners[category]]["ja"][row] for row, category in enumerate(categories)]))
    floor = float(rows[best]["ja"].mean())
    found: dict[str, Any] = {
        "best_source": best,
        "category_owners": owners,
        "per_category": per_category,
        "per_category_best": ceiling,
    }
    if "child" in rows:
        child = rows["child"]
        found["per_category"]["child"] = mean_by_category(child["ja"], categories)
        found["child_minus_best_source"] = _paired(child, rows[best])
        if "average" in rows:
            found["child_minus_average"] = _paired(child, rows["average"])
        found["gap_closed"] = (float(child["ja"].mean()) - floor) / (ceiling - floor) if ceiling > floor else None
    return found


def _paired(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    return {kind: dataclasses.asdict(paired_bootstrap(one[kind], other[kind])) for kind in KINDS}
