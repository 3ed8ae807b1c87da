"""Crossover on recipes equals crossover on weights: by hand, and nested on the embedded UNets in float64."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from pipelines.architectures.keys import Layout
from pipelines.recipes.chromosome import Chromosome, Segment
from pipelines.recipes.crossover import (
    CrossoverParameters,
    cross_chromosomes,
    cross_recipes,
    genome_cosine,
    slerp_coefficients,
)
from pipelines.recipes.gram import Gram, compute_block_products, compute_gram

DEPTH = 20


def gram(vectors, stops):
    """Inner products of rows of vectors, in blocks."""

    def read(start, stop):
        return vectors[:, start:stop]

    return Gram(
        np.array(stops), compute_block_products(stops, read), lambda *stretch: read(*stretch) @ read(*stretch).T
    )


def chromosome(size, *segments):
    return Chromosome(size=size, segments=tuple(Segment(stop=stop, weights=weights) for stop, weights in segments))


def weights_at(found, size):
    """One row of weights per element: float64 [size, K]."""
    return np.array([weights for start, stop, weights in found.spans_within(0, size) for _ in range(stop - start)])


def literal_slerp(x, y, t, cosine):
    """SLERP written out on the vectors themselves."""
    omega = math.acos(min(1.0, max(-1.0, cosine)))
    if math.sin(omega) <= 1e-6:
        return (1 - t) * x + t * y
    return math.sin((1 - t) * omega) / math.sin(omega) * x + math.sin(t * omega) / math.sin(omega) * y


def literal_cross(mother, father, genes, stops, angle):
    """M2N2's crossover on flat float64 vectors."""
    child = np.empty_like(mother)
    edges = [0, len(mother)] if angle == "chromosome" else [0, *stops]
    for start, stop in itertools.pairwise(edges):
        x, y = mother[start:stop], father[start:stop]
        norms = np.linalg.norm(x) * np.linalg.norm(y)
        cosine = float(x @ y / norms) if norms > 0 else 1.0
        (point,), (before, after) = genes.split_points, genes.ratios
        split = min(max(point, start), stop)
        child[start:split] = literal_slerp(x, y, before, cosine)[: split - start]
        child[split:stop] = literal_slerp(x, y, after, cosine)[split - start :]
    return child


def test_slerp_of_a_right_angle():
    assert_allclose(slerp_coefficients(0.5, 0.0), (math.sqrt(0.5), math.sqrt(0.5)))
    assert_allclose(slerp_coefficients(0.0, 0.0), (1.0, 0.0), atol=1e-15)
    assert_allclose(slerp_coefficients(1 / 3, 0.0), (math.sqrt(0.75), 0.5))


def test_slerp_is_linear_where_vectors_are_alike():
    assert slerp_coefficients(0.3, 1.0) == (0.7, 0.3)
    assert slerp_coefficients(0.25, 1.0 + 1e-12) == (0.75, 0.25)  # rounding may push a cosine past one
    assert slerp_coefficients(0.25, -1.0) == (0.75, 0.25)  # opposite: no shortest way, so straight through


def test_two_orthogonal_sources_by_hand():
    vectors = np.array([[3.0, 0.0, 0.0, 4.0], [0.0, 5.0, 0.0, 0.0]])
    products = gram(vectors, [4])
    layout = Layout("backbone", ("conv_in.weight",), ((4,),))
    child = cross_chromosomes(
        chromosome(4, (4, (1.0, 0.0))),
        chromosome(4, (4, (0.0, 1.0))),
        CrossoverParameters.mirrored([1], 1 / 3),
        gram=products,
        layout=layout,
    )
    assert [segment.stop for segment in child.segments] == [1, 4]
    assert_allclose(child.segments[0].weights, (math.sqrt(0.75), 0.5))  # before the split t = 1/3
    assert_allclose(child.segments[1].weights, (0.5, math.sqrt(0.75)))  # after it t = 2/3


