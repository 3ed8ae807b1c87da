"""The rows of the table: each method with its settings, in the order in which they matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

import assets
from eval.prompts.prompt_set import PromptSet
from pipelines.checkpoints.sources import Source
from pipelines.generation.settings import GenerationSettings
from studio.analysis.look_alikes import LOOK_ALIKE
from studio.breeding.initial_population import source_recipes
from studio.breeding.m2n2 import M2N2
from studio.breeding.search_method import SearchMethod
from studio.runs.config import RunConfig, embedded

from .methods import CycleQD, Elites, Listed, RandomWeights, Rejection, Strategy
from .task import restored
from .ties_dare import added, dare, task_vectors, ties

BASE = "base"
# Of TIES and DARE; the judge chooses. The papers' own choices where nothing is tuned are to keep 0.2 and 0.1.
SCALES = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
KEPT = (0.1, 0.2, 0.5, 1.0)  # share of each task vector
FEW = 20  # random weightings that somebody may try by hand
SECOND_HALF = ("up_blocks.", "conv_norm_out.", "conv_out.")  # of a UNet's tensors, by the beginnings of their names

Begin = Callable[
    [RunConfig, Mapping[str, Source], PromptSet, Path], SearchMethod
]  # the last is a folder for new weights


def _average(config: RunConfig, sources: Mapping[str, Source], niches: PromptSet, folder: Path) -> SearchMethod:
    return Listed(sources, [config.weighted(sources, [1 / len(sources)] * len(sources), name="average")])


def _source(name: str) -> Begin:
    return lambda config, sources, niches, folder: Listed(sources, [source_recipes(config, sources)[name]])


def _halves(config: RunConfig, sources: Mapping[str, Source], niches: PromptSet, folder: Path) -> SearchMethod:
    """For one who knows what each source changed: the first half of `flat`, which did not, and the second of `real`."""
    flat, real = ([float(one == name) for one in sources] for name in ("flat", "real"))
    rows = {}
    for chromosome, layout in sources[BASE].components["unet"].layouts.items():
        later = [name.startswith(SECOND_HALF) for name in layout.names].index(True)
        rows[chromosome] = [(int(layout.stops[later - 1]), flat), (layout.size, real)]
    return Listed(sources, [restored(rows, sources, config)])


def _dense(name: Literal["ties", "dare"]) -> Begin:
    """The base and what TIES or DARE adds to it, for every share that is kept and at every scale."""

    def begin(config: RunConfig, sources: Mapping[str, Source], niches: PromptSet, folder: Path) -> SearchMethod:
        vectors, rng = task_vectors(sources, BASE), np.random.default_rng(config.seed)
        more = dict(sources)
        for kept in KEPT:
            merged = ties(vectors, density=kept) if name == "ties" else dare(vectors, rng, drop=1 - kept)
            label = f"{name}-{kept}"
            more[label] = added(sources[BASE], merged, folder / label)
        rows = [
            [scale if one == label else (1 - scale) * (one == BASE) for one in more]
            for label in list(more)[len(sources) :]
            for scale in SCALES
        ]
        return Listed(more, [config.weighted(more, row, name=name) for row in rows])

    return begin


def _few_random(config: RunConfig, sources: Mapping[str, Source], niches: PromptSet, folder: Path) -> SearchMethod:
    """The first of `random`: what somebody finds who tries a few by chance."""
    weights = RandomWeights(config, sources)
    return Listed(sources, [weights.ask().recipe for _ in range(FEW)])


def _evolution(config: RunConfig, sources: Mapping[str, Source], niches: PromptSet, folder: Path) -> SearchMethod:
    if config.early_rejection:
        return Rejection(config, sources)
    return M2N2(config, sources, noise_rotation=config.noise_rotation, racing=config.racing)


@dataclass(frozen=True)
class Entry:
    """A row of the table.

    Attributes:
        title: what it is called there.
        group: which part of the table and of the figure it is in; `rejection` is reported in a sentence.
        begin: starts it.
        changes: what its run's settings change.
        most: evaluations it has use for; None for as many as there are.
        seeds: how many random seeds make a difference; None for all.
        batch: pictures drawn at once, where that matters.
    """

    title: str
    group: Literal["merges", "searches", "ablations", "fitness", "extensions", "rejection"]
    begin: Begin = _evolution
    changes: Mapping[str, Any] = field(default_factory=dict)
    most: int | None = None
    seeds: int | None = None
    batch: int | None = None

    @property
    def apart(self) -> bool:
        """Whether it goes by other scores than everybody's, or on other noise, not to be set beside theirs."""
        return not {"noise_rotation", "fitness"}.isdisjoint(self.changes)

    def config(self, seed: int, pictures: GenerationSettings, sources: Sequence[str] = ()) -> RunConfig:
        """The settings of a run.

        Args:
            seed: random seed.
            pictures: how they are drawn, but for the batch.
            sources: as a run file writes them; all six if left out.
        """
        if self.batch:
            pictures = pictures.model_copy(update={"batch": self.batch})
        everything = {"sources": sources or assets.all_sources(), "pictures": pictures.model_dump()}
        return embedded(seed=seed, **everything, **self.changes)


