"""Who is compared: individuals and sources of a run, of other runs, and recipe files."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.checkpoints.sources import Source
from pipelines.errors import M2N2Error
from pipelines.recipes.recipe import Recipe, load_recipe
from studio.analysis.selection import best_source
from studio.breeding.initial_population import average_recipe
from studio.errors import RunError
from studio.i18n import Lang, t, worded
from studio.library.model_reference import open_recipe_sources
from studio.runs.individual import Individual
from studio.runs.store import RunStore
from studio.ui.common import html
from studio.ui.common.field_errors import at_field
from studio.ui.common.shortlist import MOST_COMPARED as MOST
from studio.ui.common.studio import Studio, individual_choices

AVERAGE = "average"  # how the plain average of a run's sources is written; no source is called so
RECIPE = ".json"


@dataclass(frozen=True)
class Contender:
    """A model that is compared.

    Attributes:
        named: how it was chosen: ID, RUN/ID, `average` or RUN/average, or the path of a recipe file.
        recipe: what it is made of.
        home: the folder that its sources' relative paths start from.
        run: the run that it is from, if it is from one.
        individual: what that run knows of it.
        others: whom its scores are compared with: parents, and the best source of its run.
        called: what the page calls it, where that is not how it was chosen.
        part: what it is among those that are shown, in words, where that is worth saying.
    """

    named: str
    recipe: Recipe
    home: Path = Path()
    run: str | None = None
    individual: Individual | None = None
    others: tuple[html.ComparedWith, ...] = ()
    called: str = ""
    part: str = ""

    @property
    def label(self) -> str:
        """What the page calls it."""
        if self.called:
            return self.called
        return Path(self.named).stem if self.individual is None else self.named

    @functools.cached_property
    def digest(self) -> str:
        """The hash of its recipe, which is long for late descendants."""
        return self.recipe.digest

    def sources(self) -> dict[str, Source]:
        """Its opened sources.

        Raises:
            SourceError: they are gone, or changed.
        """
        return open_recipe_sources(self.recipe, relative_to=self.home)


def contender(studio: Studio, lang: Lang, run: str, named: str) -> Contender:
    """Find a model by how somebody wrote it.

    Raises:
        M2N2Error: there is no such run, individual or recipe file.
    """
    if named.endswith(RECIPE):
        file = studio.open_folders.path(named)
        recipe = load_recipe(file)
        studio.open_folders.sources([source.uri for source in recipe.sources], file.parent)
        return Contender(named, recipe, home=file.parent)
    folder, _, id = named.rpartition("/")
    with studio.run(folder or run) as store:
        return _average(store, lang, named) if id == AVERAGE else _of_run(store, lang, named, store.individual(id))


@at_field("models")
def contenders(studio: Studio, lang: Lang, run: str, named: Sequence[str]) -> list[Contender]:
    """The models to compare, in the order chosen.

    Raises:
        M2N2Error: none or too many, or as `contender`.
    """
    if not 1 <= len(named) <= MOST:
        raise RunError(
            "Expected one to {most} models to compare, found {found}. Choose them from the list.",
            most=MOST,
            found=len(named),
        )
    return [contender(studio, lang, run, one) for one in dict.fromkeys(named)]


def yardsticks(studio: Studio, lang: Lang, run: str) -> list[Contender]:
    """The best of a run beside what it must beat: the best source, and the plain average of the sources.

    Raises:
        M2N2Error: the run has evaluated nobody yet; its sources are gone, or changed.
    """
    with studio.run(run) as store:
        best, source, average = (
            individual_choices(lang, store)[:1],
            best_source(store.sources()),
            _average(store, lang, AVERAGE),
        )
        found = [_of_run(store, lang, id, store.individual(id)) for id in dict.fromkeys(
            [*(id for _, id in best), *([source.id] if source else [])])]  # fmt: skip
    parts = [t(lang, "part_winner"), t(lang, "part_best_source")]
    if len(found) == 1:
        parts = parts[1:]  # no child is alive: the best source is the best there is
    return [*(replace(one, part=part) for one, part in zip(found, parts, strict=True)), average]


def first_choice(
    studio: Studio, lang: Lang, name: str, asked: Sequence[str] = ()
) -> tuple[list[tuple[str, str]], list[str]]:
    """Whom the page can compare, and who is chosen at first: those asked for or the best, and the best source.

    Raises:
        M2N2Error: one that is asked for is not there.
    """
    with studio.run(name) as store:
        found = individual_choices(lang, store)
        sources = {source.name for source in store.individual(found[0][1]).recipe.sources} if found else set()
    best = next((value for _, value in found if value in sources), None)
    known = {value for _, value in found}
    extra = [id for id in asked if id not in known]
    for id in extra:
        contender(studio, lang, name, id)  # refuses an unknown one; the dead can be looked at too
    chosen = list(asked) or [value for _, value in found[:1]]
    if best is not None and len(chosen) < 2:
        chosen.append(best)
    average = [(t(lang, "row_average"), AVERAGE)] if sources else []
    return [*((id, id) for id in extra if id != AVERAGE), *found, *average], list(dict.fromkeys(chosen))[:MOST]


def asked_models(
    studio: Studio, lang: Lang, name: str, named: Sequence[str], prompts: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Tell the models that an address names, as many as go side by side, and sentences on what is not shown of it."""
    there, sentences = [], []
    for one in named:
        try:
            contender(studio, lang, name, one)
            there.append(one)
        except M2N2Error as error:
            sentences.append(worded(lang, error))
    if left := there[MOST:]:
        sentences.append(t(lang, "models_left_out", most=MOST, models=", ".join(left)))
    with studio.run(name) as store:
        known = set(store.prompts.niches.ids)
    if unknown := [id for id in prompts if id not in known]:
        sentences.append(t(lang, "no_such_prompts", prompts=", ".join(unknown), run=name))
    return there[:MOST], sentences


def _average(store: RunStore, lang: Lang, named: str) -> Contender:
    """The sources of a run in equal parts, as its report has them.

    Raises:
        RunError: the run has evaluated no source yet.
        SourceError: the sources are gone, or changed.
    """
    known = store.sources()
    if not known:
        raise RunError("Run {run} has no source that is evaluated yet. Wait for the first.", run=store.name)
    recipe = average_recipe(store.config, open_recipe_sources(known[0].recipe))
    return Contender(named, recipe, called=t(lang, "row_average"))


def _of_run(store: RunStore, lang: Lang, named: str, one: Individual) -> Contender:
    others = [
        html.ComparedWith(t(lang, key, id=parent), store.individual(parent))
        for key, parent in (("mother", one.mother), ("father", one.father))
        if parent is not None
    ]
    best = best_source(store.sources())
    if best is not None and best.id not in {one.id, *(other.individual.id for other in others)}:
        others.append(html.ComparedWith(t(lang, "best_source", id=best.id), best))
    return Contender(named, one.recipe, run=store.name, individual=one, others=tuple(others))
