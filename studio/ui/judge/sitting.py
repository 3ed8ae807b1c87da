"""A rater's sitting: which question comes next, the answer to it, and taking that back."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from studio.errors import RunError
from studio.i18n import phrase
from studio.judging.assignments import Assignment, assigned_pair, read_assignment
from studio.judging.pairing import PicturePair, next_pair, pair_of
from studio.judging.shortlist import shortlist
from studio.judging.votes import Answer, ReaderLanguage, Vote, read_votes, withdraw_vote, write_vote
from studio.runs.store import RunStore
from studio.ui.common.field_errors import at_field
from studio.ui.common.studio import Studio

SITTING = 30  # votes, after which the names are shown
LONGEST = 60  # letters of a rater's name
_ANSWERING = threading.Lock()  # between the look at earlier votes and the new one no other may come


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
        votes, assignment = read_votes(store.folder), read_assignment(store.folder)
        left = assignment.left(rater.name, votes) if assignment else []
        pair = next(filter(None, (assigned_pair(store, question, rater.reads) for question in left)), None)
        if pair is None:
            among = {one.id for one in shortlist(store)} if rater.shortlist else None
            pair = next_pair(store, votes, rater.name, rater.reads, among=among)
    return _opened(studio, rater, pair, votes, assignment, before) if pair else None


def _opened(
    studio: Studio,
    rater: Rater,
    pair: PicturePair,
    votes: list[Vote],
    assignment: Assignment | None,
    before: Vote | None = None,
) -> Open:
    """Put a question to a rater: one of those that were given to him or her, else one of a sitting."""
    tokens = studio.blind.keep(pair.left_png), studio.blind.keep(pair.right_png)
    given = sum(vote.rater == rater.name for vote in votes)
    number, of = given + 1, (given // SITTING + 1) * SITTING
    left = assignment.left(rater.name, votes) if assignment else []
    if assignment and any(question.about == pair.about for question in left):
        of = len(assignment.raters[rater.name])
        number = of - len(left) + 1
    return Open(pair, tokens, number, of, before)


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
        own = rater.votes(store)
        if now.before is None or not own or own[-1].about != now.before.about:
            return None
        withdraw_vote(store.folder, own[-1])
        pair = pair_of(store, own[-1])
        votes, assignment = read_votes(store.folder), read_assignment(store.folder)
    studio.blind.forget(now.tokens)
    return _opened(studio, rater, pair, votes, assignment) if pair else put(studio, rater)


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
