"""A new run's folder: everything it depends on is copied into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from eval.prompts.prompt_set import load_prompts, to_yaml
from pipelines.recipes.recipe import Recipe, load_recipe
from pipelines.storage.files import write_whole
from studio.breeding.initial_population import carried_over, source_recipes
from studio.errors import RunError
from studio.judging.votes import votes_for
from studio.run_folders.making import new_run_folder
from studio.runs.config import RunConfig
from studio.runs.database import make_database
from studio.runs.inputs import RunPrompts, open_run_sources
from studio.runs.store import C, RunStore, open_run

from .workers import with_worker_count


def create_run(folder: str | Path, config: RunConfig, address: str | None = None) -> RunStore:
    """Make a run's folder.

    Args:
        folder: where it will lie.
        config: what the run is asked to do.
        address: of the Ray cluster, if its workers are on one and their number is left open; see `joined_cluster`.

    Raises:
        RunError: there is something in it already, `start` is no run, there are too few votes to steer it, or no
            cluster answers.
        SourceError: a source cannot be opened or merged with the others.
        ConfigError: the settings do not go with these sources, or with the individuals to start from.
        RecipeError: a pattern of the chromosomes takes no tensor.
        PromptSetError: a prompt set cannot be read, holds nothing, or lacks the pictures that fitness looks at.
    """
    config = with_worker_count(config, address)
    prompts, sources = RunPrompts(config), open_run_sources(config)
    niches, _ = prompts.niches, prompts.held_out  # both are read before there is a folder
    if "image" in config.fitness:
        niches.references(Path(config.prompts).resolve().parent)
    if config.votes:
        votes_for(config.votes)
    source_recipes(config, sources)
    first = [] if config.start is None else recipes_of(Path(config.start), open_run)
    for number, recipe in enumerate(first, start=1):
        carried_over(recipe, config, sources, name=f"{number:04d}")
    with new_run_folder(folder) as hidden:
        (hidden / "images").mkdir()
        inside = {field: f"{field}.yaml" for field in ("prompts", "held_out")}
        for field, name in inside.items():  # scores mean these captions, whatever becomes of the original files
            write_whole(hidden / name, _with_whole_paths(Path(getattr(config, field))).encode())
        if config.start is not None:
            inside["start"] = "start"
            save_start(first, hidden)
        if config.votes:
            inside["votes"] = str(Path(config.votes).resolve())
        config.model_copy(update=inside).save(hidden / "run.yaml")
        make_database(hidden)
    return open_run(folder)


def save_start(first: Sequence[Recipe], folder: Path) -> None:
    """Copy the recipes that a run starts from into its folder, as `start/`."""
    for number, recipe in enumerate(first, start=1):
        recipe.save(folder / "start" / f"{number:04d}.json")


def recipes_of(start: Path, opened: Callable[[Path], RunStore[C]]) -> list[Recipe]:
    """The recipes of the offspring alive in a run, or of a folder of recipes, oldest first.

    Args:
        start: either.
        opened: opens the folder of a run of the right kind.

    Raises:
        RunError: it is neither.
    """
    if (start / "run.db").is_file():
        store = opened(start)
        recipes = [one.recipe for one in store.individuals() if one.alive and not one.is_source]
        store.close()
    else:
        recipes = [load_recipe(path) for path in sorted(start.glob("*.json"))]
    if not recipes:
        raise RunError(
            "{start} has nobody to start from. Expected the folder of a run with offspring alive, or of recipes.",
            start=start,
        )
    return recipes


def _with_whole_paths(path: Path) -> str:
    """A prompt set to be read from another folder: its reference pictures, like sources, stay where they are."""
    return to_yaml(load_prompts(path).with_absolute_references(path.resolve().parent))
