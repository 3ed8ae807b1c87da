"""Weak spots of archives small enough to check by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest

from eval.prompts.prompt_set import Prompt
from pipelines.recipes.recipe import blend
from studio.analysis.source_shares import mean_share, offspring_alive
from studio.analysis.weak_spots import best_by_category, best_by_prompt, is_weak, noises_wanted, suggestions
from studio.runs.individual import Individual

PROMPTS = [Prompt(id=str(row), category="food" if row < 5 else "animals", ja=f"題材{row}") for row in range(9)]


@pytest.fixture
def person(family, one_hot):
    """Makes an individual from its scores per prompt: a source, or an offspring of weights (base, ja, flat, real)."""

    def make(id, scores, weights=None, *, alive=True, noises=1):
        values = np.array(scores, dtype=np.float64)
        recipe = (
            one_hot[id]
            if weights is None
            else blend(
                list(family.values()), {"attention": weights, "backbone": weights}, host={"default": "ja"}, name=id
            )
        )
        return Individual(
            id=id,
            mother=None if weights is None else "base",
            father=None if weights is None else "ja",
            recipe=recipe,
            scores={"ja": values.reshape(len(values), -1).repeat(noises, axis=1) if values.ndim == 1 else values},
            entered=True,
            alive=alive,
            seconds=1.0,
            born=datetime(2026, 1, 1, tzinfo=UTC),
        )

    return make


@pytest.fixture
def archive(person):
    """`ja` draws animals, `real` food; one child draws animals like `ja`, and food worse than `real`, who has died."""
    return [
        person("ja", [0.1, 0.1, 0.1, 0.1, 0.1, 0.8, 0.8, 0.8, 0.0]),
        person("real", [0.9, 0.8, 0.9, 0.8, 0.9, 0.2, 0.2, 0.2, 0.05], alive=False),
        person("0001", [0.5, 0.5, 0.5, 0.5, 0.5, 0.8, 0.9, 0.9, 0.04], [0.0, 0.75, 0.0, 0.25]),
    ]


def test_the_lowest_quarter_is_weak_unless_all_are_alike():
    assert is_weak(np.array([0.1, 0.5, 0.6, 0.7])).tolist() == [True, False, False, False]
    assert is_weak(np.array([0.3, 0.3, 0.3])).tolist() == [False, False, False]


def test_every_prompt_has_its_owners_with_their_margin(archive):
    found = best_by_prompt(archive, PROMPTS, "ja")
    first = found[0]
    assert (first.best, first.score) == ("0001", 0.5)  # real has died
    assert (first.source, first.source_score, first.margin) == ("real", 0.9, pytest.approx(0.8))
    assert (first.offspring, first.offspring_score, first.source_alive) == ("0001", 0.5, False)
    assert found[5].source_alive
    assert (found[5].best, found[5].source) == ("ja", "ja")  # the oldest of two equally good
    assert [spot.weak for spot in found] == [False] * 8 + [True]
    assert best_by_prompt(archive, PROMPTS, "en") == []


def test_categories_sum_their_prompts_up(archive):
    food, animals = best_by_category(archive, best_by_prompt(archive, PROMPTS, "ja"), "ja")
    assert (food.name, food.prompts, food.weak, food.source, food.offspring) == ("food", 5, 0, "real", "0001")
    assert food.source_score == pytest.approx(0.86)
    assert food.margin == pytest.approx(0.76)
    assert food.best == pytest.approx(0.5)
    assert food.interval[0] <= -0.36 <= food.interval[1] < 0
    assert animals.interval is None  # four prompts tell nothing
    assert (animals.source, animals.weak) == ("ja", 1)
    assert animals.best == pytest.approx((0.8 + 0.9 + 0.9 + 0.04) / 4)


def test_a_sources_share_counts_its_weights_in_the_offspring_alive(archive):
    assert mean_share(offspring_alive(archive), "real") == pytest.approx(0.25)
    assert mean_share(offspring_alive(archive[:2]), "real") == 0.0


def test_suggestions_come_with_the_figures_that_say_so(archive):
    found = {one.kind: one.values for one in suggestions(archive, best_by_prompt(archive, PROMPTS, "ja"), "ja")}
    assert set(found) == {"source_ahead", "undrawn"}
    ahead = found["source_ahead"]
    assert (ahead["source"], ahead["category"], ahead["score"], ahead["best"]) == ("real", "food", "0.860", "0.500")
    assert ahead["share"] == "25%"
    assert float(ahead["low"]) <= 0.36 <= float(ahead["high"])
    undrawn = found["undrawn"]
    assert (undrawn["n"], undrawn["prompt"], undrawn["source"], undrawn["score"]) == ("1", "題材8", "real", "0.050")
    assert undrawn["usual"] == "0.100"  # of 18 scores of sources: 0, 0.05, five times 0.1, and higher ones


def test_nothing_is_suggested_where_nothing_stands_out(person):
    good = [0.5, 0.6, 0.5, 0.6, 0.5, 0.6, 0.5, 0.6, 0.5]
    equal = [person("ja", good), person("real", good), person("0001", good, [0, 1, 0, 0])]
    assert suggestions(equal, best_by_prompt(equal, PROMPTS, "ja"), "ja") == []
    assert suggestions([], [], "ja") == []


def test_a_source_that_is_ahead_by_chance_is_not_mentioned(person):
    archive = [
        person("ja", [0.1] * 9),
        person("real", [0.9, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
        person("0001", [0.1, 0.7, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], [0, 1, 0, 0]),
    ]
    assert "source_ahead" not in {
        one.kind for one in suggestions(archive, best_by_prompt(archive, PROMPTS, "ja"), "ja")
    }


def test_more_noises_are_wanted_where_chance_hides_the_individuals():
    # Both gain 0.4 from the second noise on average: that cancels. What is left is 0.1 each, four times: 0.04 in all.
    same = [np.array([[0.2, 0.8]]), np.array([[0.4, 0.6]])]
    chance, individual, noises = noises_wanted(same)
    assert chance == pytest.approx(np.sqrt(0.04 / 2))
    assert individual == 0.0
    assert noises == 8
    # Means 0.2 and 0.5: their variance is 0.045, of which chance explains 0.005.
    assert noises_wanted([np.array([[0.15, 0.25]]), np.array([[0.55, 0.45]])]) is None
    assert noises_wanted([np.array([[0.2]]), np.array([[0.6]])]) is None  # one noise tells nothing
    assert noises_wanted(same[:1]) is None


def test_as_many_noises_as_bring_chance_to_half():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1, (200, 40, 1))
    scores = list(0.5 + 0.01 * true + 0.02 * rng.normal(0, 1, (200, 40, 2)))
    chance, individual, noises = noises_wanted(scores)
    assert chance == pytest.approx(0.02 / np.sqrt(2), rel=0.05)
    assert individual == pytest.approx(0.01, rel=0.1)
    assert noises == 8  # 2 * 0.02^2 / 0.01^2
