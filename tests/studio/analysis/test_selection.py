"""Whom the wall shows: four individuals and three prompts, small enough to follow by hand."""

from dataclasses import replace

import numpy as np
import pytest

from eval.prompts.prompt_set import Prompt, PromptSet
from pipelines.recipes.recipe import blend
from studio.analysis.selection import WallFilter, diversity, hall_of_fame, niches_held, prompt_rows, select_individuals
from studio.analysis.source_shares import source_shares
from studio.judging.annotations import Annotations
from studio.runs.individual import Individual
from studio.runs.store import now

PROMPTS = PromptSet(
    name="three",
    prompts=(
        Prompt(id="a", ja="柴犬", en="Shiba", category="animals"),
        Prompt(id="b", ja="寿司", en="sushi", category="food"),
        Prompt(id="c", ja="団子", en="rice dumplings", category="food"),
    ),
)
TABLE = {"old": [0.9, 0.1, 0.1], "dog": [0.8, 0.2, 0.2], "cook": [0.1, 0.6, 0.7], "twin": [0.1, 0.6, 0.6]}


@pytest.fixture(scope="module")
def everyone(family):
    """`old` is dead; `cook` is made of `ja` alone, the others of `base` and `real`."""
    made_of = {"old": [0.5, 0, 0, 0.5], "dog": [0.4, 0, 0, 0.6], "cook": [0, 1, 0, 0], "twin": [0.6, 0, 0, 0.4]}
    found = []
    for name, row in TABLE.items():
        weights = made_of[name]
        recipe = blend(
            list(family.values()), {"attention": weights, "backbone": weights}, host={"default": "ja"}, name=name
        )
        scores = {"ja": np.array(row)[:, np.newaxis], "en": np.array(row[::-1])[:, np.newaxis]}
        found.append(Individual(name, "base", "ja", recipe, scores, True, name != "old", 1.0, now()))
    return found


def ids(everyone, marked=None, strengths=None, **wanted):
    return [
        one.id for one in select_individuals(everyone, PROMPTS, WallFilter(**wanted), marked or {}, strengths or {})
    ]


def test_those_alive_come_by_their_mean_and_the_older_first(everyone):
    assert ids(everyone) == ["cook", "twin", "dog"]  # 1.4, 1.3 and 1.2 thirds
    assert ids(everyone, show="all", sort="newest") == ["twin", "cook", "dog", "old"]


def test_scores_count_over_a_category_or_a_word(everyone):
    assert ids(everyone, category="animals") == ["dog", "cook", "twin"]
    assert ids(everyone, text="SHIBA", show="all") == ["old", "dog", "cook", "twin"]
    assert prompt_rows(PROMPTS, WallFilter(category="food", text="団")) == [2]
    assert ids(everyone, text="猫") == []


def test_english_has_an_order_of_its_own(everyone):
    assert ids(everyone, sort="en", category="animals") == ["cook", "twin", "dog"]  # the last column of the table


def test_the_hall_of_fame_has_the_best_of_each_prompt_and_on_average(everyone):
    """Japanese: old, cook (as old as twin) and cook; cook on average. English: the same rows from right to left."""
    assert [one.id for one in hall_of_fame(everyone)] == ["old", "cook"]
    assert ids(everyone, show="fame") == ["cook", "old"]


def test_sources_filter_by_their_share(everyone):
    assert source_shares(everyone[0].recipe)["real"] == 0.5
    assert ids(everyone, source="ja") == ["cook"]
    assert ids(everyone, source="real", share=0.4) == ["twin", "dog"]
    assert ids(everyone, source="real", share=0.5) == ["dog"]


def test_stars_and_tags_filter_and_sort(everyone):
    by_name = {one.id: one.recipe.digest for one in everyone}
    marked = {by_name["dog"]: Annotations(stars=4.5, tags=("keep",)), by_name["twin"]: Annotations(stars=2.0)}
    assert ids(everyone, marked, sort="stars") == ["dog", "twin", "cook"]
    assert ids(everyone, marked, stars=3) == ["dog"]
    assert ids(everyone, marked, tag="keep") == ["dog"]


def test_votes_rank_those_that_were_voted_on(everyone):
    assert ids(everyone, strengths={"dog": -0.4, "twin": 1.1, "old": 2.0}, sort="votes") == ["twin", "dog"]


def test_niches_are_counted_by_their_holders():
    """Prompt by prompt: the first, the second (the third is as good and newer), nobody, as all are equal."""
    table = np.array([[0.9, 0.1, 0.5], [0.2, 0.6, 0.5], [0.1, 0.6, 0.5]])
    assert niches_held(table).tolist() == [1, 1, 0]


def test_diversity_is_the_distance_to_the_most_alike():
    table = np.array([[0.0, 0.0], [0.0, 0.2], [1.0, 1.0]])
    assert diversity(table) == pytest.approx([0.1, 0.1, 0.9])
    assert diversity(table[:1]) == [0.0]


def test_equal_shares_of_nobody_are_not_shown(everyone):
    assert ids([replace(everyone[0], scores={})], show="all") == []
