"""Mixes between two recipes: numbers by hand, both ends, and what cannot be mixed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import RecipeError
from pipelines.recipes.chromosome import Chromosome, Segment
from pipelines.recipes.crossover import mix_recipes
from pipelines.recipes.recipe import Recipe, RecipeSource, parse_recipe
from pipelines.recipes.statement import LicenceStatement

HASH = "0" * 64


def recipe(name, attention, backbone, **more):
    """A recipe over two sources, its chromosomes as (stop, weights)."""
    parts = {"attention": attention, "backbone": backbone}
    return Recipe(
        name=name,
        sources=tuple(RecipeSource(name=one, uri=one, licence="MIT", sha256={"unet": HASH}) for one in ("a", "b")),
        host={"default": "a"},
        chromosomes={
            part: Chromosome(
                size=segments[-1][0], segments=tuple(Segment(stop=stop, weights=weights) for stop, weights in segments)
            )
            for part, segments in parts.items()
        },
    ).model_copy(update=more)


LEFT = recipe("left", [(4, (1.0, 0.0)), (10, (0.5, 0.5))], [(8, (1.0, 0.0))])
RIGHT = recipe("right", [(6, (0.0, 1.0)), (10, (0.25, 0.75))], [(8, (0.0, 1.0))])


def segments(found, part):
    return [(one.stop, one.weights) for one in found.chromosomes[part].segments]


def test_split_points_of_both_stand_side_by_side_and_each_part_has_its_ratio():
    mix = mix_recipes(LEFT, RIGHT, {"attention": 0.5, "backbone": 0.25}, name="mix")
    assert segments(mix, "attention") == [(4, (0.5, 0.5)), (6, (0.25, 0.75)), (10, (0.375, 0.625))]
    assert segments(mix, "backbone") == [(8, (0.75, 0.25))]
    assert (mix.name, mix.lineage.mother, mix.lineage.father) == ("mix", "left", "right")
    assert mix.lineage.ratios == {"attention": 0.5, "backbone": 0.25}
    assert [one.licence for one in mix.sources] == ["MIT", "MIT"]
    assert parse_recipe(mix.to_json()) == mix


def test_both_ends_are_the_recipes_themselves():
    for ratio, end in ((0.0, LEFT), (1.0, RIGHT)):
        assert mix_recipes(LEFT, RIGHT, dict.fromkeys(LEFT.chromosomes, ratio)).digest == end.digest


@settings(max_examples=30)
@given(st.floats(0, 1))
def test_a_mix_of_a_recipe_with_itself_is_that_recipe(ratio):
    mix = mix_recipes(LEFT, LEFT, dict.fromkeys(LEFT.chromosomes, ratio))
    for part, chromosome in LEFT.chromosomes.items():
        for position in range(chromosome.size):
            here, there = (
                next(one.chromosomes[part].spans_within(position, position + 1)).weights for one in (mix, LEFT)
            )
            assert here == pytest.approx(there, abs=1e-15)


def test_what_a_person_stated_of_one_does_not_hold_for_a_mix():
    statement = LicenceStatement(reason="ours", who="Aya", when="2026-01-02T03:04:05Z")
    stated = LEFT.model_copy(update={"licence_statement": statement})
    assert mix_recipes(stated, RIGHT, dict.fromkeys(LEFT.chromosomes, 0.5)).licence_statement is None


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (RIGHT.model_copy(update={"sources": RIGHT.sources[::-1]}), "their sources differ"),
        (RIGHT.model_copy(update={"host": {"default": "b"}}), "what is not merged from different sources"),
        (recipe("right", [(9, (0.0, 1.0))], [(8, (0.0, 1.0))]), "they merge other parts"),
    ],
)
def test_recipes_that_share_too_little_are_refused(other, problem):
    with pytest.raises(RecipeError, match=problem):
        mix_recipes(LEFT, other, dict.fromkeys(LEFT.chromosomes, 0.5))
