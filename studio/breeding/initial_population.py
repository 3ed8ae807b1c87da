"""Whom a search begins with: the sources, merges made by hand, the archive of a former run."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from pipelines.architectures.keys import MODEL
from pipelines.checkpoints.sources import Source
from pipelines.recipes.chromosome import Chromosome, Segment
from pipelines.recipes.crossover import merge_equal_neighbours
from pipelines.recipes.lineage import Lineage
from pipelines.recipes.recipe import Recipe, load_recipe
from studio.errors import ConfigError
from studio.evolution.archive import Archive

from .settings import BreedingSettings


def initial_offspring(config: BreedingSettings, sources: Mapping[str, Source]) -> list[Recipe]:
    """The first offspring of a run, named by their numbers; none unless the run asks for some.

    Raises:
        ConfigError: a recipe of the former run names a source that this one lacks, or merges something else.
    """
    merges = merge_baselines(config, sources) if config.breeding.merges else []
    if config.start is None:
        return merges
    paths = sorted(Path(config.start).glob("*.json"))
    return merges + [
        carried_over(load_recipe(path), config, sources, name=f"{number:04d}")
        for number, path in enumerate(paths, start=len(merges) + 1)
    ]


def carried_over(recipe: Recipe, config: BreedingSettings, sources: Mapping[str, Source], *, name: str) -> Recipe:
    """A recipe over the sources and under the host of another run; its parents are the two that weigh most in it.

    Sources are known by the hash of their UNet, or of the network that they are, whatever they were called; those that
    are new to it weigh nothing.

    Raises:
        ConfigError: see `initial_offspring`.
    """
    hashed = MODEL if recipe.merged_components == (MODEL,) else "unet"
    bred = config.bred(sources)
    here = {source.components[hashed].sha256: name for name, source in bred.items() if hashed in source.components}
    places: dict[int, int] = {}  # of a source there, to here
    for place, source in enumerate(recipe.sources):
        found = here.get(source.sha256.get(hashed, ""))
        if found is not None:
            places[place] = list(sources).index(found)
        elif any(segment.weights[place] for part in recipe.chromosomes.values() for segment in part.segments):
            raise ConfigError(
                "{recipe!r}, to start from, is made of {source!r}, which is not among the sources "
                "{sources}. Add that source, or start from another run.",
                recipe=recipe.name,
                source=source.name,
                sources=", ".join(bred),
            )
    empty = config.weighted(sources, [0.0] * len(bred), name=name)
    ours, theirs = set(empty.merged_components), set(recipe.merged_components)
    if ours != theirs:
        raise ConfigError(
            "{recipe!r}, to start from, merges {found}; expected {expected}. "
            "Merge the same parts as that run did, or start from another one.",
            recipe=recipe.name,
            found=", ".join(sorted(theirs)),
            expected=", ".join(sorted(ours)),
        )
    moved = {}
    for part, chromosome in _regrouped(recipe, empty, bred).items():
        if part in config.frozen:
            continue
        segments = []
        for segment in chromosome.segments:
            row = [0.0] * len(sources)
            for before, after in places.items():
                row[after] += segment.weights[before]
            segments.append(segment.model_copy(update={"weights": tuple(row)}))
        moved[part] = empty.chromosomes[part].model_copy(update={"segments": tuple(segments)})
    child = empty.model_copy(update={"chromosomes": {**empty.chromosomes, **moved}})
    totals = {one: sum(shares[one] for shares in child.shares.values()) for one in bred}
    mother, father = sorted(bred, key=lambda one: -abs(totals[one]))[:2]
    return child.model_copy(update={"lineage": Lineage(mother=mother, father=father)})


def _regrouped(recipe: Recipe, wanted: Recipe, sources: Mapping[str, Source]) -> dict[str, Chromosome]:
    """A recipe's chromosomes as another one groups the same tensors: each tensor keeps its weights.

    Raises:
        ConfigError: the tensors are not the same.
    """
    one = next(iter(sources.values()))
    theirs = one.layouts(recipe.merged_components, recipe.patterns)
    ours = one.layouts(wanted.merged_components, wanted.patterns)
    if {part: (layout.size, layout.digest) for part, layout in theirs.items()} != {
        part: (chromosome.size, chromosome.layout) for part, chromosome in recipe.chromosomes.items()
    }:
        raise ConfigError(
            "{recipe!r}, to start from, is over a network of another shape. Start from another run.", recipe=recipe.name
        )
    owner = {name: part for part, layout in theirs.items() for name in layout.names}
    found = {}
    for part, layout in ours.items():
        segments = []
        for name, (start, _) in layout.spans.items():
            before, (begin, end) = owner[name], theirs[owner[name]].spans[name]
            pieces = recipe.chromosomes[before].spans_within(begin, end)
            segments += [Segment(stop=start + stop - begin, weights=weights) for _, stop, weights in pieces]
        found[part] = wanted.chromosomes[part].model_copy(update={"segments": merge_equal_neighbours(segments)})
    return found


def source_recipes(config: BreedingSettings, sources: Mapping[str, Source]) -> dict[str, Recipe]:
    """The sources that are bred as individuals: one-hot weights under the run's host."""
    bred = config.bred(sources)
    return {
        name: config.weighted(sources, row, name=name)
        for name, row in zip(bred, np.eye(len(bred)).tolist(), strict=True)
    }