def test_an_angle_per_tensor_by_hand():
    vectors = np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # first tensor: the same; second: the second source is zero
    layout = Layout("backbone", ("conv_in.weight", "conv_out.weight"), ((2,), (1,)))
    products = gram(vectors, [3])
    parents = chromosome(3, (3, (1.0, 0.0))), chromosome(3, (3, (0.0, 1.0)))
    child = cross_chromosomes(
        *parents, CrossoverParameters.mirrored([3], 0.25), gram=products, layout=layout, angle="tensor"
    )
    assert child.segments == (Segment(stop=3, weights=(0.75, 0.25)),)  # no angle in either: linear, and made one
    by_chromosome = cross_chromosomes(*parents, CrossoverParameters.mirrored([3], 0.25), gram=products, layout=layout)
    assert_allclose(
        by_chromosome.segments[0].weights,
        (math.sqrt(0.5) * 2 * math.sin(0.75 * math.pi / 4), math.sqrt(2) * math.sin(math.pi / 16)),
    )


@pytest.mark.parametrize("seed", range(40))
def test_who_has_no_weight_changes_no_digit_of_a_child(seed):
    """However this processor adds up: the same cosines with sources between that nobody draws from."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 8))
    vectors, wide = rng.standard_normal((count, 60)), count + 2
    places = np.sort(rng.permutation(wide)[:count])
    alone = gram(vectors, [60])
    layout = Layout("backbone", ("conv_in.weight", "conv_out.weight"), ((25,), (35,)))
    genes = CrossoverParameters.mirrored([40], 0.3)
    rows = rng.random((2, count))
    spread = np.zeros((2, wide))
    spread[:, places] = rows
    for angle in ("chromosome", "tensor"):
        child, among_more = (
            cross_chromosomes(
                *(chromosome(60, (60, tuple(row))) for row in parents),
                genes,
                gram=products,
                layout=layout,
                angle=angle,
            )
            for parents, products in ((rows, alone), (spread, alone.widened(places, wide)))
        )
        assert [one.stop for one in child.segments] == [one.stop for one in among_more.segments]
        for one, other in zip(child.segments, among_more.segments, strict=True):
            assert tuple(np.array(other.weights)[places]) == one.weights


def test_inner_products_that_are_widened_twice_by_hand():
    wide = gram(np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]]), [3]).widened([0, 2], 3).widened([1, 2, 3], 4)
    assert wide.between(0, 3).tolist() == [[0, 0, 0, 0], [0, 5, 0, 2], [0, 0, 0, 0], [0, 2, 0, 10]]
    assert wide.between(0, 1).tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_several_split_points_and_none_by_hand():
    assert CrossoverParameters.mirrored([2, 5], 0.25) == CrossoverParameters((2, 5), (0.25, 0.75, 0.25))
    assert CrossoverParameters.mirrored([], 0.25) == CrossoverParameters((), (0.25,))
    vectors = np.ones((2, 6))  # no angle between them: linear
    products = gram(vectors, [6])
    layout = Layout("backbone", ("conv_in.weight",), ((6,),))
    parents = chromosome(6, (6, (1.0, 0.0))), chromosome(6, (6, (0.0, 1.0)))
    child = cross_chromosomes(*parents, CrossoverParameters.mirrored([2, 5], 0.25), gram=products, layout=layout)
    assert [(one.stop, one.weights) for one in child.segments] == [
        (2, (0.75, 0.25)),
        (5, (0.25, 0.75)),
        (6, (0.75, 0.25)),
    ]
    whole = cross_chromosomes(*parents, CrossoverParameters.mirrored([], 0.25), gram=products, layout=layout)
    assert whole.segments == (Segment(stop=6, weights=(0.75, 0.25)),)


def test_one_angle_for_the_whole_genome_by_hand(family, one_hot):
    """Attention at a right angle and a backbone alike: 1 + 1 over sqrt(2 * 2) is a cosine of one half."""
    ja, real = list(one_hot.values())[:2]
    size = {"attention": 2, "backbone": 1}
    made = {
        "attention": np.array([[1.0, 0.0], [0.0, 1.0]]),
        "backbone": np.array([[1.0], [1.0]]),
    }
    grams = {name: gram(vectors, [size[name]]) for name, vectors in made.items()}

    def small(recipe, row):
        parts = {name: chromosome(size[name], (size[name], row)) for name in size}
        return recipe.model_copy(update={"chromosomes": parts})

    layouts = {name: Layout(name, ("conv_in.weight",), ((size[name],),)) for name in size}
    mother, father = small(ja, (1.0, 0.0)), small(real, (0.0, 1.0))
    assert genome_cosine(mother, father, grams) == pytest.approx(0.5)
    genes = dict.fromkeys(size, CrossoverParameters.mirrored([], 0.5))
    child = cross_recipes(mother, father, genes, grams=grams, layouts=layouts, angle="genome")
    half = slerp_coefficients(0.5, 0.5)
    assert_allclose(child.chromosomes["backbone"].segments[0].weights, half)
    assert_allclose(child.chromosomes["attention"].segments[0].weights, half)


@given(st.integers(0, 2**32 - 1), st.integers(0, 10), st.floats(0, 1))
def test_ends_of_the_chromosome(seed, split, ratio):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(2, 10))
    products = gram(vectors, [4, 10])
    layout = Layout("backbone", ("conv_in.weight",), ((10,),))
    parents = chromosome(10, (10, (1.0, 0.0))), chromosome(10, (3, (0.5, 0.5)), (10, (0.0, 1.0)))
    child = cross_chromosomes(*parents, CrossoverParameters.mirrored([split], ratio), gram=products, layout=layout)
    woven = (weights_at(child, 10) * vectors.T).sum(axis=1)
    both = [(weights_at(parent, 10) * vectors.T).sum(axis=1) for parent in parents]
    assert_allclose(
        woven,
        literal_cross(*both, CrossoverParameters.mirrored([split], ratio), [10], "chromosome"),
        rtol=1e-10,
        atol=1e-12,
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 30))
def test_gram_of_any_stretch(seed, one, other):
    vectors = np.random.default_rng(seed).normal(size=(3, 30))
    stops = [7, 14, 21, 28, 30]
    products = gram(vectors, stops)
    start, stop = min(one, other) - 1, max(one, other)
    assert_allclose(products.between(start, stop), vectors[:, start:stop] @ vectors[:, start:stop].T, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("angle", ["chromosome", "tensor"])
@pytest.mark.parametrize("name", ["attention", "backbone"])
@settings(max_examples=3)
@given(seed=st.integers(0, 2**32 - 1))
def test_nested_crossover_equals_nested_slerp_on_the_embedded_unets(family, one_hot, layouts, name, angle, seed):
    """Depth 20 from random seeds, splits anywhere, float64, to 1e-10 relative."""
    rng = np.random.default_rng(seed)
    grams = {name: compute_gram(list(family.values()), layout) for name, layout in layouts.items()}
    layout = layouts[name]
    part = [source.components["unet"] for source in family.values()]
    sources = np.stack([one.read_flat(layout, 0, layout.size).double().numpy() for one in part])  # [4, n]
    recipes, vectors = list(one_hot.values()), list(sources)
    for _ in range(DEPTH):
        a, b = rng.choice(len(recipes), size=2, replace=False)
        genes = {
            key: CrossoverParameters.mirrored([int(rng.integers(one.size))], float(rng.random()))
            for key, one in layouts.items()
        }
        recipes.append(cross_recipes(recipes[a], recipes[b], genes, grams=grams, layouts=layouts, angle=angle))
        vectors.append(literal_cross(vectors[a], vectors[b], genes[name], layout.stops, angle))
        recipes, vectors = recipes[-4:], vectors[-4:]  # the next parents are among the youngest: depth grows
    woven = np.empty(layout.size)
    for start, stop, weights in recipes[-1].chromosomes[name].spans_within(0, layout.size):
        woven[start:stop] = np.array(weights) @ sources[:, start:stop]
    assert np.linalg.norm(woven - vectors[-1]) <= 1e-10 * np.linalg.norm(vectors[-1])
    assert len(recipes[-1].chromosomes[name].segments) > DEPTH / 4
