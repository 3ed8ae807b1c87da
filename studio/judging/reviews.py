"""What clients said of a shortlist, on the page that was sent to them: `reviews.jsonl` in the run's folder.

A review comes back as a JSON object, as a file or as text. Whoever sends it may write anything, so what is read is
limited, and kept as plain text. Models are known by their recipe's digest; the last review under a name counts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipelines.errors import Phrase
from pipelines.untrusted import Limits, UnreadableDocument, parse_json, read_text
from studio.errors import RunError
from studio.journal import Journal
from studio.runs.store import RunStore, now

REVIEWS_FILE = "reviews.jsonl"
FORMAT: Literal["m2n2-review"] = "m2n2-review"
LONGEST_NAME, LONGEST_COMMENT = 60, 2000  # letters
MOST_MODELS = 100
LIMITS = Limits(bytes=1 << 20, depth=4, values=2000, letters=10 * LONGEST_COMMENT)
_JOINERS = "\u200c\u200d\ufe0f"  # within emoji, and some scripts


def _plain(text: str) -> str:
    """A text without what no person writes: control characters, and those that turn the order of letters around."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (one for one in lines if one == "\n" or one in _JOINERS or unicodedata.category(one)[0] != "C")
    return "".join(kept).strip()


def _line(text: str) -> str:
    return " ".join(_plain(text).split())


Name = Annotated[str, AfterValidator(_line), Field(max_length=LONGEST_NAME)]
Comment = Annotated[str, AfterValidator(_plain), Field(max_length=LONGEST_COMMENT)]


class ReviewedModel(BaseModel):
    """What a client said of a model: whether it is picked, and a comment, which may be empty."""

    model_config = ConfigDict(frozen=True, strict=True)

    recipe: Annotated[str, Field(max_length=64)]
    pick: bool = False
    comment: Comment = ""


class Review(BaseModel):
    """What a client said: of each model, and in all."""

    model_config = ConfigDict(frozen=True, strict=True)

    format: Literal["m2n2-review"]
    version: Literal[1]
    by: Name
    models: Annotated[list[ReviewedModel], Field(max_length=MOST_MODELS)]
    comment: Comment = ""

    @property
    def comments(self) -> int:
        """How many comments there are: of models, and in all."""
        return sum(bool(one.comment) for one in self.models) + bool(self.comment)

    @property
    def picks(self) -> int:
        """How many models are picked."""
        return sum(one.pick for one in self.models)

    @property
    def said(self) -> list[ReviewedModel]:
        """The models of which something is said."""
        return [one for one in self.models if one.pick or one.comment]


@dataclass(frozen=True)
class Opinion:
    """What one client said of one model."""

    by: str
    pick: bool
    comment: str


def parse_review(text: str) -> Review:
    """Read what a client sent back: a JSON object, with other words before and after it if it came in a mail.

    Raises:
        RunError: there is none, one of another format, or one that is too large.
    """
    try:
        content = parse_json(_object_in(text), LIMITS)
        review = Review.model_validate(content)
    except UnreadableDocument as error:
        raise RunError(
            "This is no review ({problem}). {expected}", problem=error.phrase, expected=_expected()
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or FORMAT
        raise RunError(
            "This is no review (at {place}: {problem}). {expected}",
            place=place,
            problem=first["msg"],
            expected=_expected(),
        ) from error
    if not review.by:
        raise RunError("This review bears no name. Ask whoever sent it to write one on the page, and to send it again.")
    return review


def read_review(file: Path) -> Review:
    """Read the file that a client sent back.

    Raises:
        RunError: it is no review, see `parse_review`.
        OSError: it is not there, or cannot be read.
    """
    try:
        text = read_text(file, LIMITS.bytes)
    except UnreadableDocument as error:
        raise RunError(
            "This is no review ({problem}). {expected}", problem=error.phrase, expected=_expected()
        ) from error
    return parse_review(text)


def take_in(store: RunStore, review: Review) -> Review:
    """Keep a review of a run's models, in place of an earlier one under the same name.

    Returns:
        what was kept: models that the run does not have are left out.

    Raises:
        RunError: it says nothing of any model of this run.
    """
    known = {one.recipe.digest for one in store.individuals()}
    kept = review.model_copy(update={"models": [one for one in review.said if one.recipe in known]})
    if not kept.models and (review.models or not review.comment):
        raise RunError(
            "This review by {name} is about no model of run {run}. Expected one of a page that was made from it: "
            "choose that run.",
            name=review.by,
            run=store.name,
        )
    Journal(store.folder / REVIEWS_FILE).append({"time": now().isoformat(timespec="seconds"), **kept.model_dump()})
    return kept


def read_reviews(store: RunStore) -> list[Review]:
    """Read the last review under each name, in the order of the first; none where nobody sent any.

    Raises:
        RunError: the file cannot be read.
    """
    events = Journal(store.folder / REVIEWS_FILE, Review).events()
    last = {review.by: review for review in TypeAdapter(list[Review]).validate_python(events)}
    return list(last.values())


def opinions_of(reviews: Sequence[Review], digest: str) -> list[Opinion]:
    """What clients said of the model whose recipe has a digest."""
    return [
        Opinion(review.by, one.pick, one.comment) for review in reviews for one in review.said if one.recipe == digest
    ]


def _expected() -> Phrase:
    return Phrase("Expected what the page for clients saves or copies, unchanged.")


def _object_in(text: str) -> str:
    """The part of a text from its first brace to its last; all of it where it has none."""
    start, end = text.find("{"), text.rfind("}")
    return text[start : end + 1] if 0 <= start < end else text
