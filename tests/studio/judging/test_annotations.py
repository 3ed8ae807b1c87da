"""Stars, tags and notes: the last word of each rater counts, and they go with the recipe."""

import pytest

from pipelines.recipes.recipe import blend
from studio.errors import RunError
from studio.execution.creation import create_run
from studio.judging.annotations import Annotations, annotate, read_annotations
from studio.runs.individual import Individual
from studio.runs.store import now


@pytest.fixture
def store(tmp_path, small_config):
    opened = create_run(tmp_path / "run", small_config)
    yield opened
    opened.close()


@pytest.fixture
def one(family):
    halves = dict.fromkeys(("attention", "backbone"), [0.5, 0.5, 0, 0])
    recipe = blend(list(family.values()), halves, host={"default": "ja"}, name="0001")
    return Individual("0001", "base", "ja", recipe, {}, True, True, 1.0, now())


def test_nobody_said_anything_yet(store):
    assert read_annotations(store) == {}


def test_the_last_word_of_each_rater_counts(store, one):
    annotate(store, one, rater="美咲", stars=2, tags="暗い", note="")
    annotate(store, one, rater=" Ken ", stars=5, tags="keep、 soft,keep", note="good sushi ")
    annotate(store, one, rater="美咲", stars=4, tags="keep", note="")
    assert read_annotations(store) == {
        one.recipe.digest: Annotations(stars=4.5, tags=("keep", "soft"), notes=(("Ken", "good sushi"),))
    }


def test_stars_taken_back_do_not_count(store, one):
    annotate(store, one, rater="Ken", stars=3, tags="", note="")
    annotate(store, one, rater="Ken", stars=0, tags="", note="")
    assert read_annotations(store)[one.recipe.digest] == Annotations()


def test_six_stars_are_too_many(store, one):
    with pytest.raises(RunError, match="Expected 0 to 5 stars, found 6"):
        annotate(store, one, rater="Ken", stars=6, tags="", note="")
