"""Damage done by hand to embedded sources is found, and nothing else: norms and distances by formulas of their own."""

import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.checkpoints.sources import open_source
from pipelines.diagnosis.measures import measure_components, same_build
from pipelines.diagnosis.weights import WeightFault, distances, weight_faults

PART = "text_encoder"
LAYER = "text_model.encoder.layers.1"


@pytest.fixture
def damaged(copied):
    """A copy of `ja` with one component changed by hand; the change is given its tensors."""

    def damage(change, part=PART, name="ja"):
        folder = copied(name, "damaged")
        file = next((folder / part).glob("*.safetensors"))
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, {"format": "pt"})
        return open_source(folder)

    return damage


def measured(*sources, part=PART):
    return measure_components([source.components[part] for source in sources])


def layer(tensors, prefix=LAYER):
    return [name for name in tensors if name.startswith(f"{prefix}.")]


def scaled(factor, prefix=LAYER):
    def change(tensors):
        for name in layer(tensors, prefix):
            tensors[name] = (tensors[name].double() * factor).half()

    return change


def shuffled(tensors):
    for name in layer(tensors):
        order = torch.randperm(tensors[name].numel(), generator=torch.Generator().manual_seed(0))
        tensors[name] = tensors[name].flatten()[order].reshape(tensors[name].shape)


def rms(source, name, part=PART):
    values = source.components[part].read(name).double().numpy()
    return math.sqrt((values**2).mean())


@pytest.mark.parametrize("part", ["unet", "text_encoder", "text_encoder_2", "vae"])
def test_healthy_sources_have_no_faults(family, part):
    components = [source.components[part] for source in family.values()]
    for places in same_build(components):
        measures = measure_components([components[place] for place in places])
        assert [weight_faults(measures, row) for row in range(len(places))] == [[]] * len(places)


def test_inner_products_are_those_of_the_values(family):
    ja, flat = family["ja"], family["flat"]
    measures = measured(ja, flat, part="vae")
    for name in ("decoder.conv_in.weight", "encoder.conv_norm_out.bias"):
        vectors = np.stack([one.components["vae"].read(name).double().flatten().numpy() for one in (ja, flat)])
        np.testing.assert_allclose(measures.products[name], vectors @ vectors.T, rtol=1e-12)
        assert measures.sizes(1)[name] == pytest.approx(rms(flat, name, "vae"), rel=1e-12)


def test_progress_ends_at_one(family):
    told = []
    measure_components([family["ja"].components["vae"]], told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_layer_a_thousand_times_too_large_is_found_among_its_like(damaged):
    source = damaged(scaled(1000.0))
    names = layer(source.components[PART].tensors)
    orders = []
    for name in names:
        like = sorted(rms(source, name.replace("layers.1", f"layers.{number}")) for number in range(3))
        if len(source.components[PART].tensors[name].shape) > 1:
            orders.append(abs(math.log10(rms(source, name) / like[1])))
    (fault,) = weight_faults(measured(source), 0)
    assert (fault.fault, fault.component, fault.place) == ("apart", PART, LAYER)
    assert fault.factor == pytest.approx(10 ** (sum(orders) / len(orders)), rel=1e-9)
    assert 100 < fault.factor < 10_000


def test_beside_the_original_the_factor_is_exact(damaged, family):
    """The UNet has no three layers that are built alike of each kind: another source tells."""
    block = "up_blocks.0.resnets.0"
    source = damaged(scaled(1 / 64, block), "unet")  # a power of two: rounding does nothing but to the smallest
    faults = weight_faults(measured(source, family["ja"], part="unet"), 0)
    (fault,) = [fault for fault in faults if fault.place == block]
    assert (fault.fault, fault.other) in {("apart_from", 1), ("apart", None)}
    if fault.fault == "apart_from":
        assert fault.factor == pytest.approx(64, rel=0.01)


def test_a_layer_of_zeros_is_named_so(damaged):
    source = damaged(scaled(0.0))
    assert weight_faults(measured(source), 0) == [WeightFault("zero", PART, LAYER)]


def test_a_shuffled_layer_shows_beside_another_source_only(damaged, family):
    source = damaged(shuffled)
    assert weight_faults(measured(source), 0) == []
    both = measured(source, family["ja"])
    assert weight_faults(both, 0) == [WeightFault("foreign", PART, LAYER, other=1)]


def test_of_three_sources_the_odd_one_out_is_broken(damaged, family):
    three = measured(damaged(shuffled), family["ja"], family["ja"])
    assert [weight_faults(three, row) for row in range(3)] == [[WeightFault("foreign", PART, LAYER, other=1)], [], []]


def test_a_source_is_not_blamed_for_what_another_shows_by_itself(damaged, family):
    assert weight_faults(measured(family["ja"], damaged(scaled(1000.0))), 0) == []


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_counted(damaged, family, broken):
    name = f"{LAYER}.mlp.fc1.weight"

    def change(tensors):
        tensors[name].view(-1)[:3] = broken

    both = measured(damaged(change), family["ja"])
    assert weight_faults(both, 0) == [WeightFault("not_finite", PART, name, count=3)]
    assert weight_faults(both, 1) == []
    assert all(np.isfinite(products).all() for products in both.products.values())


def test_distances_are_those_between_the_whole_vectors(family):
    ja, flat = (
        np.concatenate([family[name].components["unet"].read(tensor).double().flatten().numpy()
                        for tensor in family["ja"].components["unet"].tensors])
        for name in ("ja", "flat")
    )  # fmt: skip
    apart = distances(measured(family["ja"], family["flat"], family["ja"], part="unet"), 0)
    assert apart[1] == pytest.approx(np.linalg.norm(ja - flat) / np.linalg.norm(flat), rel=1e-6)
    assert apart[2] == 0.0


def test_only_the_same_build_is_measured_together(family):
    unets = [family[name].components["unet"] for name in ("ja", "flat")]
    assert same_build([unets[0], None, family["ja"].components["vae"], unets[1]]) == [[0, 3], [2]]
