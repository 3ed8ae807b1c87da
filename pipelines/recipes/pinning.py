"""A recipe against the sources at hand: are they the ones it was made from, and if it does not say, which are they."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.architectures.keys import WEIGHTED_COMPONENTS, Layout
from pipelines.checkpoints.sources import Source
from pipelines.errors import RecipeError

from .component_hashes import component_hashes
from .recipe import Recipe, RecipeSource


def check_sources(recipe: Recipe, sources: Mapping[str, Source]) -> None:
    """Refuse sources that are not the ones a recipe was made from.

    Raises:
        RecipeError: a source is missing, a hash or a layout differs; says which, what was expected and found.
    """
    for named in recipe.sources:
        opened = _opened(named, sources)
        for part, expected in named.sha256.items():
            actual = opened.components[part].sha256 if part in opened.components else "no such component"
            if actual != expected:
                raise RecipeError(
                    "{part} of source {source!r} at {uri} has hash {actual}, the recipe expects "
                    "{expected}: these are not the weights it was made from. Point it to the original files.",
                    part=part,
                    source=named.name,
                    uri=opened.uri,
                    actual=actual[:12],
                    expected=expected[:12],
                )
    layouts = recipe_layouts(recipe, sources)
    for name, chromosome in recipe.chromosomes.items():
        layout = layouts[name]
        if chromosome.size != layout.size or chromosome.layout not in (None, layout.digest):
            raise RecipeError(
                "Chromosome {name} has {found} elements in the recipe and {expected} in the sources, or "
                "another order of tensors. Expected the architecture the recipe was made from.",
                name=name,
                found=chromosome.size,
                expected=layout.size,
            )


def repinned(recipe: Recipe, sources: Mapping[str, Source]) -> Recipe:
    """Return a recipe that names its sources by the weights that they have now, whatever it was made from."""

    def over(named: RecipeSource) -> RecipeSource:
        parts = sources[named.name].components
        return named.model_copy(update={"sha256": {part: parts[part].sha256 for part in named.sha256 if part in parts}})

    return recipe.model_copy(update={"sources": tuple(map(over, recipe.sources))})


def recipe_layouts(recipe: Recipe, sources: Mapping[str, Source]) -> dict[str, Layout]:
    """Return the chromosomes of a recipe as its sources have them.

    Raises:
        RecipeError: its patterns do not give the chromosomes that it has.
    """
    layouts: dict[str, Layout] = {}
    for part in recipe.merged_components:
        layouts |= sources[recipe.lender(part)].layouts([part], recipe.patterns)
    if set(layouts) != set(recipe.chromosomes):
        raise RecipeError(
            "The tensors of the sources form the chromosomes {layouts}; the recipe has "
            "{chromosomes}. Expected the same; mend the recipe's patterns or chromosomes.",
            layouts=", ".join(layouts),
            chromosomes=", ".join(sorted(recipe.chromosomes)),
        )
    return layouts


def pin(recipe: Recipe, sources: Mapping[str, Source]) -> Recipe:
    """Fill in a recipe's hashes of sources and layouts of chromosomes, so that other weights can be told apart.

    Paths become absolute: the pinned recipe opens from anywhere on this machine.

    Raises:
        RecipeError: a source is missing, a hash or a size that the recipe has differs from what is found.
    """
    pinned = recipe.model_copy(
        update={
            "sources": tuple(
                named.model_copy(
                    update={
                        "uri": sources[named.name].uri,
                        "licence": named.licence or sources[named.name].licence,
                        "sha256": component_hashes(_opened(named, sources), _needed(recipe, named.name)) | named.sha256,
                    }
                )
                for named in recipe.sources
            )
        }
    )
    check_sources(pinned, sources)
    layouts = recipe_layouts(recipe, sources)
    chromosomes = {
        name: chromosome.model_copy(update={"layout": layouts[name].digest})
        for name, chromosome in recipe.chromosomes.items()
    }
    return pinned.model_copy(update={"chromosomes": chromosomes})


def _opened(named: RecipeSource, sources: Mapping[str, Source]) -> Source:
    if named.name not in sources:
        raise RecipeError(
            "The recipe's source {source!r} was not found. Expected it at {uri}.", source=named.name, uri=named.uri
        )
    return sources[named.name]


def _needed(recipe: Recipe, name: str) -> set[str]:
    """Return the components that a recipe takes of a source, merged or lent."""
    merged = {part for part in recipe.merged_components if name in recipe.weighted_sources(part)}
    return merged | {part for part in WEIGHTED_COMPONENTS if recipe.lender(part) == name}
