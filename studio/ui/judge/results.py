"""What the Judge page tells after the votes: rankings with names, how far CLIP agrees, what a taste foresees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from eval.preferences.bradley_terry import Rating, VoteShare, scorer_agreement
from eval.preferences.rater_agreement import RaterAgreement
from eval.prompts.prompt_set import Language, Prompt
from studio.i18n import Lang, t
from studio.judging.preference_niches import PreferenceModel, learn_preferences
from studio.judging.ranking import VoteSummary, agreement_of_raters, summarise_votes
from studio.judging.reviews import read_reviews
from studio.judging.steering_words import can_be_steered, steering_notes
from studio.judging.votes import (
    ENOUGH_VOTES,
    EVERYBODY,
    OTHERS,
    ReaderLanguage,
    by_rater,
    by_reader,
    missing_votes,
    read_votes,
)
from studio.runs.store import RunStore
from studio.runs.summary import status
from studio.ui.common import html
from studio.ui.common.frame import page_link
from studio.ui.common.reviews import reviews_html
from studio.ui.common.shared import SharedAnswers
from studio.ui.common.studio import Studio

SHOWN = 12  # places of a ranking
_REMEMBERED = 60.0  # seconds that all raters share what was learned from their votes


def page(studio: Studio, lang: Lang, run: str, rater: str, reads: ReaderLanguage, *, done: bool) -> Markup:
    """A rater's ranking beside the group's, and how often each agrees with the scorer; says so when all is `done`.

    Raises:
        RunError: there is no such run, or its votes cannot be read.
    """
    spoken: Language = "en" if reads == "en" else "ja"
    with studio.run(run) as store:
        first = store.prompts.niches.prompts[0]
        own = summarise_votes(by_rater(read_votes(store.folder)).get(rater, []))
        group = _COUNTED.get(store.folder, lambda: _count(store.folder))
        tables = Markup("").join(
            Markup("<section><h3>{}</h3>{}</section>").format(title, _ranking(lang, store, one.ranking, first, spoken))
            for title, one in (
                (t(lang, "your_ranking", name=rater, n=own.votes), own),
                (t(lang, "group_ranking", n=group.everybody.votes, raters=len(group.raters)), group.everybody),
            )
        )
        folded = Markup("").join(
            Markup("<details><summary>{}</summary>{}</details>").format(
                t(lang, f"readers_{best}"), _ranking(lang, store, one.ranking, first, spoken)
            )
            for best, one in group.readers.items()
        )
        reviews = reviews_html(lang, read_reviews(store))
    agreed = [(t(lang, "you_and_clip"), own), (t(lang, "everybody_and_clip"), group.everybody)]
    agreed += [(t(lang, f"readers_{best}"), one) for best, one in group.readers.items()]
    return Markup(
        '<div class="verdict">{}<h2>{}</h2><ul>{}</ul>{}<div class="rankings">{}</div><p class="quiet">{}</p>{}{}</div>'
    ).format(
        Markup("<p>{}</p>").format(t(lang, "all_judged")) if done else "",
        t(lang, "names_revealed"),
        Markup("").join(Markup("<li>{}</li>").format(_agreement(lang, who, one)) for who, one in agreed)
        + Markup("<li>{}</li>").format(_between_raters(lang, group)),
        _each_rater(lang, group),
        tables,
        t(lang, "ranking_note"),
        folded,
        Markup("<section><h3>{}</h3>{}</section>").format(t(lang, "reviews"), reviews) if reviews else "",
    )


def taste(studio: Studio, lang: Lang, run: str) -> Markup:
    """Whether the votes can steer a run, and how well what is learned from them foresees votes it has not seen.

    Raises:
        M2N2Error: the scorer cannot be opened, or the pictures that were voted on are gone.
    """
    with studio.run(run) as store:
        votes, folder = read_votes(store.folder), store.folder
    if lacking := missing_votes(votes):
        return Markup('<p class="quiet">{}</p>').format(t(lang, "cannot_steer_yet", n=lacking, enough=ENOUGH_VOTES))
    foreseen = Markup("").join(
        Markup("<li>{}</li>").format(t(lang, "taste_foresees", who=rater, **_numbers(share)))
        for one in _LEARNED.get(folder, lambda: _learn(studio, run))
        if (share := one.foreseen)
        for rater in [t(lang, f"taste_{one.rater}") if one.rater in (EVERYBODY, OTHERS) else one.rater]
    )
    return Markup('<div class="verdict"><h3>{}</h3><p>{}</p><ul>{}</ul></div>').format(
        t(lang, "can_steer"), t(lang, "how_to_steer", path=str(folder)), foreseen
    )


def can_steer(studio: Studio, run: str) -> bool:
    """Whether a run goes on, so that what was said of its models may steer it."""
    with studio.run(run) as store:
        return can_be_steered(status(store))


def steered(studio: Studio, lang: Lang, run: str) -> Markup:
    """Say what a run is steered by, with the way to it."""
    with studio.run(run) as store:
        notes = steering_notes(lang, status(store))
    link = Markup('<a href="{}">{}</a>').format(page_link(lang, "evolve", run=run), t(lang, "more_watch"))
    return Markup('<p role="status">{} {}</p>').format(" ".join(notes), link)


@dataclass(frozen=True)
class _GroupVotes:
    """The votes of a run's raters together: what they say, also by the language they read best, and how far they agree.

    `raters` has how many votes each gave, and how often the scorer agrees.
    """

    raters: dict[str, tuple[int, VoteShare | None]]
    agreement: RaterAgreement | None
    everybody: VoteSummary
    readers: dict[ReaderLanguage, VoteSummary]


#: Raters end their sittings together. A ranking of a thousand votes takes a second and a hundred megabytes.
_COUNTED: SharedAnswers[_GroupVotes] = SharedAnswers()
_LEARNED: SharedAnswers[list[PreferenceModel]] = SharedAnswers(_REMEMBERED)


def _count(folder: Path) -> _GroupVotes:
    """Summarise the votes of a run's folder; by language only where raters read best more than one."""
    votes = read_votes(folder)
    readers = by_reader(votes)
    apart = {best: summarise_votes(some) for best, some in readers.items()} if len(readers) > 1 else {}
    raters = {
        rater: (len(given), scorer_agreement([vote.won for vote in given], [vote.margin for vote in given]))
        for rater, given in by_rater(votes).items()
    }
    return _GroupVotes(raters, agreement_of_raters(votes), summarise_votes(votes), apart)


