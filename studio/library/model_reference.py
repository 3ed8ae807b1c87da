"""What a person may name for a model: a source (`source_uri`), a recipe file, or RUN:INDIVIDUAL."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.checkpoints.source_uri import open_source_uri
from pipelines.checkpoints.sources import Source
from pipelines.errors import SourceError
from pipelines.recipes.recipe import Recipe, blend, load_recipe
from pipelines.storage.pickled import PICKLE_SUFFIXES
from studio.runs.store import open_run

OpenedModel = tuple[Recipe, dict[str, Source]]


def open_model(named: str) -> OpenedModel:
    """Open the recipe and the sources behind a name; a source becomes the recipe that takes all from it.

    Raises:
        M2N2Error: nothing of the kind is there, or it does not fit.
    """
    path = Path(os.path.expanduser(named))
    if path.is_file() and path.suffix not in (".safetensors", *PICKLE_SUFFIXES):
        recipe = load_recipe(path)
        return recipe, open_recipe_sources(recipe, relative_to=path.parent)
    run, _, individual = named.rpartition(":")
    if run and Path(run).is_dir():
        store = open_run(run)
        recipe = store.individual(individual).recipe
        store.close()
        return recipe, open_recipe_sources(recipe)
    try:
        source = open_source_uri(named)
    except SourceError as error:
        raise SourceError(f"{error} A recipe file, or RUN:INDIVIDUAL, does as well.") from error
    return source_as_model(source)


def source_as_model(source: Source) -> OpenedModel:
    """Return a source as the recipe that takes all from it."""
    chromosomes = {"attention": [1.0], "backbone": [1.0]}
    return blend([source], chromosomes, host={"default": source.name}, name=source.name), {source.name: source}


def open_recipe_sources(recipe: Recipe, *, relative_to: Path = Path()) -> dict[str, Source]:
    """Open the sources a recipe names; relative paths are relative to the recipe's file."""
    return {
        named.name: open_source_uri(named.uri, name=named.name, relative_to=relative_to) for named in recipe.sources
    }
