"""How far a merge is from its host, and what eight bits cost it, on a sample of every tensor: its two ends.

A sample, so that it costs little beside the weaving. A tensor of two checkpoints is the same everywhere or differs
nearly everywhere, and where a split point lies in it, the sample sees both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from pipelines.architectures.keys import WEIGHTED_COMPONENTS

from .plan import Plan, TensorPlan
from .scratch_buffers import ScratchBuffers

STRETCH = 4096  # elements at either end of a tensor


@dataclass(frozen=True)
class ComponentDifference:
    """How far one component of a merge is from the host's.

    Attributes:
        component: its name.
        tensors: how many of its tensors are merged.
        changed: how many of them hold another value than the host's, rounded as the merge is.
        relative: norm of the difference over the norm of the host's.
    """

    component: str
    tensors: int
    changed: int
    relative: float


def host_differences(plan: Plan) -> list[ComponentDifference]:
    """Compare the merged components of a plan with those of the source that lends each of them its layout.

    Args:
        plan: the merge.

    Returns:
        One for each merged component, in the order of a checkpoint.

    Raises:
        RecipeError: a value is not finite in the plan's dtype.
    """
    found = []
    buffers, before = ScratchBuffers(2 * STRETCH), torch.empty(2 * STRETCH)
    for part in WEIGHTED_COMPONENTS:
        if part not in plan.recipe.merged_components:
            continue
        host = plan.lender(part).components[part]
        tensors = changed = 0
        moved = whole = 0.0
        for tensor in plan.tensor_plans(part):
            if tensor.spans is None:
                continue
            differs = False
            for start, stop in sampled_stretches(tensor):
                own = before[: stop - start]
                host.fill(tensor.name, start, own)
                built = plan.build_block(tensor, start, stop, buffers).float()
                differs |= not torch.equal(built, own.to(tensor.dtype).float())
                share = max(1.0, tensor.size / (2 * STRETCH))
                moved, whole = moved + share * _square(built - own), whole + share * _square(own)
            tensors, changed = tensors + 1, changed + differs
        found.append(ComponentDifference(part, tensors, changed, math.sqrt(moved / whole) if whole else 0.0))
    return found


@dataclass(frozen=True)
class ComponentRounding:
    """What rounding to eight bits costs one component.

    Attributes:
        component: its name.
        tensors: how many of its tensors are weights.
        rounded: how many of them are rounded to eight bits; the others stay in float16.
        relative: norm of what rounding changes over the norm of the component.
    """

    component: str
    tensors: int
    rounded: int
    relative: float


def rounding_errors(plan: Plan) -> list[ComponentRounding]:
    """Measure what it costs to round a plan to its eight bits; empty where it has none.

    Raises:
        RecipeError: a value is not finite in the plan's dtype.
    """
    if plan.dtype == plan.rest_dtype:
        return []
    exact, found = Plan(plan.recipe, plan.sources, dtype=torch.float32), []
    buffers, others = ScratchBuffers(2 * STRETCH), ScratchBuffers(2 * STRETCH)
    for part in WEIGHTED_COMPONENTS:
        pairs = [
            (tensor, whole)
            for tensor, whole in zip(plan.tensor_plans(part), exact.tensor_plans(part), strict=True)
            if tensor.dtype.is_floating_point
        ]
        rounded = sum(tensor.dtype.itemsize == 1 for tensor, _ in pairs)
        if not rounded:
            continue
        lost = norm = 0.0
        for tensor, whole in pairs:
            for start, stop in sampled_stretches(tensor):
                value = exact.build_block(whole, start, stop, buffers)
                share = max(1.0, tensor.size / (2 * STRETCH))
                lost += share * _square(plan.build_block(tensor, start, stop, others).float() - value)
                norm += share * _square(value)
        found.append(ComponentRounding(part, len(pairs), rounded, math.sqrt(lost / norm) if norm else 0.0))
    return found


def sampled_stretches(tensor: TensorPlan) -> list[tuple[int, int]]:
    """Return what is looked at of a tensor, as (first element, exclusive end): both ends, or all of a small one."""
    if tensor.size <= 2 * STRETCH:
        return [(0, tensor.size)]
    return [(0, STRETCH), (tensor.size - STRETCH, tensor.size)]


def _square(values: torch.Tensor) -> float:
    return float(values.double().square().sum())
