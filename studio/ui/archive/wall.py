"""The wall: a card for each model, with its pictures of the same prompts, so that neighbours can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from eval.preferences.bradley_terry import rank_comparisons
from eval.prompts.prompt_set import Prompt
from studio.analysis.look_alikes import Look, alive_alike, fold_look_alikes
from studio.analysis.selection import WALL_SIZE, WallFilter, best_source, prompt_rows, select_individuals
from studio.formatting import format_score
from studio.i18n import Lang, t
from studio.judging.annotations import REJECTED, Annotations, read_annotations
from studio.judging.pinned_prompts import pinned_prompts
from studio.judging.reviews import Review, opinions_of, read_reviews
from studio.judging.votes import read_votes
from studio.runs.individual import Individual
from studio.runs.store import RunStore
from studio.ui.common import html
from studio.ui.common.frame import page_link
from studio.ui.common.studio import Studio

SCRIPT = Path(__file__).with_suffix(".js").read_text("utf-8")


@dataclass(frozen=True)
class Wall:
    """A page of the wall: its cards, whose they are, how many pages there are, how many models were found.

    `ids` are those of the cards; models that look like one of them are found, and have no card.
    """

    cards: Markup
    ids: list[str]
    pages: int
    found: int


def wall(studio: Studio, lang: Lang, name: str, wanted: WallFilter, page: int = 1, *, size: int = WALL_SIZE) -> Wall:
    """Draw the models that somebody asks for.

    Args:
        studio: the runs.
        lang: of the cards.
        name: of the run.
        wanted: which models, and in which order.
        page: of the wall, from 1.
        size: cards on a page.

    Raises:
        RunError: there is no such run.
    """
    with studio.run(name) as store:
        prompts, marked, everyone = store.prompts.niches, read_annotations(store), store.individuals()
        voted = (
            rank_comparisons([vote.comparison for vote in read_votes(store.folder)]) if wanted.sort == "votes" else []
        )
        reviews = read_reviews(store)
        strengths = {rating.name: rating.strength for rating in voted}
        found = select_individuals(everyone, prompts, wanted, marked, strengths)
        looks = looks_of(found, everyone, marked, reviews) if wanted.fold else [Look(one) for one in found]
        pages = max(1, -(-len(looks) // size))
        shown = looks[(min(page, pages) - 1) * size :][:size]
        rows = prompt_rows(prompts, wanted)
        best = best_source(everyone)
        pinned = pinned_prompts(store)
        cards = []
        for look in shown:
            digest = look.shown.recipe.digest
            picked_by = [said.by for said in opinions_of(reviews, digest) if said.pick]
            cards.append(_card(lang, store, look, rows, best, pinned, marked.get(digest, Annotations()), picked_by))
    drawn = Markup('{}<div class="wall" data-compare="{}" data-words="{}">{}</div>').format(
        _folded_note(lang, len(found), len(looks), settled=wanted.show == "alive" and alive_alike(everyone) > 0),
        page_link(lang, "compare", run=name),
        t(lang, "compare_picked"),
        Markup("").join(cards),
    )
    return Wall(drawn if cards else Markup(""), [look.shown.id for look in shown], pages, len(found))


def looks_of(
    models: Sequence[Individual],
    everyone: Sequence[Individual],
    marked: Mapping[str, Annotations],
    reviews: Sequence[Review],
) -> list[Look]:
    """Group models by look, in their order.

    Sources, and whoever somebody starred, tagged or picked, stand for themselves; who was rejected stands for nobody
    who was not.
    """

    def said_of(one: Individual) -> Annotations:
        return marked.get(one.recipe.digest, Annotations())

    sources = [one for one in everyone if one.is_source]
    apart = {one.id for one in sources}
    for one in models:
        picked = any(said.pick for said in opinions_of(reviews, one.recipe.digest))
        if picked or said_of(one).stars or set(said_of(one).tags) - {REJECTED}:
            apart.add(one.id)
    places = {one.id: place for place, one in enumerate(models)}
    rejected_last = sorted(models, key=lambda one: REJECTED in said_of(one).tags)
    looks = fold_look_alikes(rejected_last, sources, apart)
    return sorted(looks, key=lambda look: places[look.shown.id])


def _folded_note(lang: Lang, found: int, looks: int, *, settled: bool) -> Markup:
    """Say how many models have no card of their own, and where others are if all alive look alike; empty if none."""
    if looks == found:
        return Markup("")
    words = t(lang, "looks_folded", n=found, looks=looks) + (t(lang, "looks_settled") if settled else "")
    return Markup('<p class="quiet">{}</p>').format(words)


def why_nobody(wanted: WallFilter) -> str:
    """The phrase for an empty wall: nothing is there yet, nothing was voted on, or nothing fits."""
    if replace(wanted, sort="votes", fold=True) == WallFilter(sort="votes"):
        return "no_votes_yet" if wanted.sort == "votes" else "nobody_yet"
    return "nobody_fits"


def _card(
    lang: Lang,
    store: RunStore,
    look: Look,
    rows: Sequence[int],
    best: Individual | None,
    pinned: Sequence[Prompt],
    marked: Annotations,
    picked_by: Sequence[str],
) -> Markup:
    one = look.shown
    means: Mapping[str, float] = {
        kind: float(one.scores[kind][rows].mean()) for kind in ("ja", "en") if kind in one.scores
    }
    beside = float(best.scores["ja"][rows].mean()) if best and best.id != one.id else None
    numbers = Markup(" ").join(
        Markup('<span class="of-{}">{} {}</span>').format(kind, t(lang, f"{kind}_short"), format_score(mean))
        for kind, mean in means.items()
    )
    against = t(lang, "against_best_source", name=best.id) if best else ""
    stars = (
        Markup('<span class="stars" title="{}">★{}</span>').format(
            t(lang, "stars"), f"{marked.stars:.1f}".removesuffix(".0")
        )
        if marked.stars
        else ""
    )
    picks = (
        Markup('<span class="stars" title="{}">✓{}</span>').format(
            t(lang, "review_picked_by", names=", ".join(picked_by)), len(picked_by)
        )
        if picked_by
        else ""
    )
    return Markup(
        '<article class="wall-card{rejected}" data-id="{id}" tabindex="0"><h3><button type="button" class="opens">{id}'
        '</button>{source} {numbers} {change} {stars} {picks}</h3><div class="strip pinned">{pictures}</div>'
        "{folded}</article>"
    ).format(
        id=one.id,
        rejected=" rejected" if REJECTED in marked.tags else "",
        source=Markup(' <span class="quiet">{}</span>').format(t(lang, "source")) if one.is_source else "",
        numbers=numbers,
        change=html.score_change(means.get("ja"), beside, against),
        stars=stars,
        picks=picks,
        pictures=Markup("").join(html.model_picture(store, one.id, prompt) for prompt in pinned),
        folded=_folded(lang, look.folded, rows),
    )


def _folded(lang: Lang, models: Sequence[Individual], rows: Sequence[int]) -> Markup:
    """The models that look like the one on the card, behind a line that says how many; empty where there are none."""
    if not models:
        return Markup("")
    buttons = Markup(" ").join(
        Markup('<button type="button" data-id="{0}">{0} <span class="quiet">{1}</span></button>').format(
            one.id, format_score(float(one.scores["ja"][rows].mean()))
        )
        for one in models
    )
    return Markup('<details class="folded"><summary>{}</summary><p>{}</p></details>').format(
        t(lang, "looks_like_it", n=len(models)), buttons
    )