def _extension(title: str, **breeding: Any) -> Entry:
    return Entry(title, "extensions", changes={"breeding": breeding})


METHODS: dict[str, Entry] = {  # in the order in which they matter
    "average": Entry("uniform average", "merges", _average, most=1, seeds=1),
    **{
        name: Entry(f"source {name}", "merges", _source(name), most=1, seeds=1)
        for name in ("base", "ja", "flat", "real", "late", "glossy")
    },
    "ties": Entry("TIES", "merges", _dense("ties"), most=len(KEPT) * len(SCALES), seeds=1),
    "dare": Entry("DARE", "merges", _dense("dare"), most=len(KEPT) * len(SCALES)),
    "halves": Entry("halves by hand", "merges", _halves, most=1, seeds=1),
    "m2n2": Entry("M2N2", "searches"),
    "cma-es": Entry("CMA-ES", "searches", lambda config, sources, niches, folder: Strategy(config, sources)),
    "cma-es-quarters": Entry(
        "CMA-ES, quarters", "searches", lambda config, sources, niches, folder: Strategy(config, sources, parts=4)
    ),
    "random": Entry(
        "random weights", "searches", lambda config, sources, niches, folder: RandomWeights(config, sources)
    ),
    "random-20": Entry("random weights, 20 of them", "searches", _few_random, most=FEW),
    "ga": Entry("genetic algorithm", "searches", changes={"alpha": 0.0, "breeding": {"attraction": False}}),
    "foresight": Entry("foresight", "searches", changes={"breeding": {"foresight": 0.75}}),
    "nudges": Entry("foresight with nudges", "searches", changes={"breeding": {"foresight": 0.75, "nudges": True}}),
    "racing": Entry(
        "foresight with nudges, raced",
        "searches",
        changes={"breeding": {"foresight": 0.75, "nudges": True}, "racing": 0.05},
    ),
    "m2n2-racing": Entry("M2N2, raced", "extensions", changes={"racing": 0.05}),
    "foresight-merges": _extension("foresight and merges first", foresight=0.75, merges=True),
    "together": Entry("one chromosome", "ablations", changes={"breeding": {"together": True}}),
    "no-split": Entry("no split point", "ablations", changes={"breeding": {"split_points": 0}}),
    "no-attraction": Entry("no attraction", "ablations", changes={"breeding": {"attraction": False}}),
    "no-competition": Entry("no competition", "ablations", changes={"alpha": 0.0}),
    "map-elites": Entry(
        "MAP-Elites", "searches", lambda config, sources, niches, folder: Elites(config, sources, niches)
    ),
    "cycle-qd": Entry("CycleQD", "searches", lambda config, sources, niches, folder: CycleQD(config, sources, niches)),
    "compatibility": _extension("compatibility 1", compatibility=1.0),
    "splits": _extension("1 to 3 split points", split_points=3, split_growth=50),
    "guided": _extension("guided split points", guided=True),
    "beta": _extension("ratios from Beta(5, 5)", beta=5.0),
    "one-ratio": _extension("one ratio", one_ratio=True),
    "step": _extension("ratios up to 0.3", step=0.3),
    "warm-up": _extension("warm-up of 20", warm_up=20),
    "merges": _extension("merges first", merges=True),
    "task-arithmetic": _extension("merges and task arithmetic first", merges=True, task_arithmetic=BASE),
    "apart": _extension("different looks", min_distance=LOOK_ALIKE),
    "bilingual": Entry("both languages compete", "extensions", changes={"compete": ("ja", "en")}),
    "rotation": Entry("other noise every 50", "extensions", changes={"noise_rotation": 50}),
    "references": Entry("likeness to pictures", "fitness", changes={"fitness": {"image": 1.0}}),
    "early-rejection": Entry("early rejection", "rejection", changes={"early_rejection": True}, seeds=1, batch=8),
}
