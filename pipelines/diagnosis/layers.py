"""Layers: which tensors belong to one, which layers are built alike, and which of them stand out. No weights are read.

A network repeats itself: layer 3 of a text encoder has the same tensors as layer 11, in the same shapes. Training keeps
them of a size, so a layer whose tensors are a thousand times larger, or all zero, is damaged. How much layers differ in
health is not written down anywhere for SDXL; it is taken from the other layers of the same file.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean, median
from typing import NamedTuple

LISTS = ("layers", "blocks", "resnets", "attentions", "samplers")  # how names of lists of layers end
MOST_ORDERS = 12.0  # of magnitude that two tensors are told apart by: float16 spans no more
STANDS_OUT = 2.0  # a layer stands out that is this many times farther off than the next, and by this factor at least


class LayerName(NamedTuple):
    """The layer that a tensor belongs to, such as `text_model.encoder.layers.11`, and which of its tensors it is."""

    layer: str
    role: str


def layer_name(tensor: str) -> LayerName | None:
    """Find the innermost layer that a tensor belongs to; `None` where it belongs to no list of layers."""
    parts = tensor.split(".")
    for place in range(len(parts) - 2, 0, -1):
        if parts[place].isdigit() and parts[place - 1].endswith(LISTS):
            return LayerName(".".join(parts[: place + 1]), ".".join(parts[place + 1 :]))
    return None


def layers_built_alike(shapes: Mapping[str, tuple[int, ...]]) -> list[dict[str, dict[str, str]]]:
    """Group the layers of a component that have the same matrices in the same shapes.

    Scales and biases are left out: in a layer that was never trained they are ones and zeros, and that is no damage.

    Args:
        shapes: of its tensors, by canonical name.

    Returns:
        A group after the other: layer to role to the tensor's name. A layer that has no like is a group of its own.
    """
    layers: dict[str, dict[str, str]] = defaultdict(dict)
    for tensor, shape in shapes.items():
        if len(shape) > 1 and (found := layer_name(tensor)):
            layers[found.layer][found.role] = tensor
    groups: dict[tuple[object, ...], dict[str, dict[str, str]]] = defaultdict(dict)
    for layer, tensors in layers.items():
        build = tuple(sorted((role, shapes[tensor]) for role, tensor in tensors.items()))
        groups[(layer.split(".")[-2], *build)][layer] = tensors
    return list(groups.values())


def deviations_within(group: Mapping[str, Mapping[str, str]], sizes: Mapping[str, float]) -> dict[str, float]:
    """Measure how far each layer of a group is from what is usual in it.

    Args:
        group: layer to role to the tensor's name, see `layers_built_alike`.
        sizes: the root mean square of each tensor.

    Returns:
        By layer, the mean over its tensors of |log10(size / median size of that tensor in all the layers)|; empty where
        fewer than three layers are built alike, as two cannot tell which of them is off.
    """
    if len(group) < 3:
        return {}
    roles = next(iter(group.values()))
    usual = {role: median(sizes[tensors[role]] for tensors in group.values()) for role in roles}
    return {
        layer: _mean_orders((sizes[tensor], usual[role]) for role, tensor in tensors.items())
        for layer, tensors in group.items()
    }


def deviations_from(
    group: Mapping[str, Mapping[str, str]], sizes: Mapping[str, float], reference: Mapping[str, float]
) -> dict[str, float]:
    """Measure how far each layer is from the same layer of another source, as `deviations_within` does."""
    return {
        layer: _mean_orders((sizes[tensor], reference[tensor]) for tensor in tensors.values())
        for layer, tensors in group.items()
    }


def standing_out(deviations: Mapping[str, float]) -> list[str]:
    """List the layers that are far off while the others are not, farthest first: fewer than half of them, or none."""
    ranked = sorted(deviations, key=lambda layer: -deviations[layer])
    far = [deviations[layer] for layer in ranked]
    for count in range((len(ranked) - 1) // 2, 0, -1):
        if far[count - 1] > max(STANDS_OUT * far[count], math.log10(STANDS_OUT)):
            return ranked[:count]
    return []


def _mean_orders(pairs: Iterable[tuple[float, float]]) -> float:
    """Return the mean of |log10(size / usual)| over pairs; those of which one is usually zero tell nothing."""
    orders = [abs(math.log10(size / usual)) if size else MOST_ORDERS for size, usual in pairs if usual]
    return fmean(min(order, MOST_ORDERS) for order in orders) if orders else 0.0