def _learn(studio: Studio, run: str) -> list[PreferenceModel]:
    """Learn what a run would be steered by."""
    with studio.run(run) as store:
        return learn_preferences(store.folder, read_votes(store.folder), studio.scorer(store.config.scorer))


def _ranking(lang: Lang, store: RunStore, ratings: Sequence[Rating], prompt: Prompt, spoken: Language) -> Markup:
    """The first places as a table, each with its picture of one prompt."""
    rows = Markup("").join(
        Markup(
            '<tr><td class="number">{}</td><td>{}</td><th scope="row"><a href="{}">{}</a></th>'
            '<td class="number"><b>{:.0f} %</b></td><td class="number">{}</td><td class="number">{}</td></tr>'
        ).format(
            place,
            html.figure(
                html.run_picture(store, one.name, prompt.id, spoken), f"{one.name}: {html.both_captions(prompt)}"
            ),
            page_link(lang, "archive", run=store.name, id=one.name),
            one.name,
            100 * one.chance,
            _span(one.low, one.high),
            one.votes,
        )
        for place, one in enumerate(ratings[:SHOWN], start=1)
    )
    heads = Markup("").join(
        Markup('<th scope="col">{}</th>').format(word)
        for word in ("", "", t(lang, "individual"), t(lang, "wins_against_average"), "95 %", t(lang, "votes"))
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(heads, rows)


def _agreement(lang: Lang, who: str, one: VoteSummary) -> str:
    ties = t(lang, "ties", good=one.both_good, bad=one.both_bad)
    if one.agreement is None:
        return f"{who}: {t(lang, 'nothing_decided')} {ties}"
    return f"{who}: {t(lang, 'agreement', **_numbers(one.agreement))} {ties}"


def _between_raters(lang: Lang, group: _GroupVotes) -> str:
    """How far raters agree with each other."""
    if len(group.raters) < 2 or (found := group.agreement) is None:
        return t(lang, "raters_apart")
    interval = f"{found.low:.2f}–{found.high:.2f}"
    return t(lang, "raters_agree", alpha=f"{found.alpha:.2f}", interval=interval, n=found.questions)


def _each_rater(lang: Lang, group: _GroupVotes) -> Markup:
    """How often the scorer agrees with each rater, folded; nothing where there is one alone."""
    if len(group.raters) < 2:
        return Markup("")
    lines = Markup("").join(
        Markup("<li>{}</li>").format(
            f"{t(lang, 'rater_votes', name=rater, n=count)}: "
            + (t(lang, "agreement", **_numbers(share)) if share else t(lang, "nothing_decided"))
        )
        for rater, (count, share) in group.raters.items()
    )
    return Markup("<details><summary>{}</summary><ul>{}</ul></details>").format(t(lang, "each_rater_and_clip"), lines)


def _numbers(share: VoteShare) -> dict[str, str]:
    return {"share": f"{100 * share.share:.0f} %", "interval": _span(share.low, share.high), "n": str(share.of)}


def _span(low: float, high: float) -> str:
    return f"{100 * low:.0f}–{100 * high:.0f} %"
