"""Stars, tags and notes that people gave: `marks.jsonl` in a run's folder, appended to and never edited.

They are kept by the recipe's digest, not by a path or a number, so they stay with what was starred when a run moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from studio.errors import RunError
from studio.journal import Journal
from studio.runs.individual import Individual
from studio.runs.store import RunStore, now

ANNOTATIONS_FILE = "marks.jsonl"
MAX_STARS = 5  # stars
REJECTED = "rejected"  # the tag of whom a rater wants to see no more


class Mark(TypedDict):
    """What a rater said of an individual, as a line of the journal has it."""

    recipe: str
    rater: str
    stars: Annotated[int, Field(ge=0, le=MAX_STARS)]
    tags: list[str]
    note: str


@dataclass(frozen=True)
class Annotations:
    """What raters said of an individual last: mean stars (0 where nobody gave any), all tags, notes by rater."""

    stars: float = 0.0
    tags: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


def annotate(store: RunStore, individual: Individual, *, rater: str, stars: int, tags: str, note: str) -> None:
    """Record what a rater thinks of an individual; the last word of a rater counts.

    Args:
        store: the run.
        individual: of that run.
        rater: who says so; may be empty.
        stars: 0 to 5; 0 takes them back.
        tags: words, between commas.
        note: any text.

    Raises:
        RunError: more stars than there are.
    """
    if not 0 <= stars <= MAX_STARS:
        raise RunError("Expected 0 to {max_stars} stars, found {stars}.", max_stars=MAX_STARS, stars=stars)
    words = dict.fromkeys(word.strip() for word in tags.replace("、", ",").split(",") if word.strip())
    Journal(store.folder / ANNOTATIONS_FILE).append(
        {
            "time": now().isoformat(),
            "recipe": individual.recipe.digest,
            "individual": individual.id,
            "rater": rater.strip(),
            "stars": stars,
            "tags": list(words),
            "note": note.strip(),
        }
    )


def read_annotations(store: RunStore) -> dict[str, Annotations]:
    """Read what was said of each individual, by the digest of its recipe."""
    last: dict[str, dict[str, dict[str, Any]]] = {}  # by recipe and rater
    for event in Journal(store.folder / ANNOTATIONS_FILE, Mark).events():
        last.setdefault(event["recipe"], {})[event["rater"]] = event
    return {recipe: _annotations(events) for recipe, events in last.items()}


def mark_of(store: RunStore, individual: Individual, rater: str) -> Mark:
    """Return what a rater said of an individual last; no stars, tags or note where that was nothing."""
    digest = individual.recipe.digest
    said = [
        event
        for event in Journal(store.folder / ANNOTATIONS_FILE, Mark).events()
        if event["recipe"] == digest and event["rater"] == rater.strip()
    ]
    last: dict[str, Any] = said[-1] if said else {"stars": 0, "tags": [], "note": ""}
    return Mark(recipe=digest, rater=rater, stars=last["stars"], tags=list(last["tags"]), note=last["note"])


def star(store: RunStore, individual: Individual, rater: str, *, on: bool) -> None:
    """Give an individual all stars, or take them back; whatever else the rater said of it stays."""
    mark = mark_of(store, individual, rater)
    stars = MAX_STARS if on else 0
    annotate(store, individual, rater=rater, stars=stars, tags=",".join(mark["tags"]), note=mark["note"])


def reject(store: RunStore, individual: Individual, rater: str, *, on: bool) -> None:
    """Tag an individual as rejected, or take that back; whatever else the rater said of it stays."""
    mark = mark_of(store, individual, rater)
    tags = [tag for tag in mark["tags"] if tag != REJECTED] + ([REJECTED] if on else [])
    annotate(store, individual, rater=rater, stars=mark["stars"], tags=",".join(tags), note=mark["note"])


def _annotations(by_rater: dict[str, dict[str, Any]]) -> Annotations:
    stars = [event["stars"] for event in by_rater.values() if event["stars"]]
    return Annotations(
        stars=fmean(stars) if stars else 0.0,
        tags=tuple(dict.fromkeys(tag for event in by_rater.values() for tag in event["tags"])),
        notes=tuple((rater, event["note"]) for rater, event in by_rater.items() if event["note"]),
    )
