"""Offspring that nobody bred: merges made by hand, and the archive of a former run; they are the first of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipelines.checkpoints.sources import Source
from pipelines.recipes.crossover import joined
from pipelines.recipes.recipe import Chromosome, Lineage, Recipe, Segment, load_recipe
from studio.errors import ConfigError
from studio.runs.config import RunConfig

from .variation import hand_made, weighted


def given_offspring(config: RunConfig, sources: Mapping[str, Source]) -> list[Recipe]:
    """The first offspring of a run, named by their numbers; none unless the run asks for some.

    Raises:
        ConfigError: a recipe of the former run names a source that this one lacks, or merges something else.
    """
    merges = hand_made(config, sources) if config.breeding.merges else []
    if config.start is None:
        return merges
    paths = sorted(Path(config.start).glob("*.json"))
    return merges + [
        carried_over(load_recipe(path), config, sources, name=f"{number:04d}")
        for number, path in enumerate(paths, start=len(merges) + 1)
    ]


def carried_over(recipe: Recipe, config: RunConfig, sources: Mapping[str, Source], *, name: str) -> Recipe:
    """A recipe over the sources and under the host of another run; its parents are the two that weigh most in it.

    Sources are known by the hash of their UNet, whatever they were called; those that are new to it weigh nothing.

    Raises:
        ConfigError: see `given_offspring`.
    """
    here = {source.components["unet"].sha256: source_name for source_name, source in sources.items()}
    places: dict[int, int] = {}  # of a source there, to here
    for place, source in enumerate(recipe.sources):
        found = here.get(source.sha256.get("unet", ""))
        if found is not None:
            places[place] = list(sources).index(found)
        elif any(segment.weights[place] for part in recipe.chromosomes.values() for segment in part.segments):
            raise ConfigError(
                f"{recipe.name!r}, to start from, is made of {source.name!r}, which is not among the sources "
                f"{', '.join(sources)}. Add that source, or start from another run."
            )
    empty = weighted(config, sources, [0.0] * len(sources), name=name)
    ours, theirs = set(empty.merged_components), set(recipe.merged_components)
    if ours != theirs:
        raise ConfigError(
            f"{recipe.name!r}, to start from, merges {', '.join(sorted(theirs))}; expected {', '.join(sorted(ours))}. "
            "Merge the same parts as that run did, or start from another one."
        )
    moved = {}
    for part, chromosome in _regrouped(recipe, empty, sources).items():
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
    totals = {one: sum(shares[one] for shares in child.shares.values()) for one in sources}
    mother, father = sorted(sources, key=lambda one: -abs(totals[one]))[:2]
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
            f"{recipe.name!r}, to start from, is over a network of another shape. Start from another run."
        )
    owner = {name: part for part, layout in theirs.items() for name in layout.names}
    found = {}
    for part, layout in ours.items():
        segments = []
        for name, (start, _) in layout.spans.items():
            before, (begin, end) = owner[name], theirs[owner[name]].spans[name]
            pieces = recipe.chromosomes[before].pieces(begin, end)
            segments += [Segment(stop=start + stop - begin, weights=weights) for _, stop, weights in pieces]
        found[part] = wanted.chromosomes[part].model_copy(update={"segments": joined(segments)})
    return found
