"""What a run's folder tells: settings, results, lineage, licences, failures. Plain values; nothing is drawn again."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from eval.prompts.prompt_set import Prompt, PromptSet
from eval.scorers import names
from pipelines.checkpoints.sources import Source
from pipelines.errors import M2N2Error
from pipelines.exporting.provenance import portable_uri, text_without_places
from pipelines.recipes.lenders import is_place
from pipelines.recipes.recipe import Recipe
from studio.analysis.colours import ColourDrift, offspring_drift
from studio.analysis.lineage import lineage
from studio.analysis.replay import ArchiveMoment, archive_history
from studio.evolution.calibration import Calibration
from studio.evolution.niches import owners
from studio.evolution.racing import RacingRecord
from studio.library.model_reference import open_recipe_sources
from studio.licences.inheritance import InheritedLicence, inherited_licences
from studio.runs.config import RunConfig
from studio.runs.individual import Individual
from studio.runs.results import best_child
from studio.runs.store import RunStore
from studio.runs.summary import calibration_of, racing_of, status

from .pictures import ReportPictures, report_pictures

logger = logging.getLogger(__name__)

ANCESTORS = 60


@dataclass(frozen=True)
class NicheHolder:
    """A niche: which individual is best there, its score, and the best source's."""

    prompt: Prompt
    holder: str | None
    score: float
    best_source: float


@dataclass(frozen=True)
class ReportContent:
    """What a report tells of a run.

    Attributes:
        run: the folder's name.
        status: as `summary.status`.
        config: what was asked, without a word on where this machine keeps things.
        niches: the prompts it was bred on.
        held_out: the prompts it was reported on.
        began: when the first individual was done.
        ended: when the last one was.
        moments: the archive after each offspring.
        calibration: how what the run expected of offspring compares with what was found; `None` where it did not look
            ahead.
        racing: what racing has spared and missed; `None` where nobody was given up.
        alive: the archive as it is, best first.
        holdings: who holds each niche.
        results: the held-out report, by row and kind; empty before there is one.
        comparisons: the child beside the others, likewise.
        realism: CMMD by row.
        child: the child that the report is about, or the best so far; `None` before there is one.
        recipe: its recipe, without the paths of this machine.
        drift: the colours of its pictures beside its sources'; `None` where none were kept of the same prompts.
        pictures: the same captions drawn by every model.
        ancestors: the child and all it descends from, youngest first.
        licences: what the child inherits; `None` where its sources are gone.
        failures: individuals whose evaluation failed, and rows of the report, with the reason.
        state: what the run noted of its scorers and its machine.
    """

    run: str
    status: Mapping[str, Any]
    config: RunConfig
    niches: PromptSet
    held_out: PromptSet
    began: datetime | None
    ended: datetime | None
    moments: Sequence[ArchiveMoment]
    calibration: Calibration | None
    racing: RacingRecord | None
    alive: Sequence[Individual]
    holdings: Sequence[NicheHolder]
    results: Mapping[str, Any]
    comparisons: Mapping[str, Any]
    realism: Mapping[str, float]
    child: Individual | None
    recipe: Recipe | None
    drift: ColourDrift | None
    pictures: ReportPictures
    ancestors: Sequence[Individual]
    licences: Sequence[InheritedLicence] | None
    failures: Sequence[tuple[str, str]]
    state: Mapping[str, Any]

    @property
    def run_yaml(self) -> str:
        """The run file: sources and prompt sets by name, to be put beside it."""
        content = self.config.model_dump(mode="json", exclude_none=True)
        return str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


def read_report_content(store: RunStore) -> ReportContent:
    """Read a run, finished or not.

    Raises:
        M2N2Error: its prompt sets cannot be read.
    """
    config, individuals, state = store.config, store.individuals(), store.state
    niches, held_out = store.prompts.niches, store.prompts.held_out
    child = _child(store, individuals)
    sources = _sources(child.recipe) if child else None
    alive = sorted((one for one in individuals if one.alive), key=lambda one: -(one.mean("ja") or 0.0))
    return ReportContent(
        run=store.name,
        status=status(store),
        config=_portable(config),
        niches=niches,
        held_out=held_out,
        began=individuals[0].born if individuals else None,
        ended=individuals[-1].born if individuals else None,
        moments=archive_history(individuals, config),
        calibration=calibration_of(individuals, config.competing),
        racing=racing_of(individuals),
        alive=alive,
        holdings=_holdings(niches, [one for one in alive if "ja" in one.scores], individuals),
        results=state.results or {},
        comparisons=state.comparisons or {},
        realism=state.realism or {},
        child=child,
        recipe=_portable_recipe(child.recipe, sources) if child else None,
        drift=offspring_drift(store, child) if child else None,
        pictures=report_pictures(store, individuals, child),
        ancestors=lineage(store, child.id)[:ANCESTORS] if child else [],
        licences=inherited_licences(child.recipe, sources) if child and sources else None,
        failures=[(one.id, one.error) for one in individuals if one.error] + list((state.failed_rows or {}).items()),
        state={key: getattr(state, key) or {} for key in ("scorer", "reporter", "machine")},
    )


def _child(store: RunStore, individuals: Sequence[Individual]) -> Individual | None:
    """Find the child that the held-out report is about, or the best one so far."""
    child_id = store.state.child
    recipe = None if child_id else best_child(store)
    child_id = child_id or (recipe.name if recipe else None)
    return next((one for one in individuals if one.id == child_id), None)


def _sources(recipe: Recipe) -> dict[str, Source] | None:
    """Open the sources of a recipe; `None` where they are not on this machine any more."""
    try:
        return open_recipe_sources(recipe)
    except M2N2Error as error:
        logger.warning("the report says less: %s", error)
        return None


def _portable_recipe(recipe: Recipe, sources: Mapping[str, Source] | None) -> Recipe:
    """Remove this machine's folders from a recipe; sources that are gone are called by their names alone."""
    named = [
        one.model_copy(update={"uri": portable_uri(sources[one.name]) if sources else one.name})
        for one in recipe.sources
    ]
    return recipe.model_copy(update={"sources": tuple(named)})


def _portable(config: RunConfig) -> RunConfig:
    """Remove this machine's folders from the settings: of paths, only the last part stays."""

    return config.model_copy(
        update={
            "sources": tuple(map(text_without_places, config.sources)),
            "host": {
                part: text_without_places(lender) if is_place(lender) else lender
                for part, lender in config.host.items()
            },
            **{field: Path(getattr(config, field)).name for field in ("prompts", "held_out")},
            **{field: names.portable(getattr(config, field)) for field in ("scorer", "reporter")},
            **{field: Path(at).name for field in ("start", "votes") if (at := getattr(config, field))},
            "pictures": config.pictures.portable,
        }
    )


def _holdings(niches: PromptSet, alive: Sequence[Individual], individuals: Sequence[Individual]) -> list[NicheHolder]:
    if not alive:
        return []
    scores = np.stack([one.scores["ja"].mean(axis=1) for one in alive])  # [individuals, prompts]
    sources = np.stack([one.scores["ja"].mean(axis=1) for one in individuals if one.is_source])
    best, floor = scores.max(axis=0), sources.max(axis=0)
    return [
        NicheHolder(prompt, alive[row].id if row >= 0 else None, float(best[column]), float(floor[column]))
        for column, (prompt, row) in enumerate(zip(niches.prompts, owners(scores).tolist(), strict=True))
    ]
