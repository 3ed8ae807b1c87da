"""One individual as the archive shows it: pictures in both languages, depths, family, what people said, recipe."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from markupsafe import Markup

from studio.analysis.colours import ColourDrift, offspring_drift
from studio.analysis.lineage import ancestry
from studio.analysis.selection import best_source
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.judging.annotations import Annotations, read_annotations
from studio.judging.reviews import opinions_of, read_reviews
from studio.reports import drawings
from studio.runs.individual import Individual
from studio.runs.store import RunStore
from studio.runs.summary import kinds
from studio.ui.common import html, thumbnails
from studio.ui.common.frame import page_link
from studio.ui.common.reviews import opinions_html
from studio.ui.common.studio import Studio

ANCESTORS = 24


class Detail(NamedTuple):
    """One individual as the page shows it."""

    title: Markup
    depth: Markup
    pairs: Markup
    recipe: str
    command: str
    ancestors: list[str]
    family: list[tuple[str, str]]
    said: Markup


def detail(studio: Studio, lang: Lang, name: str, id: str) -> Detail:
    """Read an individual for the page.

    Raises:
        RunError: there is no such run or individual.
    """
    with studio.run(name) as store:
        one = store.individual(id)
        everyone = store.individuals()
        known = {other.id: other for other in everyone}
        others = [
            html.ComparedWith(t(lang, key, id=parent), known[parent])
            for key, parent in (("mother", one.mother), ("father", one.father))
            if parent is not None
        ]
        best = best_source(everyone)
        if best is not None and best.id not in {one.id, *(other.individual.id for other in others)}:
            others.append(html.ComparedWith(t(lang, "best_source", id=best.id), best))
        ancestors = ancestry(everyone, [id])[1 : ANCESTORS + 1]
        prompts = store.prompts.niches
        rows = range(len(prompts))
        return Detail(
            title=_title(lang, name, one, best, offspring_drift(store, one)),
            depth=drawings.depth_strip(lang, one),
            pairs=html.prompt_pictures(lang, store, one, others),
            recipe=one.recipe.to_json(),
            command=shlex.join(
                ["m2n2", "export", str(studio.runs / name), id, "--out", str(studio.exports / f"{name}-{id}")]
            ),
            ancestors=[other.id for other in ancestors],
            family=list(
                zip(
                    thumbnails.tiles([thumbnails.tile_pictures(store, other, prompts, rows) for other in ancestors]),
                    [other.id for other in ancestors],
                    strict=True,
                )
            ),
            said=said_of(lang, store, one),
        )


def _title(lang: Lang, name: str, one: Individual, best: Individual | None, drift: ColourDrift | None) -> Markup:
    numbers = Markup(" · ").join(
        Markup("{} <b>{}</b> {}").format(
            t(lang, f"kind_{kind}"),
            format_score(one.mean(kind)),
            html.score_change(one.mean(kind), best.mean(kind), t(lang, "against_best_source", name=best.id))
            if best is not None and best.id != one.id
            else "",
        )
        for kind in kinds(one)
    )
    origin = t(lang, "is_source") if one.is_source else t(lang, "child_of", mother=one.mother, father=one.father)
    links = Markup(" ").join(
        Markup('<a class="action" href="{}">{}</a>').format(
            page_link(lang, page, run=name, id=one.id), t(lang, f"to_{page}")
        )
        for page in ("compare", "export")
    )
    colours = Markup('<p class="quiet colours">{}</p>').format(" ".join(drift.sentences(lang))) if drift else ""
    return Markup(
        '<div class="title" data-run="{}" data-id="{}"><h2>{}</h2><p>{}</p><p class="quiet">{}</p>{}<p>{}</p></div>'
    ).format(name, one.id, one.id, numbers, origin, colours, links)


def said_of(lang: Lang, store: RunStore, one: Individual) -> Markup:
    """What people said of an individual, and clients on the page that was sent to them."""
    marked = read_annotations(store).get(one.recipe.digest, Annotations())
    opinions = opinions_html(lang, opinions_of(read_reviews(store), one.recipe.digest))
    stars = t(lang, "stars_mean", stars=f"{marked.stars:.1f}") if marked.stars else t(lang, "no_stars")
    tags = Markup(" ").join(Markup('<span class="tag">{}</span>').format(tag) for tag in marked.tags)
    notes = Markup("").join(
        Markup("<p>{}<b>{}</b></p>").format(f"{note} ", rater and f"— {rater}") for rater, note in marked.notes
    )
    return Markup('<div class="said"><p>{} {}</p>{}{}</div>').format(stars, tags, notes, opinions)
