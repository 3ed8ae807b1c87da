"""The gate before weights: they are written where licences let them be, or where a person states why they may.

A licence that is not known does not close it: nobody can say what it forbids, most files of the trade state none, and
a gate that is always closed is opened without reading. It is warned of, and stands in every card.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.errors import Phrase
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.statement import LicenceStatement
from studio.errors import LicenceError

from .inheritance import InheritedLicence, recipe_clashes


def check_licences(recipe: Recipe, entries: Iterable[InheritedLicence]) -> None:
    """Let a recipe's weights be written.

    Args:
        recipe: the merge, with a statement if a person made one.
        entries: what it inherits.

    Raises:
        LicenceError: licences stand against it, and nobody stated why it may be done.
    """
    if not (about := clash_sentences(recipe, entries)) or recipe.licence_statement is not None:
        return
    raise LicenceError(
        "The weights of {recipe} are not written, because of licences: {clashes} "
        "Expected licences that go together: leave a source out; or state why you may publish them, "
        '--licence-reason "..."; or export the recipe alone, --out NAME.recipe.zip.',
        recipe=recipe.name or Phrase("this recipe"),
        clashes=" ".join(about),
    )


def with_statement(recipe: Recipe, entries: Iterable[InheritedLicence], statement: LicenceStatement | None) -> Recipe:
    """Return a recipe with what a person stated of its licences; as it is where nothing stands against it.

    Args:
        recipe: the merge.
        entries: what it inherits.
        statement: what was stated, without what it is about.
    """
    about = clash_sentences(recipe, entries)
    if not about or statement is None:
        return recipe
    return recipe.model_copy(update={"licence_statement": statement.model_copy(update={"about": tuple(about)})})


def clash_sentences(recipe: Recipe, entries: Iterable[InheritedLicence]) -> list[str]:
    """Say in English, as records are written, what stands against publishing the weights of a recipe."""
    return [clash.sentence("en") for clash in recipe_clashes(recipe, entries)]
