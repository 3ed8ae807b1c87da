"""Which two pictures a person is asked about next, and their bytes without anything that tells whose they are."""

from __future__ import annotations

import io
import os
import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import TypeVar

import numpy as np
from PIL import Image

from eval.prompts.prompt_set import LANGUAGES, Language
from pipelines.errors import PictureError
from pipelines.storage.pictures import read_picture
from studio.png_metadata import picture_seed
from studio.runs.individual import Individual
from studio.runs.picture_names import ids_by_stem, image_folder
from studio.runs.store import RunStore, now

from .likeness import ALIKE, picture_difference
from .votes import Answer, ReaderLanguage, Vote

BEST_JUDGED = 10  # of all who ever entered the archive, alive or not
LOOKS = 60  # questions that are looked at for one whose pictures can be told apart
Picture = tuple[str, Language, int]  # the id of its prompt, the language of its caption, the number of its noise
T = TypeVar("T")


@dataclass(frozen=True)
class PicturePair:
    """A question: two pictures of one caption from one noise. Its text and bytes may be shown, the rest may not."""

    prompt: str
    language: Language
    caption: str
    noise: int
    seed: int | None
    left: str
    right: str
    left_score: float | None
    right_score: float | None
    left_png: bytes
    right_png: bytes

    @property
    def about(self) -> tuple[str, str, str]:
        """What is asked: the two individuals in alphabetical order, and the prompt."""
        first, second = sorted((self.left, self.right))
        return first, second, self.prompt

    def vote(self, rater: str, reads: ReaderLanguage, answer: Answer) -> Vote:
        """Return the answer to this question as a vote, for the journal."""
        return Vote(
            time=now().isoformat(timespec="seconds"),
            rater=rater,
            reads=reads,
            prompt=self.prompt,
            language=self.language,
            noise=self.noise,
            seed=self.seed,
            left=self.left,
            right=self.right,
            answer=answer,
            left_score=self.left_score,
            right_score=self.right_score,
        )


def judged_individuals(store: RunStore, among: Collection[str] | None = None) -> list[Individual]:
    """Select who takes part: sources, individuals alive, and the best who ever entered, for all kept every picture.

    Args:
        store: the run.
        among: ids; only these, if they ever entered.
    """
    entered = [one for one in store.individuals() if one.entered]
    if among is not None:
        return [one for one in entered if one.id in among]
    best = sorted(entered, key=lambda one: -sum(one.mean(language) or 0.0 for language in store.config.compete))
    famous = {one.id for one in best[:BEST_JUDGED]}
    return [one for one in entered if one.is_source or one.alive or one.id in famous]


def next_pair(
    store: RunStore,
    votes: Sequence[Vote],
    rater: str,
    reads: ReaderLanguage,
    rng: random.Random | None = None,
    among: Collection[str] | None = None,
) -> PicturePair | None:
    """Choose a pair this rater has not judged on that caption: those with fewer votes are likelier, sides at random.

    Captions are in the language the rater reads best, where that is one of the run's. Pictures of the pair that
    somebody else has judged come before others: only where several answer one question is it known how far they agree.
    Pictures that look alike come last, for nobody can prefer one of them, unless `LOOKS` such are found first.

    Args:
        store: the run.
        votes: all on this run, of everybody.
        rater: who is asked.
        reads: the language he or she reads best.
        rng: the operating system's randomness if left out.
        among: ids of those who take part; who `judged_individuals` selects if left out.

    Returns:
        The pair with its pictures in memory; `None` when there is nothing left to ask.
    """
    rng = rng or random.SystemRandom()
    individuals = judged_individuals(store, among)
    languages = [reads] if reads in LANGUAGES else list(LANGUAGES)
    kept = {id: {one for one in pictures if one[1] in languages} for id, pictures in kept_pictures(store, individuals)}
    answered = {vote.about for vote in votes if vote.rater == rater}
    counts = Counter(vote.about[:2] for vote in votes)
    judged = {vote.question for vote in votes if vote.rater != rater}
    by_id = {one.id: one for one in individuals}

    def unanswered(first: str, second: str) -> Iterator[tuple[str, str, Picture]]:
        shared = sorted(kept[first] & kept[second])
        rng.shuffle(shared)
        for picture in sorted(shared, key=lambda picture: (first, second, *picture) not in judged):
            if (first, second, picture[0]) not in answered:
                yield first, second, picture

    alike: list[tuple[float, Individual, Individual, Picture]] = []
    for first, second, picture in in_rounds(unanswered(*pair) for pair in _drawn(list(by_id), counts, rng)):
        left, right = rng.sample((by_id[first], by_id[second]), 2)
        try:
            difference = picture_difference(*(store.image(id, *picture) for id in (first, second)))
        except PictureError:
            continue
        if difference < ALIKE:
            alike.append((difference, left, right, picture))
        elif pair := _opened(store, left, right, *picture):
            return pair
        if len(alike) == LOOKS:
            break
    alike.sort(key=lambda one: -one[0])
    return next(filter(None, (_opened(store, left, right, *picture) for _, left, right, picture in alike)), None)


