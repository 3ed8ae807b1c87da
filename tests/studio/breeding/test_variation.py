"""The first individuals and how offspring are drawn: by hand, and on the embedded family."""

import math

import numpy as np
import pytest

import assets
from pipelines.recipes.crossover import genome_cosine
from pipelines.recipes.gram import Gram
from pipelines.recipes.lineage import Lineage
from studio.breeding.initial_population import merge_baselines, source_recipes
from studio.breeding.variation import BINS, RecipeCrossover
from studio.errors import ConfigError
from studio.runs.config import Breeding, embedded


@pytest.fixture
def crossover(family, one_hot):
    """Gives the crossover on the embedded family, with options."""

    def make(**options):
        return RecipeCrossover(embedded(breeding=options), family, one_hot["ja"])

    return make


def rows_of(recipe):
    """The weights of a recipe that is the same everywhere."""
    (row,) = {segment.weights for chromosome in recipe.chromosomes.values() for segment in chromosome.segments}
    return row


def test_the_paper_draws_a_split_and_a_ratio_for_each_chromosome(crossover, one_hot, layouts):
    child = crossover()(one_hot["ja"], one_hot["real"], np.random.default_rng(5))
    same = np.random.default_rng(5)
    for name in ("attention", "backbone"):
        assert child.lineage.splits[name] == int(same.integers(layouts[name].size))
        assert child.lineage.ratios[name] == float(same.random())
        assert [segment.stop for segment in child.chromosomes[name].segments] == [
            child.lineage.splits[name],
            layouts[name].size,
        ]
    assert (child.name, child.lineage.mother, child.lineage.father) == ("0001", "ja", "real")


def test_no_split_point_and_many(crossover, one_hot):
    rng = np.random.default_rng(0)
    whole = crossover(split_points=0)(one_hot["ja"], one_hot["real"], rng)
    assert whole.lineage.splits == {}
    assert all(len(chromosome.segments) == 1 for chromosome in whole.chromosomes.values())
    three = crossover(split_points=3)(one_hot["ja"], one_hot["real"], rng)
    assert all(len(chromosome.segments) == 4 for chromosome in three.chromosomes.values())
    assert list(three.lineage.splits["attention"]) == sorted(three.lineage.splits["attention"])
    w, mirrored, again, last = three.lineage.ratios["attention"]
    assert (mirrored, again, last) == (1 - w, w, 1 - w)


def test_split_points_grow_with_age(crossover, one_hot):
    growing, counts = crossover(split_points=3, split_growth=10), []
    for number in (1, 10, 11, 20, 21, 90):
        child = growing(one_hot["ja"], one_hot["real"], np.random.default_rng(1), number=number)
        assert child.name == f"{number:04d}"
        counts.append(len(child.chromosomes["backbone"].segments) - 1)
    assert counts == [1, 1, 2, 2, 3, 3]


def test_one_ratio_and_ratios_near_half(crossover, one_hot):
    alike = crossover(one_ratio=True)(one_hot["ja"], one_hot["real"], np.random.default_rng(2))
    assert alike.lineage.ratios["attention"] == alike.lineage.ratios["backbone"]
    peaked, rng = crossover(beta=50.0), np.random.default_rng(2)
    drawn = [peaked(one_hot["ja"], one_hot["real"], rng).lineage.ratios["attention"] for _ in range(50)]
    assert 0.3 < min(drawn) < max(drawn) < 0.7  # Beta(50, 50) has a standard deviation of 0.05


def test_small_steps_stay_near_the_better_parent(crossover, one_hot):
    near = crossover(step=0.1)
    for better, row in (("ja", 1), ("real", 3)):
        child = near(one_hot["ja"], one_hot["real"], np.random.default_rng(3), better=better)
        weights = [segment.weights[row] for one in child.chromosomes.values() for segment in one.segments]
        assert len(weights) == 4
        assert min(weights) > 0.89
        assert child.lineage.mother == "ja"


def test_one_split_through_the_whole_network(crossover, one_hot, layouts):
    child = crossover(together=True)(one_hot["ja"], one_hot["real"], np.random.default_rng(4))
    total = sum(layout.size for layout in layouts.values())
    split = int(np.random.default_rng(4).integers(total))
    assert sum(child.lineage.splits.values()) == split
    assert child.lineage.ratios["attention"] == child.lineage.ratios["backbone"]
    # whatever comes before the split in one chromosome comes before what follows it in the other
    last = {name: layouts[name].names[layouts[name].tensor_at(own)] for name, own in child.lineage.splits.items()}
    assert {name.split(".")[0] for name in last.values()} == {"up_blocks"}


def test_a_split_beyond_a_chromosome_is_learned_from_without_harm(crossover, one_hot, layouts):
    together = crossover(together=True)
    size = layouts["attention"].size
    rng = np.random.default_rng(4)
    children = (together(one_hot["ja"], one_hot["real"], rng) for _ in range(1000))
    child = next(child for child in children if child.lineage.splits["attention"] == size)
    together.learn(child.lineage, entered=True)


APART = {"self_attention": ["*.attn1.*"], "cross_attention": ["*.attn2.*"]}


