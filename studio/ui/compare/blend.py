"""Stops between two models of a run: who is drawn there, and the recipe of where the sliders stand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from pipelines.recipes.beside import with_places_beside
from pipelines.recipes.crossover import mix_recipes
from pipelines.recipes.recipe import Recipe
from studio.errors import RunError
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.reports.learned import run_expectation
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio, download_folder

from .choice import Choice
from .models import Contender, contender

STOPS = (0, 25, 50, 75, 100)  # percent of the second model


@dataclass(frozen=True)
class Mix:
    """How much of the second model there is, in percent."""

    attention: int
    rest: int

    @property
    def is_even(self) -> bool:
        """Whether attention and the rest hold as much of it."""
        return self.attention == self.rest


def stops(choice: Choice) -> list[Mix]:
    """Return the stops in their order, and where the sliders stand if that is not among them."""
    found = [
        Mix(stop if choice.moved != "rest" else choice.attention, stop if choice.moved != "attention" else choice.rest)
        for stop in STOPS
    ]
    return sorted({*found, chosen_mix(choice)}, key=lambda mix: (mix.attention, mix.rest))


def chosen_mix(choice: Choice) -> Mix:
    """Return where the sliders stand; where both move together the first one rules."""
    return Mix(choice.attention, choice.attention if choice.moved == "both" else choice.rest)


@at_field("blend-first")
def stop_models(studio: Studio, lang: Lang, run: str, choice: Choice) -> list[Contender]:
    """The models at the stops of a blend: the two themselves at its ends, with the pictures that the run kept of them.

    Raises:
        M2N2Error: two models are not chosen, are the same, or cannot be mixed.
    """
    first, second = (contender(studio, lang, run, named) for named in _two(choice))
    return [_at(lang, first, second, mix) for mix in stops(choice)]


@at_field("blend-first")
def save_mix(studio: Studio, lang: Lang, run: str, choice: Choice) -> Path:
    """Write the recipe of where the sliders stand into the folder of downloads.

    Raises:
        M2N2Error: as `stop_models`.
    """
    first, second = (contender(studio, lang, run, named) for named in _two(choice))
    mix = chosen_mix(choice)
    name = f"{run}-{first.label}-{second.label}-{mix.attention}" + ("" if mix.is_even else f"-{mix.rest}")
    file = download_folder() / f"{''.join(sign if sign.isalnum() or sign in '-_' else '-' for sign in name)}.json"
    with_places_beside(mixed(first.recipe, second.recipe, mix, name=file.stem), file).save(file)
    return file


def mixed(first: Recipe, second: Recipe, mix: Mix, *, name: str = "") -> Recipe:
    """Mix two recipes, their attention apart from everything else.

    Raises:
        RecipeError: they are not over the same sources, or merge other parts.
    """
    ratios = {
        chromosome: (mix.attention if chromosome.endswith("attention") else mix.rest) / 100
        for chromosome in first.chromosomes
    }
    return mix_recipes(first, second, ratios, name=name)


def expected_words(studio: Studio, lang: Lang, run: str, choice: Choice) -> Markup:
    """Say what the models at the stops are expected to score, before anything is drawn; empty where nothing is known.

    The models themselves, at the ends, have the scores that were found. Nothing is known where too few of the run's
    models were scored, where two come from other sources, or where the run's sources are gone or would have to be read.

    Raises:
        M2N2Error: as `stop_models`.
    """
    with studio.run(run) as store:
        learned = run_expectation(store)
    if isinstance(learned, str):  # pictures that are there can be looked at all the same
        return Markup()
    told = []
    for one, mix in zip(stop_models(studio, lang, run, choice), stops(choice), strict=True):
        known = one.individual.mean("ja") if one.individual else None
        expected = learned.of(one.recipe) if known is None else None
        if known is None and expected is None:
            return Markup()
        at = f"{mix.rest} %" if mix.is_even else f"{mix.attention} / {mix.rest} %"
        score = format_score(known) if expected is None else f"{expected.mean:.3f} ± {2 * expected.deviation:.3f}"
        told.append(
            Markup('<li{}><span>{}</span> <b class="number">{}</b></li>').format(
                Markup(' class="found"') if expected is None else "", at, score
            )
        )
    return Markup('<div class="expected"><p>{}</p><ol>{}</ol></div>').format(
        t(lang, "blend_expected", n=len(learned.individuals)), Markup("").join(told)
    )


def _at(lang: Lang, first: Contender, second: Contender, mix: Mix) -> Contender:
    ends = {Mix(0, 0): first, Mix(100, 100): second}
    if mix in ends:
        return ends[mix]
    called = (
        t(lang, "blend_even", first=first.label, second=second.label, of_first=100 - mix.rest, of_second=mix.rest)
        if mix.is_even
        else t(lang, "blend_apart", second=second.label, attention=mix.attention, rest=mix.rest)
    )
    named = f"{first.named}+{second.named}:{mix.attention}:{mix.rest}"
    return Contender(named, mixed(first.recipe, second.recipe, mix), home=first.home, called=called)


def _two(choice: Choice) -> tuple[str, str]:
    if not choice.first or not choice.second or choice.first == choice.second:
        raise RunError("Expected two different models to blend. Choose one in each list.")
    return choice.first, choice.second
