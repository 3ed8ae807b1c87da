"""What a person may name where a model is asked for: a diffusers folder, a recipe file, or RUN:INDIVIDUAL."""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import RecipeError
from pipelines.recipe import Recipe, RecipeSource, blend, load_recipe
from pipelines.sources import COMPONENTS, Source, open_source

from .errors import RunError
from .store import open_run

Model = tuple[Recipe, dict[str, Source]]


def open_model(named: str) -> Model:
    """The recipe and the opened sources behind a name; a folder is the recipe that takes all from it.

    Raises:
        M2N2Error: nothing of the kind is there, or it does not fit.
    """
    path = Path(named).expanduser()
    if path.is_dir():
        source = open_source(path)
        chromosomes = {"attention": [1.0], "backbone": [1.0]}
        return blend([source], chromosomes, host={"default": source.name}, name=source.name), {source.name: source}
    if path.is_file():
        recipe = load_recipe(path)
        return recipe, open_recipe_sources(recipe, relative_to=path.parent)
    run, _, individual = named.rpartition(":")
    if run and Path(run).is_dir():
        store = open_run(run)
        recipe = store.individual(individual).recipe
        store.close()
        return recipe, open_recipe_sources(recipe)
    raise RunError(f"{named} was not found. Expected a diffusers folder, a recipe file, or RUN:INDIVIDUAL.")


def open_recipe_sources(recipe: Recipe, *, relative_to: Path = Path()) -> dict[str, Source]:
    """Open the sources a recipe names by path; relative ones are relative to the recipe's file."""
    return {named.name: open_source(relative_to / _local(named), name=named.name) for named in recipe.sources}


def _local(named: RecipeSource) -> Path:
    path = Path(named.uri).expanduser()
    if "://" in named.uri:
        raise RecipeError(
            f"Source {named.name!r} is at {named.uri}. Expected a local folder with {', '.join(COMPONENTS)}; "
            "download it and put its path into the recipe's uri."
        )
    return path
