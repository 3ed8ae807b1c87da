"""The best of a run beside its best source and the plain average, large, on the pinned prompts; at its end, a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from eval.prompts.prompt_set import Prompt
from studio.analysis.selection import best_source
from studio.formatting import average_verdict, format_score, report_verdict
from studio.i18n import Lang, t
from studio.judging.pinned_prompts import pinned_prompts
from studio.markdown import stressed
from studio.runs.individual import Individual
from studio.runs.store import RunStore
from studio.ui.common import html
from studio.ui.common.frame import page_link

AVERAGE = "average"  # what the plain average of the sources is called among a run's images
PAIRS = 6  # prompts on the card at the end


def film_strip(lang: Lang, store: RunStore, everyone: Sequence[Individual]) -> Markup:
    """Draw where a run stands: the card of its child once there is a report, before that the best so far.

    Args:
        lang: of the page.
        store: the run.
        everyone: all of its individuals.
    """
    source = best_source(list(everyone))
    if source is None:
        return Markup("")
    by_id, compared = {one.id: one for one in everyone}, store.state.comparisons or {}
    child = by_id.get(store.state.child or "")
    if child is not None and compared:
        return _end_card(lang, store, child, by_id.get(compared.get("best_source", ""), source), compared)
    made = [one for one in everyone if one.alive and not one.is_source and one.mean("ja") is not None]
    best = max(made, key=lambda one: one.mean("ja") or 0.0, default=None)
    pinned = pinned_prompts(store)
    rows = [_row(lang, store, "film_source", source, source, pinned)]
    if best is None:
        rows.insert(0, Markup('<p class="quiet">{}</p>').format(t(lang, "film_none_yet")))
    else:
        rows.insert(0, _row(lang, store, "film_best", best, source, pinned))
    if store.images(AVERAGE):  # runs that an earlier version began have none
        rows.append(_frames(store, t(lang, "film_average"), AVERAGE, pinned))
    return Markup('<div class="film" style="--shown: {}">{}</div>').format(len(pinned), Markup("").join(rows))


def _row(
    lang: Lang, store: RunStore, called: str, one: Individual, source: Individual, pinned: Sequence[Prompt]
) -> Markup:
    """A row of the strip: who it is, and its Japanese picture of every pinned prompt."""
    change = html.score_change(one.mean("ja"), source.mean("ja"), t(lang, "against_best_source", name=source.id))
    title = Markup('{} <a href="{}">{}</a> <span class="number">{}</span> {}').format(
        t(lang, called),
        page_link(lang, "archive", run=store.name, id=one.id),
        one.id,
        format_score(one.mean("ja")),
        change if one.id != source.id else "",
    )
    return _frames(store, title, one.id, pinned)


def _frames(store: RunStore, title: str, model: str, pinned: Sequence[Prompt]) -> Markup:
    return Markup('<h3 class="heading">{}</h3><div class="frames">{}</div>').format(
        title, Markup("").join(html.model_picture(store, model, prompt) for prompt in pinned)
    )


def _end_card(
    lang: Lang, store: RunStore, child: Individual, source: Individual, compared: Mapping[str, Any]
) -> Markup:
    """The child of a run that is done: what the report says of it, pairs with its best source, where to go next."""
    sentences = [stressed(report_verdict(lang, compared)), escape(average_verdict(lang, compared))]
    pairs = Markup("").join(
        Markup('<article class="beside"><p class="said">{}</p><div class="strip two">{}</div></article>').format(
            html.both_captions(prompt),
            Markup("").join(html.model_picture(store, one.id, prompt, caption=one.id) for one in (child, source)),
        )
        for prompt in pinned_prompts(store)[:PAIRS]
    )
    places = {
        "film_open": page_link(lang, "archive", run=store.name, id=child.id),
        "film_compare": page_link(lang, "compare", run=store.name, id=f"{child.id},{source.id}"),
        "film_judge": page_link(lang, "judge", run=store.name),
        "film_export": page_link(lang, "export", run=store.name, id=child.id),
    }
    links = Markup("").join(
        Markup('<a class="action{}" href="{}">{}</a>').format(
            " primary" if key == "film_export" else "", place, t(lang, key)
        )
        for key, place in places.items()
    )
    return Markup(
        '<section class="film ended"><h3 class="heading">{}</h3><p>{}</p><div class="besides">{}</div>'
        '<p class="actions">{}</p></section>'
    ).format(t(lang, "film_done", id=child.id), Markup(" ").join(sentences), pairs, links)
