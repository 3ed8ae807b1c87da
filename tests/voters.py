"""Votes as a person gives them, for tests: one at a time by hand, or many by somebody who prefers bright pictures."""

import random
from io import BytesIO

import numpy as np
from PIL import Image

from studio.judging.pairing import next_pair
from studio.judging.votes import Vote, read_votes, write_vote
from studio.runs.store import open_run


def a_vote(left="base", right="ja", answer="left", **other):
    """A vote; `other` replaces fields."""
    fields = {
        "time": "2026-11-22T09:00:00+00:00",
        "rater": "Aya",
        "reads": "ja",
        "prompt": "dog",
        "language": "ja",
        "noise": 0,
        "seed": 1,
        "left_score": 0.3,
        "right_score": 0.2,
    }
    return Vote.model_validate({**fields, "left": left, "right": right, "answer": answer, **other})


def brightness(png):
    """Mean of all pixels."""
    return float(np.asarray(Image.open(BytesIO(png))).mean())


def vote_for_bright_pictures(folder, rater, count, *, reads="ja", seed=0):
    """Answer so many questions, or as many as there are; gives the votes."""
    store, rng = open_run(folder), random.Random(seed)
    for _ in range(count):
        pair = next_pair(store, read_votes(folder), rater, reads, rng)
        if pair is None:
            break
        better = "left" if brightness(pair.left_png) > brightness(pair.right_png) else "right"
        write_vote(folder, pair.vote(rater, reads, better))
    store.close()
    return [vote for vote in read_votes(folder) if vote.rater == rater]
