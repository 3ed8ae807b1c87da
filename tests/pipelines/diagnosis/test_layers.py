"""Which tensors make a layer, and which layers stand out: numbers small enough to check by hand."""

import pytest

from pipelines.diagnosis.layers import (
    MOST_ORDERS,
    LayerName,
    deviations_from,
    deviations_within,
    layer_name,
    layers_built_alike,
    standing_out,
)


@pytest.mark.parametrize(
    ("tensor", "layer", "role"),
    [
        ("text_model.encoder.layers.11.mlp.fc1.weight", "text_model.encoder.layers.11", "mlp.fc1.weight"),
        (
            "down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_out.0.bias",
            "down_blocks.1.attentions.0.transformer_blocks.1",
            "attn1.to_out.0.bias",
        ),
        ("up_blocks.0.resnets.2.conv1.weight", "up_blocks.0.resnets.2", "conv1.weight"),
        ("mid_block.attentions.0.norm.weight", "mid_block.attentions.0", "norm.weight"),
        ("up_blocks.1.upsamplers.0.conv.weight", "up_blocks.1.upsamplers.0", "conv.weight"),
    ],
)
def test_a_tensor_belongs_to_the_innermost_layer(tensor, layer, role):
    assert layer_name(tensor) == LayerName(layer, role)


@pytest.mark.parametrize("tensor", ["conv_in.weight", "time_embedding.linear_1.weight", "text_projection.weight", ""])
def test_what_is_in_no_list_of_layers_belongs_to_none(tensor):
    assert layer_name(tensor) is None


def test_layers_are_alike_that_have_the_same_matrices_in_the_same_shapes():
    shapes = {
        "a.layers.0.w": (2, 2), "a.layers.1.w": (2, 2), "a.layers.2.w": (2, 3),
        "a.layers.3.w": (2, 2), "a.layers.3.b": (2,), "b.resnets.0.w": (2, 2), "conv.weight": (9,),
    }  # fmt: skip
    assert sorted(map(sorted, layers_built_alike(shapes))) == [
        ["a.layers.0", "a.layers.1", "a.layers.3"],  # scales and biases aside
        ["a.layers.2"],
        ["b.resnets.0"],
    ]


def group(*layers):
    return {layer: {"w": f"{layer}.w", "b": f"{layer}.b"} for layer in layers}


def sizes(**layers):
    return {f"{layer}.{role}": size for layer, both in layers.items() for role, size in zip("wb", both, strict=True)}


def test_a_layer_deviates_by_orders_of_magnitude_from_the_median():
    found = deviations_within(group(*"xyz"), sizes(x=(1.0, 2.0), y=(10.0, 2.0), z=(1000.0, 0.2)))
    assert found == pytest.approx({"x": 0.5, "y": 0.0, "z": 1.5})  # medians 10 and 2: (1 + 0) / 2, 0, (2 + 1) / 2


def test_nothing_is_as_far_off_as_can_be_and_what_is_usually_nothing_tells_nothing():
    found = deviations_within(group(*"xyz"), sizes(x=(1.0, 0.0), y=(1.0, 5.0), z=(0.0, 0.0)))
    assert found == {"x": 0.0, "y": 0.0, "z": MOST_ORDERS}


def test_two_layers_cannot_tell_which_is_off():
    assert deviations_within(group("x", "y"), sizes(x=(1.0, 1.0), y=(1e6, 1.0))) == {}


def test_beside_another_source_each_layer_has_its_own_measure():
    mine, theirs = sizes(x=(1.0, 1.0), y=(4.0, 100.0)), sizes(x=(1.0, 1.0), y=(4.0, 1.0))
    assert deviations_from(group("x", "y"), mine, theirs) == {"x": 0.0, "y": 1.0}


@pytest.mark.parametrize(
    ("deviations", "expected"),
    [
        ([0.1, 0.1, 3.0], [2]),
        ([0.1, 3.0, 0.2, 2.9, 0.1], [1, 3]),  # two of five
        ([0.1, 3.0, 2.9], []),  # two of three: which are the healthy ones?
        ([0.1, 0.2, 0.3], []),  # none more than twice as far as the next
        ([0.0, 0.0, 0.29], []),  # less than a factor of two
        ([0.0, 0.0, 0.31], [2]),
        ([1.0], []),
        ([], []),
    ],
)
def test_a_layer_stands_out_that_is_far_from_all_that_are_not(deviations, expected):
    found = standing_out({str(place): far for place, far in enumerate(deviations)})
    assert found == [str(place) for place in expected]
