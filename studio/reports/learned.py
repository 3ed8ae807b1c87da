"""What the scores of a run say of recipes: a map of them, and which source helps which prompts."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from markupsafe import Markup

from pipelines.errors import SourceError
from studio.analysis.source_shares import source_shares
from studio.breeding.expected_scores import ScoreExpectation, is_quick
from studio.breeding.score_map import score_map
from studio.breeding.source_effects import source_effects
from studio.errors import ConfigError
from studio.evolution.calibration import INTERVAL, Calibration
from studio.evolution.foresight import FEWEST
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.run_folders.file_states import DATABASE_FILES, FileStates, file_states
from studio.runs.individual import Individual
from studio.runs.inputs import open_run_sources
from studio.runs.store import RunStore, open_run

from .effects_table import effects_table
from .recipe_map import kinds_on_map, recipe_map

Link = Callable[[str], str]


def run_expectation(store: RunStore) -> ScoreExpectation | Literal["gone", "unread"]:
    """Learn from the scores of a run, once for each state of its files; or say why nothing can be.

    Returns:
        "gone" where its sources are not where they were, "unread" where they would have to be read for it.
    """
    try:
        if not is_quick(store.config, open_run_sources(store.config)):
            return "unread"
        return _expectation(store.folder, file_states(store.folder, DATABASE_FILES))
    except (ConfigError, SourceError):
        return "gone"


@functools.lru_cache(maxsize=4)
def _expectation(folder: Path, states: FileStates) -> ScoreExpectation:
    """Learn from a run whose files are in these `states`."""
    store = open_run(folder)
    try:
        return ScoreExpectation(store.config, open_run_sources(store.config), store.individuals())
    finally:
        store.close()


def learned_section(lang: Lang, store: RunStore, link: Link | None = None) -> Markup:
    """Draw what the scores of a run say, or tell what is missing for that.

    Args:
        lang: of the page.
        store: the run.
        link: gives the address that a model leads to, by its id; without it none leads anywhere.
    """
    learned = run_expectation(store)
    if isinstance(learned, str):
        return _nothing(t(lang, f"learned_{learned}"))
    if learned.model is None:
        return _nothing(t(lang, "learned_few", fewest=FEWEST, n=len(learned.individuals)))
    found = score_map(learned.model, learned.places)
    if found is None:
        return _nothing(t(lang, "learned_alike", n=len(learned.individuals)))
    plane = Markup('<h3 class="heading">{}</h3>{}<p class="quiet">{}</p><p class="quiet">{}</p>{}').format(
        t(lang, "map_title"),
        recipe_map(lang, found, learned.individuals, link),
        t(lang, "map_note"),
        _trust(lang, found.share, learned.calibration),
        _map_table(lang, learned, link),
    )
    effects = _best_child_effects(lang, store, learned)
    return Markup('<div class="learned"><div class="plane">{}</div><div>{}</div></div>').format(plane, effects)


def _nothing(words: str) -> Markup:
    return Markup('<p class="quiet">{}</p>').format(words)


def _trust(lang: Lang, share: float, found: Calibration | None) -> str:
    """Say how much the map holds, and how well scores are foretold from those of all others."""
    assert found is not None
    return t(
        lang,
        "map_trust",
        held=f"{share:.0%}",
        n=found.individuals,
        r2="–" if found.r2 is None else f"{found.r2:.2f}",
        share=f"{found.coverage:.0%}",
        meant=f"{INTERVAL:.0%}",
    )


def _map_table(lang: Lang, learned: ScoreExpectation, link: Link | None) -> Markup:
    """Tell what the map shows in rows, the best first."""
    assert learned.model is not None
    others = learned.model.left_out().mean.mean(axis=1)
    rows = sorted(
        zip(learned.individuals, kinds_on_map(learned.individuals), others.tolist(), strict=True),
        key=lambda row: -(row[0].mean("ja") or 0.0),
    )
    cells = Markup("").join(
        Markup(
            '<tr><th scope="row">{}</th><td>{}</td><td class="number">{}</td><td class="number">{}</td><td>{}</td></tr>'
        ).format(
            _named(one.id, link),
            t(lang, f"map_{kind}"),
            format_score(one.mean("ja")),
            format_score(expected),
            _made_of(one),
        )
        for one, kind, expected in rows
    )
    heads = (t(lang, key) for key in ("individual", "map_what", "kind_ja", "map_from_others", "sources"))
    return Markup(
        '<details class="print"><summary>{}</summary><div class="map-scroll scroll" tabindex="0" role="region" '
        'aria-label="{}"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></details>'
    ).format(
        t(lang, "map_table"),
        t(lang, "map_table"),
        Markup("").join(Markup('<th scope="col">{}</th>').format(head) for head in heads),
        cells,
    )


def _named(id: str, link: Link | None) -> Markup:
    return Markup('<a href="{}">{}</a>').format(link(id), id) if link else Markup("{}").format(id)


def _made_of(one: Individual) -> str:
    """List the sources of an individual with their shares, the heaviest first; what is below a percent is left out."""
    shares = sorted(source_shares(one.recipe).items(), key=lambda each: -each[1])
    return ", ".join(f"{name} {share:.0%}" for name, share in shares if share >= 0.01)


def _best_child_effects(lang: Lang, store: RunStore, learned: ScoreExpectation) -> Markup:
    """Draw which source, in which half, is expected to help or harm the best child."""
    kinds = kinds_on_map(learned.individuals)
    title = Markup('<h3 class="heading">{}</h3>').format(t(lang, "effects_title"))
    if "best" not in kinds:
        return title + _nothing(t(lang, "effects_no_child"))
    best, prompts = kinds.index("best"), store.prompts.niches.prompts
    assert learned.model is not None
    effects = source_effects(
        learned.model,
        learned.places[best],
        learned.sources,
        learned.first_half,
        [prompt.category for prompt in prompts],
    )
    child = Markup("<b>{}</b>").format(learned.individuals[best].id)
    told = [one for one in effects if one.groups or one.strongest]
    if not told:
        return title + Markup('<p class="quiet">{}</p>').format(Markup(t(lang, "effects_none")).format(id=child))
    note = Markup(t(lang, "effects_note")).format(id=child)
    return title + effects_table(lang, told, prompts) + Markup('<p class="quiet">{}</p>').format(note)
