"""Which pairs are asked about, and that what is shown tells nothing else."""

import json
import random
from collections import Counter
from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio.judging import pairing
from studio.judging.pairing import judged_individuals, next_pair, pair_of
from studio.judging.votes import read_votes, write_vote
from tests.voters import vote_for_bright_pictures

PROMPTS, SOURCES = 5, ["base", "flat", "ja", "real"]


def test_every_question_is_put_once_to_a_rater_and_then_there_is_none(ballot, store):
    votes = vote_for_bright_pictures(ballot, "Aya", 100)
    assert len(votes) == len({vote.about for vote in votes}) == PROMPTS * 6  # 6 pairs of 4 sources
    assert {vote.language for vote in votes} == {"ja"}
    assert next_pair(store, votes, "Aya", "ja") is None
    assert next_pair(store, votes, "Ken", "ja") is not None


def test_captions_are_in_the_language_the_rater_reads(store):
    prompts = {prompt.id: prompt for prompt in store.prompts.niches.prompts}
    for reads, languages in (("ja", {"ja"}), ("en", {"en"}), ("other", {"ja", "en"})):
        pairs = [next_pair(store, [], "Aya", reads, random.Random(seed)) for seed in range(20)]
        assert {pair.language for pair in pairs} == languages
        assert all(pair.caption == getattr(prompts[pair.prompt], pair.language) for pair in pairs)


def test_sides_are_at_random_and_scores_are_those_of_the_pictures(store):
    pairs = [next_pair(store, [], "Aya", "ja", random.Random(seed)) for seed in range(60)]
    sides = Counter(pair.left < pair.right for pair in pairs)
    assert min(sides.values()) > 15
    known = {one.id: one for one in store.individuals()}
    row = {id: row for row, id in enumerate(store.prompts.niches.ids)}
    for pair in pairs:
        assert pair.left_score == known[pair.left].scores["ja"][row[pair.prompt], 0]
        assert pair.right_score == known[pair.right].scores["ja"][row[pair.prompt], 0]


def test_pairs_with_fewer_votes_are_likelier(ballot, store):
    for vote in vote_for_bright_pictures(ballot, "Aya", 100):
        if vote.about[:2] != ("base", "flat"):
            for _ in range(4):
                write_vote(ballot, vote)
    votes = read_votes(ballot)
    asked = Counter(
        "-".join(sorted((pair.left, pair.right)))
        for seed in range(80)
        for pair in [next_pair(store, votes, "Ken", "ja", random.Random(seed))]
    )
    assert asked.most_common(1)[0][0] == "base-flat"
    assert asked["base-flat"] > 30  # of 80; a sixth without weights


def test_pictures_hold_pixels_alone(store):
    pair = next_pair(store, [], "Aya", "ja")
    for id, png in ((pair.left, pair.left_png), (pair.right, pair.right_png)):
        original = Image.open(store.image(id, pair.prompt, "ja", 0))
        shown = Image.open(BytesIO(png))
        assert id in original.text["m2n2"]
        assert (shown.info, shown.format) == ({}, "PNG")
        assert shown.tobytes() == original.tobytes()
        assert id.encode() not in png


def test_other_noise_and_missing_pictures_make_no_pair(store):
    prompts = store.prompts.niches.ids
    for id in SOURCES[1:]:  # everybody but `base` draws again, from other noise
        for prompt in prompts:
            path = store.image(id, prompt, "ja", 0)
            info = PngInfo()
            info.add_itxt("m2n2", json.dumps({"seed": 7}))
            Image.open(path).save(path, pnginfo=info)
    pairs = [next_pair(store, [], "Aya", "ja", random.Random(seed)) for seed in range(20)]
    assert "base" not in {id for pair in pairs for id in (pair.left, pair.right)}
    for prompt in prompts:
        store.image("ja", prompt, "ja", 0).unlink()
    pairs = [next_pair(store, [], "Aya", "ja", random.Random(seed)) for seed in range(20)]
    assert {id for pair in pairs for id in (pair.left, pair.right)} == {"flat", "real"}
    for prompt in prompts:
        store.image("real", prompt, "ja", 0).write_bytes(b"cut short")
    assert next_pair(store, [], "Aya", "ja") is None
    assert [one.id for one in judged_individuals(store)] == ["base", "ja", "flat", "real"]


def test_a_picture_that_names_no_seed_is_shown_all_the_same(store):
    for id in SOURCES:
        path = store.image(id, store.prompts.niches.ids[0], "ja", 0)
        Image.open(path).convert("RGBA").save(path)
    pairs = [next_pair(store, [], "Aya", "ja", random.Random(seed)) for seed in range(20)]
    assert None in {pair.seed for pair in pairs}
    assert {Image.open(BytesIO(pair.left_png)).mode for pair in pairs} == {"RGB"}


def test_pictures_that_look_alike_are_asked_about_last(ballot, store, twins):
    votes = vote_for_bright_pictures(ballot, "Aya", 100)
    assert [vote.about[:2] for vote in votes[-PROMPTS:]] == [twins] * PROMPTS
    assert len(votes) == PROMPTS * 6
    pair = next_pair(store, [], "Ken", "ja", among=set(twins))  # better than nothing
    assert {pair.left, pair.right} == set(twins)


def test_votes_on_what_can_be_told_apart_bring_no_twins_forward(ballot, store, twins):
    """Of the pairs that can be told apart each has ten votes, the twins have none."""
    for vote in vote_for_bright_pictures(ballot, "Aya", 25):
        for _ in range(2):
            write_vote(ballot, vote)
    votes = read_votes(ballot)
    asked = [next_pair(store, votes, "Ken", "ja", random.Random(seed)) for seed in range(30)]
    assert twins not in {tuple(sorted((pair.left, pair.right))) for pair in asked}


def test_after_so_many_that_look_alike_the_one_that_differs_most_is_asked(store, twins, monkeypatch):
    monkeypatch.setattr(pairing, "LOOKS", 1)
    asked = [next_pair(store, [], "Aya", "ja", random.Random(seed)) for seed in range(40)]
    found = Counter(tuple(sorted((pair.left, pair.right))) == twins for pair in asked)
    assert 0 < found[True] < 20  # one pair of six, where it comes first


def test_pictures_that_somebody_else_judged_come_first(ballot, store):
    """Else two raters hardly ever answer one question, and nobody can tell how far they agree."""
    votes = vote_for_bright_pictures(ballot, "Aya", 6)
    judged = {vote.question for vote in votes}
    for seed in range(20):
        pair = next_pair(store, votes, "Ken", "ja", random.Random(seed))
        vote = pair.vote("Ken", "ja", "left")
        assert (vote.question in judged) is (vote.about[:2] in {one.about[:2] for one in votes})
    assert next_pair(store, votes, "Ken", "en", random.Random(1)).language == "en"
    assert pair_of(store, vote) == pair
    assert pair_of(store, vote.model_copy(update={"left": "gone"})) is None
    few = next_pair(store, votes, "Ken", "ja", among={"base", "real"})
    assert {few.left, few.right} == {"base", "real"}
