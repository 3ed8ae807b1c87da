"""What a person may name for a model: a source (`source_uri`), a recipe file, or RUN:INDIVIDUAL."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pipelines.checkpoints.source_uri import absolute_uri, open_source_uri
from pipelines.checkpoints.sources import Source, open_network
from pipelines.errors import SourceError
from pipelines.exporting.places import noted_uris
from pipelines.generation.prompt_syntax import PLAIN, PromptSyntax
from pipelines.recipes.recipe import Recipe, RecipeSource, blend, load_recipe
from pipelines.storage.formats import PICKLE_SUFFIXES
from studio.runs.config import RunConfig
from studio.runs.store import open_run

OpenedModel = tuple[Recipe, dict[str, Source]]


def open_model(named: str) -> OpenedModel:
    """Open the recipe and the sources behind a name; a source becomes the recipe that takes all from it.

    Raises:
        M2N2Error: nothing of the kind is there, or it does not fit.
    """
    path = Path(os.path.expanduser(named))
    if os.path.isfile(path) and path.suffix.lower() not in (".safetensors", *PICKLE_SUFFIXES):
        recipe = load_recipe(path)
        return recipe, open_recipe_sources(recipe, relative_to=path.parent)
    run, _, individual = named.rpartition(":")
    if run and os.path.isdir(run):
        store = open_run(run)
        recipe = store.individual(individual).recipe
        store.close()
        return recipe, open_recipe_sources(recipe)
    try:
        source = open_source_uri(named)
    except SourceError as error:
        raise SourceError("{error} A recipe file, or RUN:INDIVIDUAL, does as well.", error=error) from error
    return source_as_model(source)


def run_config_of(named: str) -> RunConfig | None:
    """Return the settings of the run whose individual a name is; `None` for every other model.

    Raises:
        RunError: the run cannot be opened.
    """
    run, _, _ = named.rpartition(":")
    if not (run and os.path.isdir(run)):
        return None
    store = open_run(run)
    config = store.config
    store.close()
    return config


def syntax_of_model(named: str) -> PromptSyntax:
    """Return how the run reads prompts whose individual a name is; plain for every other model, errors as above."""
    config = run_config_of(named)
    return config.prompt_syntax if config else PLAIN


def source_as_model(source: Source) -> OpenedModel:
    """Return a source as the recipe that takes all from it."""
    chromosomes = {"attention": [1.0], "backbone": [1.0]}
    return blend([source], chromosomes, host={"default": source.name}, name=source.name), {source.name: source}


def open_recipe_sources(recipe: Recipe, *, relative_to: Path = Path()) -> dict[str, Source]:
    """Open the sources a recipe names; relative paths are relative to the recipe's file.

    Recipes that leave this machine say of a source what it is called, and not where it lies. What is not beside them
    is looked for where this machine had weights of the same hashes, the last place first.

    Raises:
        SourceError: a source is in neither place, or cannot be opened.
    """
    return {named.name: _open_named(named, relative_to) for named in recipe.sources}


def open_recipe_networks(recipe: Recipe, *, relative_to: Path = Path()) -> dict[str, Source]:
    """Open the sources of a recipe of any network; arguments and errors are those of `open_recipe_sources`."""
    opened = {}
    for named in recipe.sources:
        beside = relative_to / named.uri
        places = [beside] if beside.exists() else [Path(uri) for uri in noted_uris(named)]
        place = next((place for place in places if place.exists()), beside)
        opened[named.name] = open_network(place, name=named.name)
    return opened


def _open_named(named: RecipeSource, relative_to: Path) -> Source:
    first = absolute_uri(named.uri, relative_to)
    try:
        return open_source_uri(named.uri, name=named.name, relative_to=relative_to)
    except SourceError:
        for uri in noted_uris(named):
            if uri != first:
                with contextlib.suppress(SourceError):
                    return open_source_uri(uri, name=named.name)
        raise