def test_a_boundary_keeps_a_group_from_one_source(family):
    config = embedded(chromosomes=APART, frozen={"cross_attention": "ja"})
    first = source_recipes(config, family)
    bred = RecipeCrossover(config, family, first["ja"])
    assert set(bred.layouts) == {"self_attention", "rest"}
    child = bred(first["flat"], first["real"], np.random.default_rng(7))
    (segment,) = child.chromosomes["cross_attention"].segments
    assert segment.weights == (0, 1, 0, 0)  # base, ja, flat, real: whoever the parents are
    assert set(child.lineage.splits) == set(child.lineage.ratios) == {"self_attention", "rest"}
    before, after = child.chromosomes["self_attention"].segments
    assert before.weights[1] == after.weights[1] == 0
    assert bred.compatibility(first["flat"], first["real"]) == 1.0  # off: exp(0)
    everything = embedded(chromosomes={"all": ["*"]}, frozen={"all": "ja"})
    first = source_recipes(everything, family)
    with pytest.raises(ConfigError, match="Every chromosome is frozen"):
        RecipeCrossover(everything, family, first["ja"])


def test_guided_splits_fall_where_they_paid(crossover, one_hot, layouts):
    guided = crossover(guided=True)
    size = layouts["attention"].size
    for _ in range(16):  # beside the four sources, these fill the archive: nobody had to win a place
        guided.learn(Lineage(mother="a", father="b", splits={"attention": 0}), True)
    for number in range(60):
        place = (number % BINS + 0.5) / BINS  # each bin six times; only the fourth ever pays
        guided.learn(Lineage(mother="a", father="b", splits={"attention": int(place * size)}), number % BINS == 3)
    rng = np.random.default_rng(6)
    bins = [guided(one_hot["ja"], one_hot["real"], rng).lineage.splits["attention"] * BINS // size for _ in range(100)]
    # (1 + 6) / (2 + 6) in the fourth, 1 / (2 + 6) in the nine others: seven of sixteen
    assert 30 < bins.count(3) < 58
    assert bins.count(0) < 20
    assert len(set(bins)) > 5


def test_mates_at_a_smaller_angle_fit_better(crossover, family, one_hot):
    choosy = crossover(compatibility=2.0)
    assert choosy.compatibility(one_hot["ja"], one_hot["ja"]) == pytest.approx(1.0, abs=1e-6)
    names = list(one_hot)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    angles = [math.acos(genome_cosine(one_hot[a], one_hot[b], choosy.grams)) for a, b in pairs]
    for (a, b), angle in zip(pairs, angles, strict=True):
        expected = math.exp(-2 * angle / np.mean(angles))
        assert choosy.compatibility(one_hot[a], one_hot[b]) == pytest.approx(expected, rel=1e-6)


def test_merges_made_by_hand(family):
    made = merge_baselines(
        embedded(breeding={"merges": True, "task_arithmetic": "base"}), family
    )  # base, ja, flat, real
    assert [one.name for one in made] == [f"{number:04d}" for number in range(1, 12)]
    rows = [rows_of(one) for one in made]
    assert rows[:3] == [(0.5, 0.5, 0, 0), (0.5, 0, 0.5, 0), (0.5, 0, 0, 0.5)]
    assert (0.25, 0.25, 0.25, 0.25) in rows
    assert (-1, 1, 1, 0) in rows  # base + (ja - base) + (flat - base)
    assert (-2, 1, 1, 1) in rows
    assert all(math.isclose(sum(row), 1.0) for row in rows)
    assert (made[0].lineage.mother, made[0].lineage.father) == ("base", "ja")
    assert len(merge_baselines(embedded(breeding={"merges": True}), family)) == 7


def test_of_two_sources_task_arithmetic_adds_nothing(family):
    """Base + (ja - base) is ja itself."""
    two = {name: family[name] for name in ("base", "ja")}
    config = embedded(
        sources=[str(assets.FAMILY / name) for name in two], breeding={"merges": True, "task_arithmetic": "base"}
    )
    (mean,) = merge_baselines(config, two)
    assert rows_of(mean) == (0.5, 0.5)


def test_a_merge_of_two_is_made_once(family):
    two = {name: family[name] for name in ("base", "ja")}
    assert [rows_of(one) for one in merge_baselines(embedded(breeding={"merges": True}), two)] == [(0.5, 0.5)]


def test_options_that_contradict_each_other():
    for options, message in (
        ({"guided": True, "together": True}, "expected one of the two"),
        ({"step": 0.5, "together": True}, "expected one of the two"),
        ({"task_arithmetic": "base"}, "expected merges: true beside it"),
    ):
        with pytest.raises(ConfigError, match=message):
            embedded(breeding=options)
    assert Breeding() == embedded().breeding


def test_weights_go_to_every_chromosome_that_is_merged(family):
    recipe = embedded(merge_text_encoders=True).weighted(family, [0, 1, 0, 0], name="ja")
    assert set(recipe.chromosomes) == {"attention", "backbone", "text_encoder", "text_encoder_2"}


@pytest.mark.parametrize("options", [{}, {"together": True}], ids=["chromosomes", "together"])
def test_parents_that_meet_again_have_the_angle_they_had(crossover, one_hot, monkeypatch, options):
    asked = []
    between = Gram.between
    monkeypatch.setattr(Gram, "between", lambda gram, *stretch: asked.append(stretch) or between(gram, *stretch))
    cross = crossover(**options)
    first = cross(one_hot["ja"], one_hot["real"], np.random.default_rng(5))
    once = len(asked)
    assert cross(one_hot["ja"], one_hot["real"], np.random.default_rng(5)) == first
    assert len(asked) == once > 0
    monkeypatch.setattr("studio.breeding.variation.MET", 1)
    other = cross(one_hot["real"], one_hot["ja"], np.random.default_rng(5))
    cross(first, one_hot["ja"], np.random.default_rng(5))
    assert crossover(**options)(one_hot["real"], one_hot["ja"], np.random.default_rng(5)) == other
    assert len(cross._met) <= 2
