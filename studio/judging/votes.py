"""What people said of two pictures, blind: `votes.jsonl` in a run's folder, appended to and never edited.

A line is a `Vote`, or a `Withdrawal` of one. A vote holds the scores that the two pictures had when it was given,
because scores of a run may be taken anew with other noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.preferences.bradley_terry import TIE, PairedComparison
from eval.prompts.prompt_set import Language
from pipelines.errors import M2N2Error
from pipelines.storage.files import newest_first
from studio.errors import RunError
from studio.journal import Journal
from studio.runs.store import now

VOTES_FILE = "votes.jsonl"
ENOUGH_VOTES = 20  # votes that prefer one of the two: what a sitting of 30 gives, when a third of them are ties
EVERYBODY, OTHERS = "everybody", "others"
Answer = Literal["left", "right", "both good", "both bad"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
ReaderLanguage = Literal["ja", "en", "other"]
READER_LANGUAGES: tuple[ReaderLanguage, ...] = get_args(ReaderLanguage)
_WON = {"left": 1.0, "right": 0.0}


class Vote(BaseModel):
    """One answer about two pictures of the same caption, drawn from the same noise.

    `reads` is the language the rater reads best, `language` that of the caption that was drawn and shown. `left` and
    `right` are individuals, in the places they were seen in; the scores are the run's for these pictures, `None` where
    it had none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    time: str
    rater: str
    reads: ReaderLanguage
    prompt: str
    language: Language
    noise: int
    seed: int | None
    left: str
    right: str
    answer: Answer
    left_score: float | None
    right_score: float | None

    @property
    def won(self) -> float:
        """How the left one fared: 1, 0, or 0.5 where both were good or both bad."""
        return _WON.get(self.answer, TIE)

    @property
    def decided(self) -> bool:
        """Whether one of the two was preferred."""
        return self.answer in _WON

    @property
    def comparison(self) -> PairedComparison:
        """What a ranking counts."""
        return PairedComparison(self.left, self.right, self.won)

    @property
    def margin(self) -> float:
        """The score of the left picture less that of the right one; NaN where one has none."""
        if self.left_score is None or self.right_score is None:
            return float("nan")
        return self.left_score - self.right_score

    @property
    def about(self) -> tuple[str, str, str]:
        """What was asked: the two individuals in alphabetical order, and the prompt."""
        first, second = sorted((self.left, self.right))
        return first, second, self.prompt

    @property
    def question(self) -> tuple[str, str, str, Language, int]:
        """Which pictures it is about: `about`, with the language and the noise that they were drawn with."""
        return *self.about, self.language, self.noise


class Withdrawal(BaseModel):
    """A rater takes back what he or she said: `withdrawn` is what the vote is `about`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    time: str
    rater: str
    withdrawn: tuple[str, str, str]


def read_votes(folder: Path) -> list[Vote]:
    """Read every vote on a run that stands, oldest first; none where nobody judged yet.

    Raises:
        RunError: a line that is no vote, or one of a newer version.
    """
    votes: list[Vote] = []
    for number, event in enumerate(Journal(folder / VOTES_FILE).events(), start=1):
        try:
            if "withdrawn" in event:
                taken_back = Withdrawal.model_validate(event)
                given = (taken_back.rater, taken_back.withdrawn)
                votes = [vote for vote in votes if (vote.rater, vote.about) != given]
            else:
                votes.append(Vote.model_validate(event))
        except ValidationError as error:
            first = error.errors()[0]
            raise RunError(
                "{file}, vote {number}, at {place}: {problem}. "
                "Expected a vote in format 1, as the Judge page writes it: update m2n2-studio, or take that line out.",
                file=folder / VOTES_FILE,
                number=number,
                place=".".join(map(str, first["loc"])),
                problem=first["msg"],
            ) from error
    return votes


def write_vote(folder: Path, vote: Vote) -> None:
    """Append a vote; it is on the disk when this returns."""
    Journal(folder / VOTES_FILE).append(vote.model_dump())


def withdraw_vote(folder: Path, vote: Vote) -> None:
    """Take a vote back: its rater may answer the question again."""
    time = now().isoformat(timespec="seconds")
    Journal(folder / VOTES_FILE).append(Withdrawal(time=time, rater=vote.rater, withdrawn=vote.about).model_dump())


def by_rater(votes: Iterable[Vote]) -> dict[str, list[Vote]]:
    """Group votes by rater, in the order in which the raters first voted."""
    groups: dict[str, list[Vote]] = {}
    for vote in votes:
        groups.setdefault(vote.rater, []).append(vote)
    return groups


def by_reader(votes: Iterable[Vote]) -> dict[ReaderLanguage, list[Vote]]:
    """Group votes by the language their raters read best; only languages that somebody reads."""
    groups: dict[ReaderLanguage, list[Vote]] = {reads: [] for reads in READER_LANGUAGES}
    for vote in votes:
        groups[vote.reads].append(vote)
    return {reads: group for reads, group in groups.items() if group}


def count_decided(votes: Iterable[Vote]) -> int:
    """Count the votes that prefer one of the two."""
    return sum(vote.decided for vote in votes)


def niche_votes(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    """Group the votes that make niches: a rater's own from `ENOUGH_VOTES` decided ones on, the others' together."""
    raters = by_rater(votes)
    groups = {rater: group for rater, group in raters.items() if count_decided(group) >= ENOUGH_VOTES}
    rest = [vote for vote in votes if vote.rater not in groups]
    if count_decided(rest) >= ENOUGH_VOTES:
        groups[OTHERS if groups else EVERYBODY] = rest
    return groups


def missing_votes(votes: Sequence[Vote]) -> int:
    """Count the decided votes that are lacking until they can steer a run; 0 where they can."""
    return 0 if niche_votes(votes) else ENOUGH_VOTES - count_decided(votes)


def votes_for(where: str | Path) -> tuple[Path, list[Vote]]:
    """Read the votes of a run's folder, or of the path of its `votes.jsonl`; returns the folder too.

    Raises:
        RunError: there are none, or too few to steer a run; says how many are needed.
    """
    path = Path(where)
    folder = path.parent if path.name == VOTES_FILE else path
    votes = read_votes(folder)
    if lacking := missing_votes(votes):
        raise RunError(
            "{file} holds {votes} votes that prefer one of two pictures. Expected "
            "{enough_votes} at least to steer a run: judge until {lacking} more are decided, or leave `votes` out.",
            file=folder / VOTES_FILE,
            votes=count_decided(votes),
            enough_votes=ENOUGH_VOTES,
            lacking=lacking,
        )
    return folder, votes


def steering_runs(runs: Path) -> list[str]:
    """List the runs in a folder whose votes are enough to steer another, newest votes first."""
    return [file.parent.name for file in newest_first(runs.glob(f"*/{VOTES_FILE}")) if _can_steer(file)]


def _can_steer(file: Path) -> bool:
    try:
        votes_for(file)
    except M2N2Error:
        return False
    return True
