"""A run that was never carried out, as large as a long one: real recipes over the embedded family, invented scores.

    python -m benchmarks.made_up FOLDER [--individuals 500] [--pictures 20000]

To browse, to time pages with, to try what needs many individuals. Children are bred by the studio's own crossover from
random parents; a score is the parents' mean and a little chance; pictures are the reference pictures of the prompts,
tinted by who drew them. Nothing in it says anything about merging.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.generation.live_pipeline import PictureRequest
from pipelines.recipes.recipe import Recipe
from studio.breeding.initial_population import source_recipes
from studio.breeding.variation import RecipeCrossover
from studio.evaluation.evaluator import DrawnPicture, save_picture
from studio.evolution.archive import Archive
from studio.execution.creation import create_run
from studio.runs.config import embedded
from studio.runs.individual import Individual
from studio.runs.inputs import RunPrompts, open_run_sources
from studio.runs.noise import noise_seed
from studio.runs.store import RunStore

ALIVE = 60
KINDS = ("ja", "en", "consistency")
BORN = datetime(2026, 1, 1, tzinfo=UTC)


def make(folder: Path, *, individuals: int = 500, pictures: int = 20_000, seed: int = 0) -> RunStore:
    """Make the run.

    Args:
        folder: a new folder.
        individuals: sources among them.
        pictures: spread over everyone, at most two a prompt.
        seed: of everything random in it.
    """
    config = embedded(evaluations=individuals, archive=ALIVE, seed=seed)
    sources, prompts = open_run_sources(config), RunPrompts(config).niches
    store = create_run(folder, config)
    rng = np.random.default_rng(seed)
    first = source_recipes(config, sources)
    crossover = RecipeCrossover(config, sources, next(iter(first.values())))
    archive = Archive(ALIVE, alpha=config.alpha)
    recipes: dict[str, Recipe] = {}
    scores: dict[str, dict[str, np.ndarray]] = {}
    references = [Image.open(path).convert("RGB") for path in prompts.references(Path(config.prompts).parent)]
    for number in range(individuals):
        if number < len(first):
            id, recipe = list(first.items())[number]
            drawn = {kind: rng.uniform(0.1, 0.3, (len(prompts), 1)) for kind in KINDS}
        else:
            mother, father = (archive.ids[k] for k in rng.permutation(len(archive))[:2])
            recipe = crossover(recipes[mother], recipes[father], rng, number=number - len(first) + 1)
            id = recipe.name
            between = {kind: (scores[mother][kind] + scores[father][kind]) / 2 for kind in KINDS}
            drawn = {kind: np.clip(mean + rng.normal(0, 0.04, mean.shape), 0, 1) for kind, mean in between.items()}
        recipes[id], scores[id] = recipe, drawn
        entered = archive.insert(id, drawn["ja"].mean(axis=1)).entered
        lineage = recipe.lineage
        one = Individual(
            id=id,
            mother=lineage.mother if lineage else None,
            father=lineage.father if lineage else None,
            recipe=recipe,
            scores=drawn if entered else {"ja": drawn["ja"]},
            entered=entered,
            alive=entered,
            seconds=3.0,
            born=BORN + timedelta(seconds=3 * number),
        )
        store.record([one], {}, archive.ids)
        _draw(store, recipe, references, pictures // individuals, number)
    store.update(status="stopped")
    return store


def _draw(store: RunStore, recipe: Recipe, references: list[Image.Image], count: int, number: int) -> None:
    prompts = store.prompts.niches
    tint = Image.new("RGB", references[0].size, tuple(np.random.default_rng(number).integers(0, 256, 3).tolist()))
    wanted = [(row, language) for row in range(len(prompts)) for language in ("ja", "en")][:count]
    for row, language in wanted:
        prompt = prompts.prompts[row]
        request = PictureRequest((prompt.ja if language == "ja" else prompt.en) or "", noise_seed(prompt.id, 0))
        drawn = DrawnPicture(Image.blend(references[row], tint, 0.2), prompt.id, language, 0, request)
        save_picture(
            drawn, store.image(recipe.name, prompt.id, language, 0), recipe=recipe, settings=store.config.pictures
        )


def main() -> None:
    """Make one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--individuals", type=int, default=500)
    parser.add_argument("--pictures", type=int, default=20_000)
    asked = parser.parse_args()
    make(asked.folder, individuals=asked.individuals, pictures=asked.pictures).close()


if __name__ == "__main__":
    main()
