"""Questions shared out among a team: who is asked what, in what order, and what cannot be shared out."""

import random
from collections import Counter

import pytest

from studio.errors import RunError
from studio.judging.assignments import ASSIGNMENT_FILE, assigned_pair, read_assignment, share_out
from studio.judging.votes import read_votes, write_vote

PAIRS, PROMPTS = 6, 5  # of four sources


def test_everybody_is_asked_the_common_questions_and_nobody_anothers_own(store):
    made = share_out(store, ["Aya", "Ken", "美咲"], 9, 3, rng=random.Random(1))
    asked = {rater: {question.about for question in questions} for rater, questions in made.raters.items()}
    assert {len(one) for one in asked.values()} == {9}
    assert len(set.intersection(*asked.values())) == made.common == 3
    assert len(set.union(*asked.values())) == 3 + 3 * 6
    assert read_assignment(store.folder) == made


def test_no_pair_comes_again_before_every_pair_came(store):
    made = share_out(store, ["Aya", "Ken"], PAIRS, 0)
    counts = Counter(question.about[:2] for questions in made.raters.values() for question in questions)
    assert len(counts) == PAIRS
    assert set(counts.values()) == {2}  # twelve questions over six pairs


def test_all_that_a_run_has_can_be_shared_out_and_no_more(store):
    made = share_out(store, ["Aya"], PAIRS * PROMPTS, 0)
    assert len({question.about for question in made.raters["Aya"]}) == PAIRS * PROMPTS
    with pytest.raises(RunError, match="Expected 31 questions for 1 raters, found 30 in ballot.*each fewer"):
        share_out(store, ["Aya"], PAIRS * PROMPTS + 1, 0)
    assert read_assignment(store.folder) == made  # what was refused changed nothing


def test_pictures_that_look_alike_are_shared_out_where_the_others_are_not_enough(store, twins):
    others = (PAIRS - 1) * PROMPTS
    made = share_out(store, ["Aya"], others, 0)
    assert twins not in {question.about[:2] for question in made.raters["Aya"]}
    made = share_out(store, ["Aya"], others + 2, 0)
    assert [question.about[:2] for question in made.raters["Aya"]].count(twins) == 2


def test_a_shortlist_is_shared_out_alone(store):
    made = share_out(store, ["Aya"], 5, 2, among={"ja", "real"})
    assert {question.about[:2] for question in made.raters["Aya"]} == {("ja", "real")}


def test_what_was_answered_is_not_left_and_is_counted(ballot, store):
    made = share_out(store, ["Aya", "Ken"], 4, 2)
    first, *others = made.raters["Aya"]
    pair = assigned_pair(store, first, "ja")
    assert (pair.about, pair.noise) == (first.about, first.noise)
    write_vote(ballot, pair.vote("Aya", "ja", "left"))
    votes = read_votes(ballot)
    assert made.left("Aya", votes) == others
    assert made.left("Ken", votes) == list(made.raters["Ken"])  # also where the question is a common one
    assert made.left("Jo", votes) == []
    assert made.progress(votes) == {"Aya": (1, 4), "Ken": (0, 4)}


def test_a_question_comes_in_the_language_that_its_rater_reads_with_sides_at_random(store):
    question = share_out(store, ["Aya"], 1, 0).raters["Aya"][0]
    for reads, language in (("ja", "ja"), ("en", "en")):
        assert assigned_pair(store, question, reads).language == language
    sides = Counter(assigned_pair(store, question, "ja", random.Random(seed)).left for seed in range(40))
    assert min(sides[question.first], sides[question.second]) > 8


def test_a_question_whose_pictures_are_gone_is_none(store):
    question = share_out(store, ["Aya"], 1, 0).raters["Aya"][0]
    assert assigned_pair(store, question.model_copy(update={"second": "gone"}), "ja") is None
    assert assigned_pair(store, question.model_copy(update={"prompt": "gone"}), "ja") is None


@pytest.mark.parametrize(
    ("raters", "each", "common", "said"),
    [
        ([], 3, 1, "Expected 1 to 50 raters, found 0"),
        (["Aya", "Ken", "Aya"], 3, 1, "found Aya more than once"),
        (["Aya"], 0, 0, "Expected 1 to 300 questions for each rater, found 0"),
        (["Aya"], 3, 4, "Expected 0 to 3 questions that everybody answers.*found 4"),
    ],
)
def test_numbers_and_names_that_make_no_sense_are_named(store, raters, each, common, said):
    with pytest.raises(RunError, match=said):
        share_out(store, raters, each, common)
    assert read_assignment(store.folder) is None


def test_a_file_that_is_none_is_named(store):
    (store.folder / ASSIGNMENT_FILE).write_text('{"version": 1, "raters": []}', encoding="utf-8")
    with pytest.raises(RunError, match=r"assignment.json cannot be read.*Share them out again"):
        read_assignment(store.folder)
