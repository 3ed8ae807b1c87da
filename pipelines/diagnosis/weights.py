"""What the measures of a component say: values and layers that are broken, and how near other sources are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

import numpy as np

from .layers import deviations_from, deviations_within, layer_name, layers_built_alike, standing_out
from .measures import ComponentMeasures

Fault = Literal["not_finite", "zero", "apart", "apart_from", "foreign"]
RELATED = 0.5  # a cosine halfway between the same direction, 1, and directions that have nothing in common, 0
UNRELATED = 0.2  # a layer of other origin has 0; one that was trained on for long still 0.32 (the embedded ja's)
#: Unit roundoff by safetensors' code: what storing a number in that dtype moves it by at most, as a share of it.
ROUNDOFF = {"F16": 2.0**-11, "BF16": 2.0**-8, "F32": 2.0**-24, "F64": 2.0**-53}


@dataclass(frozen=True)
class WeightFault:
    """Something that is broken in a component of a source.

    Attributes:
        fault: `not_finite`: values are NaN or infinite; `zero`: a layer is zero throughout; `apart`: a layer is far
            from the others that are built alike; `apart_from`: far from the same layer of another source; `foreign`: it
            has nothing in common with that layer, while the rest of the component has.
        component: where.
        place: the tensor or the layer.
        count: how many values are not finite.
        factor: how many times larger or smaller the layer's tensors are, in the geometric mean.
        other: the row of the source that it was compared with.
    """

    fault: Fault
    component: str
    place: str
    count: int = 0
    factor: float = 1.0
    other: int | None = None


def weight_faults(measures: ComponentMeasures, row: int) -> list[WeightFault]:
    """List what is broken in one of the sources; a layer is named once.

    What a layer's own source shows goes first. Beside others a layer is broken that is far from theirs in more than
    half of them; of one other, which of the two is broken cannot be told.

    Args:
        measures: of a component.
        row: which of the sources.
    """
    faults = _own_faults(measures, row)
    told = _places(faults)
    beside: dict[str, list[WeightFault]] = {}
    others = [other for other in range(len(measures.not_finite)) if other != row]
    for other in others:
        theirs = _places(_own_faults(measures, other))
        for fault in _faults_beside(measures, row, other):
            if fault.place not in told | theirs:
                beside.setdefault(fault.place, []).append(fault)
    return faults + [found[0] for found in beside.values() if len({one.other for one in found}) * 2 > len(others)]


def _own_faults(measures: ComponentMeasures, row: int) -> list[WeightFault]:
    """List what a source shows by itself: values that are not finite, layers of zeros, layers unlike their like."""
    component, sizes = measures.component, measures.sizes(row)
    faults = [
        WeightFault("not_finite", component, name, count=count) for name, count in measures.not_finite[row].items()
    ]
    told = _places(faults)
    for group in layers_built_alike(measures.shapes):
        zero = [layer for layer, tensors in group.items() if not any(sizes[name] for name in tensors.values())]
        found = [WeightFault("zero", component, layer) for layer in (zero if len(zero) < len(group) else ())]
        deviations = deviations_within(group, sizes)
        found += [
            WeightFault("apart", component, layer, factor=10 ** deviations[layer])
            for layer in standing_out(deviations)
            if layer not in zero
        ]
        faults += [fault for fault in found if fault.place not in told]
    return faults


def _places(faults: Sequence[WeightFault]) -> set[str]:
    """Return the layers in which something is broken."""
    return {
        named.layer if fault.fault == "not_finite" and (named := layer_name(fault.place)) else fault.place
        for fault in faults
    }


def distances(measures: ComponentMeasures, row: int) -> dict[int, float]:
    """Measure how far a source is from each of the others, as a share of the other's length: |x - y| / |y|, by row."""
    total = np.sum(list(measures.products.values()), axis=0)  # [K, K]
    return {
        other: math.sqrt(max(total[row, row] - 2 * total[row, other] + total[other, other], 0.0) / total[other, other])
        for other in range(len(total))
        if other != row and total[other, other]
    }


def _faults_beside(measures: ComponentMeasures, row: int, other: int) -> list[WeightFault]:
    """List the layers that are broken beside another source: of another size, or pointing elsewhere."""
    sizes, reference = measures.sizes(row), measures.sizes(other)
    deviations: dict[str, float] = {}
    cosines: dict[str, float] = {}
    for group in layers_built_alike(measures.shapes):
        deviations |= deviations_from(group, sizes, reference)
        for layer, tensors in group.items():
            cosines[layer] = median(_cosine(measures.products[name], row, other) for name in tensors.values())
    faults = [
        WeightFault("apart_from", measures.component, layer, factor=10 ** deviations[layer], other=other)
        for layer in standing_out(deviations)
    ]
    related = bool(cosines) and median(cosines.values()) > RELATED
    foreign = [layer for layer, cosine in cosines.items() if related and cosine < UNRELATED]
    return faults + [WeightFault("foreign", measures.component, layer, other=other) for layer in foreign]


def _cosine(products: np.ndarray, row: int, other: int) -> float:
    """Return the cosine of a tensor with another source's; 1 where one of them is zero and has no direction."""
    norms = math.sqrt(products[row, row] * products[other, other])
    return float(products[row, other] / norms) if norms else 1.0