def average_recipe(config: BreedingSettings, sources: Mapping[str, Source]) -> Recipe:
    """The sources that are bred in equal parts under the run's host, `average` by name: what every child must beat."""
    bred = config.bred(sources)
    return config.weighted(sources, [1 / len(bred)] * len(bred), name="average")


def merge_baselines(config: BreedingSettings, sources: Mapping[str, Source]) -> list[Recipe]:
    """The merges one would make by hand, as the first offspring: numbered, with the first two they are made of.

    Means of each pair and of all sources; with a base, `base + (a - base) + (b - base)` for each pair of the others and
    for all of them (task arithmetic, Ilharco et al., arXiv 2212.04089, with a scale of 1).
    """
    names = list(config.bred(sources))
    unit = np.eye(len(names))
    rows: dict[tuple[str, ...], list[np.ndarray]] = defaultdict(list)
    groups = [*itertools.combinations(names, 2), tuple(names)]
    for group in groups:
        rows[group].append(sum(unit[names.index(one)] for one in group) / len(group))
    base = config.breeding.task_arithmetic
    if base is not None:
        others = [name for name in names if name != base]
        groups = [*itertools.combinations(others, 2), tuple(others)]
        for group in (group for group in groups if len(group) > 1):  # base + (a - base) is a
            row = sum(unit[names.index(one)] for one in group) - (len(group) - 1) * unit[names.index(base)]
            rows[group].append(row)
    made: dict[tuple[float, ...], tuple[str, ...]] = {}
    for group, several in rows.items():
        for row in several:
            made.setdefault(tuple(row.tolist()), group)  # of two sources, each pair is all
    return [
        config.weighted(sources, row, name=f"{number:04d}").model_copy(
            update={"lineage": Lineage(mother=group[0], father=group[1])}
        )
        for number, (row, group) in enumerate(made.items(), start=1)
    ]


def warm_up_parents(
    config: BreedingSettings, sources: Iterable[str], archive: Archive, made: int
) -> tuple[str, str] | None:
    """Mother and father of a warm-up offspring: two of the sources alive, at random (as in M2N2's run with LLMs).

    Args:
        config: the run's settings.
        sources: names of all sources.
        archive: who is alive.
        made: offspring so far; the same number gives the same two.

    Returns:
        None after the warm-up, or where fewer than two sources are alive: fitness and attraction choose then.
    """
    alive = [name for name in sources if name in archive]
    if made >= config.breeding.warm_up or len(alive) < 2:
        return None
    mother, father = np.random.default_rng([config.seed, made]).permutation(len(alive))[:2]
    return alive[mother], alive[father]
