"""Questions shared out among a team, so that many pairs are judged and some of them by everybody.

Who judges alone covers few pairs, and of pairs that one person judged nobody knows whether people agree. An assignment
gives each rater questions of her own and the same common ones as the others. It lies in `assignment.json` in a run's
folder; a new one takes the place of the one before, and votes stay.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.prompts.prompt_set import LANGUAGES
from pipelines.errors import PictureError
from pipelines.storage.files import write_whole
from pipelines.untrusted import UnreadableDocument, read_json
from studio.errors import RunError
from studio.runs.store import RunStore, now

from .likeness import ALIKE, picture_difference
from .pairing import PicturePair, in_rounds, judged_individuals, kept_pictures, pair_between
from .votes import ReaderLanguage, Vote

ASSIGNMENT_FILE = "assignment.json"
MOST_RATERS, MOST_QUESTIONS = 50, 300


class Question(BaseModel):
    """Two individuals, in alphabetical order, and what of theirs is seen; the language is the one the rater reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: str
    second: str
    prompt: str
    noise: int = Field(ge=0)

    @property
    def about(self) -> tuple[str, str, str]:
        """What a vote on it is about."""
        return self.first, self.second, self.prompt


class Assignment(BaseModel):
    """Who is asked what: of each rater's questions, `common` are everybody's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    time: str
    common: int
    raters: dict[str, tuple[Question, ...]]

    def left(self, rater: str, votes: Sequence[Vote]) -> list[Question]:
        """Return the questions that a rater was given and has not answered; none for whoever was given none."""
        answered = {vote.about for vote in votes if vote.rater == rater}
        return [question for question in self.raters.get(rater, ()) if question.about not in answered]

    def progress(self, votes: Sequence[Vote]) -> dict[str, tuple[int, int]]:
        """Count for every rater the questions answered, and those given."""
        return {
            rater: (len(questions) - len(self.left(rater, votes)), len(questions))
            for rater, questions in self.raters.items()
        }


def share_out(
    store: RunStore,
    raters: Sequence[str],
    each: int,
    common: int,
    *,
    among: Collection[str] | None = None,
    rng: random.Random | None = None,
) -> Assignment:
    """Share questions out: `common` that everybody is asked, and for each rater others that nobody else is.

    Pairs come in rounds: no pair is asked a second time, about another prompt, before each was asked once. Pictures
    that look alike come last, where the others are not enough.

    Args:
        store: the run; what is shared out is written into its folder.
        raters: names, each once.
        each: questions of a rater.
        common: how many of them are the same for all.
        among: ids of those who take part; who `judged_individuals` selects if left out.
        rng: the operating system's randomness if left out.

    Raises:
        RunError: no rater or too many, one named twice, numbers out of range, or too few questions to share out.
    """
    rng = rng or random.SystemRandom()
    check_raters(raters)
    check_each(each)
    check_common(common, each)
    needed = common + len(raters) * (each - common)
    questions = list(_questions(store, among, rng))
    if len(questions) < needed:
        raise RunError(
            "Expected {needed} questions for {raters} raters, found {found} in {name}. Ask each fewer questions, let "
            "everybody answer more of the same, or wait until the run has more models.",
            needed=needed,
            raters=len(raters),
            found=len(questions),
            name=store.name,
        )
    found = list(islice(_alike_last(store, questions), needed))
    own = iter(found[common:])
    given: dict[str, tuple[Question, ...]] = {}
    for rater in raters:
        questions = found[:common] + [next(own) for _ in range(each - common)]
        rng.shuffle(questions)
        given[rater] = tuple(questions)
    assignment = Assignment(time=now().isoformat(timespec="seconds"), common=common, raters=given)
    write_whole(store.folder / ASSIGNMENT_FILE, assignment.model_dump_json().encode())
    return assignment


def read_assignment(folder: Path) -> Assignment | None:
    """Read what was shared out in a run's folder; `None` where nothing was.

    Raises:
        RunError: the file is no assignment.
    """
    path = folder / ASSIGNMENT_FILE
    try:
        found: Any = read_json(path)
        return Assignment.model_validate(found)
    except FileNotFoundError:
        return None
    except (UnreadableDocument, ValidationError) as error:
        raise RunError(
            "{file} cannot be read. Expected questions as the Judge page shares them out. Share them out again, or "
            "take it away.",
            file=path,
        ) from error


def check_raters(raters: Sequence[str]) -> None:
    """Refuse names that no questions can be shared out among.

    Raises:
        RunError: none or too many, or one twice.
    """
    if not 1 <= len(raters) <= MOST_RATERS:
        raise RunError("Expected 1 to {most} raters, found {found}.", most=MOST_RATERS, found=len(raters))
    if twice := sorted({name for name in raters if raters.count(name) > 1}):
        raise RunError("Expected each rater once, found {names} more than once.", names=", ".join(twice))


def check_each(each: int) -> None:
    """Refuse a number of questions that no rater can have.

    Raises:
        RunError: out of range.
    """
    if not 1 <= each <= MOST_QUESTIONS:
        raise RunError("Expected 1 to {most} questions for each rater, found {found}.", most=MOST_QUESTIONS, found=each)


def check_common(common: int, each: int) -> None:
    """Refuse a number of common questions beside that of each rater's.

    Raises:
        RunError: out of range.
    """
    if not 0 <= common <= each:
        raise RunError(
            "Expected 0 to {each} questions that everybody answers, for each rater has {each}; found {found}.",
            each=each,
            found=common,
        )


def assigned_pair(
    store: RunStore, question: Question, reads: ReaderLanguage, rng: random.Random | None = None
) -> PicturePair | None:
    """Open the pair of a question, sides at random, in the language a rater reads best if it was drawn in that.

    Returns:
        The pair with its pictures in memory; `None` where its pictures are gone.
    """
    rng = rng or random.SystemRandom()
    left, right = rng.sample((question.first, question.second), 2)
    for language in sorted(LANGUAGES, key=lambda language: language != reads):
        if pair := pair_between(store, left, right, question.prompt, language, question.noise):
            return pair
    return None


def _questions(store: RunStore, among: Collection[str] | None, rng: random.Random) -> Iterator[Question]:
    """Yield what can be asked of a run, each pair and prompt once, in rounds over the pairs."""
    kept = dict(kept_pictures(store, judged_individuals(store, among)))

    def of_pair(first: str, second: str) -> Iterator[Question]:
        seen = sorted({(prompt, noise) for prompt, _, noise in kept[first] & kept[second]})
        rng.shuffle(seen)
        for prompt, noise in dict(seen).items():
            yield Question(first=first, second=second, prompt=prompt, noise=noise)

    pairs = list(combinations(sorted(kept), 2))
    rng.shuffle(pairs)
    return in_rounds(of_pair(*pair) for pair in pairs)


def _alike_last(store: RunStore, questions: Sequence[Question]) -> Iterator[Question]:
    """Yield those first whose pictures can be told apart; a picture is looked at when its question's turn comes."""
    alike = []
    for question in questions:
        if _difference(store, question) < ALIKE:
            alike.append(question)
        else:
            yield question
    yield from alike


def _difference(store: RunStore, question: Question) -> float:
    """Measure how far its pictures are apart, in the first language that they are drawn in; 0 where they are gone."""
    for language in LANGUAGES:
        with contextlib.suppress(PictureError):
            first, second = (store.image(one, question.prompt, language, question.noise) for one in question.about[:2])
            return picture_difference(first, second)
    return 0.0
