"""The Judge page: two pictures of one caption, no names; after thirty votes the names and how people and CLIP agree."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import RunError
from studio.i18n import Lang, phrase, t
from studio.judging.pairing import PicturePair, next_pair, pair_of
from studio.judging.shortlist import shortlist
from studio.judging.votes import (
    ANSWERS,
    READER_LANGUAGES,
    Answer,
    ReaderLanguage,
    Vote,
    read_votes,
    withdraw_vote,
    write_vote,
)
from studio.runs.store import RunStore
from studio.ui.common import html
from studio.ui.common.address import asked_run
from studio.ui.common.field_errors import at_field
from studio.ui.common.frame import keep_in_address, listen, page_header
from studio.ui.common.shortlist import asks_for_shortlist
from studio.ui.common.steering import steer
from studio.ui.common.studio import Studio
from studio.ui.common.who_asks import rater_of

from . import results as verdict
from .blind_pair import SCRIPT, question

SITTING = 30  # votes, after which the names are shown
LONGEST = 60  # letters of a rater's name
# Kept in the visitor's browser. Both are set, for Gradio's own are random at every start and would forget.
_ANSWERING = threading.Lock()  # between the look at earlier votes and the new one no other may come
REMEMBERED, KEY = "m2n2-rater", "m2n2-studio"


@dataclass(frozen=True)
class Rater:
    """Who judges which run; `shortlist`: its shortlist alone."""

    run: str
    name: str
    reads: ReaderLanguage
    shortlist: bool = False

    def votes(self, store: RunStore) -> list[Vote]:
        """What he or she said so far."""
        return [vote for vote in read_votes(store.folder) if vote.rater == self.name]


@dataclass(frozen=True)
class Open:
    """A question that was put and not answered yet; it never leaves the server.

    `before` is the vote that was given on this page before it, which may be taken back.
    """

    pair: PicturePair
    tokens: tuple[str, str]
    number: int
    of: int
    before: Vote | None = None


def put(studio: Studio, rater: Rater, before: Vote | None = None) -> Open | None:
    """The next question to a rater; `None` where there is nothing left to ask.

    Raises:
        RunError: there is no such run.
    """
    with studio.run(rater.run) as store:
        votes = read_votes(store.folder)
        among = {one.id for one in shortlist(store)} if rater.shortlist else None
        pair = next_pair(store, votes, rater.name, rater.reads, among=among)
    given = sum(vote.rater == rater.name for vote in votes)
    return _opened(studio, pair, given, before) if pair else None


def _opened(studio: Studio, pair: PicturePair, given: int, before: Vote | None) -> Open:
    """Put a question to a rater who gave so many answers."""
    tokens = studio.blind.keep(pair.left_png), studio.blind.keep(pair.right_png)
    return Open(pair, tokens, given + 1, (given // SITTING + 1) * SITTING, before)


def answer(studio: Studio, rater: Rater, now: Open, said: Answer) -> bool:
    """Write the answer down; returns whether that ends a sitting. One that was answered already is left as it is."""
    vote = now.pair.vote(rater.name, rater.reads, said)
    with studio.run(rater.run) as store, _ANSWERING:
        if all(before.about != vote.about for before in rater.votes(store)):
            write_vote(store.folder, vote)
    studio.blind.forget(now.tokens)
    return now.number == now.of


def take_back(studio: Studio, rater: Rater, now: Open) -> Open | None:
    """Take back the vote before an open question, and put its question again.

    Returns:
        That question, or another one where its pictures are gone; `None` where there is nothing to take back, as when
        an answer was quicker.
    """
    with studio.run(rater.run) as store, _ANSWERING:
        votes = rater.votes(store)
        if now.before is None or not votes or votes[-1].about != now.before.about:
            return None
        withdraw_vote(store.folder, votes[-1])
        pair = pair_of(store, votes[-1])
    studio.blind.forget(now.tokens)
    return _opened(studio, pair, len(votes) - 1, None) if pair else put(studio, rater)


@at_field("only")
def checked_shortlist(studio: Studio, rater: Rater) -> Rater:
    """The rater, if there is something to judge.

    Raises:
        RunError: the shortlist alone is to be judged, and holds no two models.
    """
    if rater.shortlist:
        with studio.run(rater.run) as store:
            found = len(shortlist(store))
        if found < 2:
            raise RunError(phrase("shortlist_too_short", found=found))
    return rater


@at_field("your-name")
def named(name: str, login: str | None) -> str:
    """The rater: who is logged in, else the name that was typed.

    Raises:
        RunError: neither; or the name is too long.
    """
    rater = login or " ".join(name.split())
    if not rater or len(rater) > LONGEST:
        raise RunError(phrase("name_needed", most=LONGEST))
    return rater


def page(demo: gr.Blocks, studio: Studio, lang: Lang) -> None:
    """Lay the page out and wire it."""
    lost = page_header(lang, "judge")
    remembered = gr.BrowserState({"name": "", "reads": lang}, storage_key=REMEMBERED, secret=KEY)
    who, pending = gr.State(None), gr.State(None)
    with gr.Column(elem_id="start") as form:
        gr.Markdown(t(lang, "judge_intro", n=SITTING), elem_classes="inset")
        with gr.Row(elem_classes="bar"):
            chosen = gr.Dropdown([], label=t(lang, "run"), scale=2)
            name = gr.Textbox(
                label=t(lang, "your_name"), info=t(lang, "your_name_info"), scale=2, max_lines=1, elem_id="your-name"
            )
            reads = gr.Radio(
                [(t(lang, f"reads_{each}"), each) for each in READER_LANGUAGES],
                value=lang,
                label=t(lang, "reads_best"),
                scale=3,
            )
            only = gr.Checkbox(label=t(lang, "only_shortlist"), scale=1, min_width=160, elem_id="only")
            go = gr.Button(t(lang, "start_judging"), variant="primary", scale=1, min_width=120, elem_id="go")
    blind = gr.HTML(js_on_load=SCRIPT, elem_id="question", visible=False)
    with gr.Row():
        undo = gr.Button(t(lang, "undo_vote"), size="sm", scale=0, min_width=200, visible=False, elem_id="undo")
        show = gr.Button(t(lang, "show_results"), size="sm", scale=0, min_width=200, visible=False, elem_id="show")
        more = gr.Button(t(lang, "judge_more"), scale=0, min_width=200, visible=False, elem_id="more")
        steering = gr.Button(t(lang, "steer"), scale=0, min_width=240, visible=False, elem_id="steer")
    results = gr.HTML(elem_id="results", visible=False)
    taste = gr.HTML(elem_id="taste", visible=False)
    steered = gr.HTML(elem_id="steered", visible=False)
    outputs = [pending, form, blind, undo, show, more, steering, results, taste, steered]

    def asking(now: Open) -> list[Any]:
        """The page while a question is open: no names anywhere."""
        return [
            now,
            gr.Column(visible=False),
            gr.HTML(question(lang, now.pair, now.tokens, now.number, now.of), visible=True),
            gr.Button(visible=now.before is not None),
            gr.Button(visible=now.number > 1),
            gr.Button(visible=False),
            gr.Button(visible=False),
            gr.HTML("", visible=False),
            gr.HTML("", visible=False),
            gr.HTML("", visible=False),
        ]

    def telling(rater: Rater, *, done: bool = False) -> list[Any]:
        """The page with names, when there is something left to ask or when all is `done`."""
        return [
            None,
            gr.Column(visible=False),
            gr.HTML("", visible=False),
            gr.Button(visible=False),
            gr.Button(visible=False),
            gr.Button(visible=not done),
            gr.Button(visible=verdict.can_steer(studio, rater.run)),
            gr.HTML(verdict.page(studio, lang, rater.run, rater.name, rater.reads, done=done), visible=True),
            gr.HTML(html.empty_message(t(lang, "learning")), visible=True),
            gr.HTML("", visible=False),
        ]

    def onward(rater: Rater, before: Vote | None = None) -> list[Any]:
        if now := put(studio, rater, before):
            return asking(now)
        with studio.run(rater.run) as store:
            if not rater.votes(store):
                raise RunError(phrase("nothing_to_judge"))
        return telling(rater, done=True)

    def on_load(kept: dict[str, str], request: gr.Request) -> list[Any]:
        asked = asked_run(studio, lang, request)
        known = kept["reads"] if kept.get("reads") in READER_LANGUAGES else lang
        return [
            asked.notice,
            gr.Dropdown(choices=studio.run_choices(), value=asked.run),
            gr.Textbox(value=rater_of(request) or kept.get("name", ""), interactive=rater_of(request) is None),
            known,
            asks_for_shortlist(studio, asked.run, request),
        ]

    def on_start(run: str | None, typed: str, best: ReaderLanguage, starred: bool, request: gr.Request) -> list[Any]:
        if run is None:
            raise RunError(phrase("no_runs"))
        rater = checked_shortlist(studio, Rater(run, named(typed, rater_of(request)), best, starred))
        return [{"name": rater.name, "reads": best}, rater, *onward(rater)]

    def on_answer(rater: Rater | None, now: Open | None, event: gr.EventData) -> list[Any]:
        if rater is None:  # so many pages were opened since that this one was forgotten
            raise RunError(phrase("page_forgotten"))
        if now is None or event.choice not in ANSWERS:
            return [gr.skip()] * len(outputs)
        ended = answer(studio, rater, now, event.choice)
        return telling(rater) if ended else onward(rater, now.pair.vote(rater.name, rater.reads, event.choice))

    def on_undo(rater: Rater | None, now: Open | None) -> list[Any]:
        if rater is None:
            raise RunError(phrase("page_forgotten"))
        before = take_back(studio, rater, now) if now else None
        return asking(before) if before else [gr.skip()] * len(outputs)

    def on_show(rater: Rater, now: Open) -> list[Any]:
        studio.blind.forget(now.tokens)
        return telling(rater)

    def on_results(rater: Rater, now: Open | None) -> Any:
        """What may take a while comes after the rankings."""
        return gr.skip() if now else verdict.taste(studio, lang, rater.run)

    def on_steer(rater: Rater) -> Any:
        steer(studio, rater.run, rater.name)
        return gr.HTML(verdict.steered(studio, lang, rater.run), visible=True)

    hidden = {"show_progress": "hidden"}
    listen(demo.load, lang, on_load, remembered, [lost, chosen, name, reads, only], role="viewer", **hidden)
    keep_in_address(chosen)
    for trigger in (go.click, name.submit):
        listen(
            trigger, lang, on_start, [chosen, name, reads, only], [remembered, who, *outputs], role="judge", **hidden
        )
    listen(blind.answer, lang, on_answer, [who, pending], outputs, role="judge", does="vote", **hidden)
    listen(undo.click, lang, on_undo, [who, pending], outputs, role="judge", does="take a vote back", **hidden)
    listen(show.click, lang, on_show, [who, pending], outputs, role="judge", **hidden)
    listen(more.click, lang, onward, who, outputs, role="judge", **hidden)
    listen(steering.click, lang, on_steer, who, steered, role="editor", does="steer a run", **hidden)
    listen(
        results.change,
        lang,
        on_results,
        [who, pending],
        taste,
        concurrency_limit=1,
        concurrency_id="pictures",
        role="judge",
        **hidden,
    )