def in_rounds(groups: Iterable[Iterator[T]]) -> Iterator[T]:
    """Yield the first of every group, then the second of every group, and so on until all are empty."""
    while groups:
        going_on = []
        for group in groups:
            for item in islice(group, 1):
                yield item
                going_on.append(group)
        groups = going_on


def pair_of(store: RunStore, vote: Vote) -> PicturePair | None:
    """Return the pair that a vote is about, in the places it was seen in; `None` where its pictures are gone."""
    return pair_between(store, vote.left, vote.right, vote.prompt, vote.language, vote.noise)


def pair_between(
    store: RunStore, left: str, right: str, prompt: str, language: Language, noise: int
) -> PicturePair | None:
    """Return the pair of two individuals' pictures by their ids; `None` where either is not there."""
    known = {one.id: one for one in store.individuals()}
    if left not in known or right not in known:
        return None
    return _opened(store, known[left], known[right], prompt, language, noise)


def kept_pictures(store: RunStore, individuals: Sequence[Individual]) -> Iterator[tuple[str, set[Picture]]]:
    """Yield of every individual its id and the pictures that its folder has."""
    prompts = ids_by_stem(store.prompts.niches.ids)
    ends = {
        f"-{language}-{noise}.png": (language, noise) for language in LANGUAGES for noise in range(store.config.noises)
    }
    for one in individuals:
        pictures: set[Picture] = set()
        for name in _listed(store, one.id):
            stem, *rest = name.rsplit("-", 2)
            if drawn := ends.get("-" + "-".join(rest)):
                pictures.add((prompts.get(stem, stem), *drawn))
        yield one.id, pictures


def _listed(store: RunStore, individual: str) -> list[str]:
    """List the names of an individual's pictures: one look at its folder, none at the files."""
    try:
        return os.listdir(image_folder(store.folder, individual))
    except FileNotFoundError:
        return []


def _drawn(ids: list[str], counts: Counter[tuple[str, str]], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield all pairs, ids in alphabetical order, in random order: n votes make a pair 1 + n times less likely.

    Sorting by u ** (1 / weight) draws without replacement (Efraimidis and Spirakis 2006).
    """
    pairs = list(combinations(sorted(ids), 2))
    keys = {pair: rng.random() ** (1 + counts[pair]) for pair in pairs}
    yield from sorted(pairs, key=keys.__getitem__, reverse=True)


def _opened(
    store: RunStore, left: Individual, right: Individual, prompt: str, language: Language, noise: int
) -> PicturePair | None:
    """Open the pair of two such pictures; `None` where one is gone or damaged, or they are from different noise."""
    rows = {candidate.id: (row, candidate) for row, candidate in enumerate(store.prompts.niches.prompts)}
    if prompt not in rows:
        return None
    row, question = rows[prompt]
    files = [store.image(one.id, prompt, language, noise) for one in (left, right)]
    left_seed, right_seed = map(picture_seed, files)
    if left_seed != right_seed:
        return None
    try:
        left_pixels, right_pixels = map(read_picture, files)
    except PictureError:
        return None

    def score(individual: Individual) -> float | None:
        values = individual.scores.get(language)
        return None if values is None or np.isnan(value := values[row, noise]) else float(value)

    return PicturePair(
        prompt=prompt,
        language=language,
        caption=(question.ja if language == "ja" else question.en) or "",
        noise=noise,
        seed=left_seed,
        left=left.id,
        right=right.id,
        left_score=score(left),
        right_score=score(right),
        left_png=pixels_only(left_pixels),
        right_png=pixels_only(right_pixels),
    )


def pixels_only(picture: Image.Image) -> bytes:
    """Return a picture's pixels alone as PNG, without anything that its file said beside them."""
    pixels = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    buffer = io.BytesIO()
    pixels.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
