"""Verify: weave a recipe again, tensor by tensor, and compare it with what an export holds; nothing is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import torch

from pipelines.architectures.keys import WEIGHTED_COMPONENTS, is_merged
from pipelines.checkpoints.component import Component
from pipelines.checkpoints.sources import Source
from pipelines.recipes.recipe import Recipe
from pipelines.storage.eight_bits import WIDENED
from pipelines.storage.parallel import one_torch_thread_each
from pipelines.storage.tensor_file import DTYPE_CODES, FP8_DTYPES, TORCH_DTYPES
from pipelines.weaving.plan import Plan, TensorPlan

from .export import PRECISIONS, Progress


@dataclass(frozen=True)
class ComponentComparison:
    """A component of an export beside what its recipe gives.

    Attributes:
        component: its name.
        expected: hex SHA-256 of what the recipe gives, as in `Component.sha256`.
        found: that of what the export holds, of its own bytes.
        differing: tensors with another value, shape or type, missing or unexpected.
    """

    component: str
    expected: str
    found: str
    differing: tuple[str, ...]


def compare_export(plan: Plan, export: Source, progress: Progress | None = None) -> list[ComponentComparison]:
    """Weave a plan beside an export, and compare the two bit by bit.

    Args:
        plan: what the export should be, in its precision; see `plan_in_precision_of`.
        export: what is on the disk, opened; every byte of its weights is read.
        progress: told (bytes compared, bytes in all); raise in it to give up.

    Returns:
        A comparison for each component.
    """
    done, comparisons, total = 0, [], plan.size()
    for part in WEIGHTED_COMPONENTS:
        component, differing = export.component(part), list[str]()
        expected = hashlib.sha256()  # of both, as long as they are the same
        found: hashlib._Hash | None = None
        for planned, woven in _woven(plan, part):
            ref = component.tensors.get(planned.name)
            stored = component.read(planned.name).contiguous() if ref else None
            if stored is None or not _same(woven, stored):
                differing.append(planned.name)
                found = found or expected.copy()
            expected.update(_bytes(woven))
            if found and stored is not None:
                found.update(_bytes(stored))
            done += planned.size * planned.dtype.itemsize
            if progress:
                progress(done, total)
        differing += _unexpected(plan, component)
        both = expected.hexdigest(), (found or expected).hexdigest()
        comparisons.append(ComponentComparison(part, *both, tuple(differing)))
    return comparisons


def woven_hashes(plan: Plan, progress: Progress | None = None) -> dict[str, str]:
    """Hash what a plan gives, per component and without writing it.

    Args:
        plan: what to weave.
        progress: told (bytes woven, bytes in all); raise in it to give up.

    Returns:
        Hex SHA-256 by component, as in `Component.sha256`.
    """
    done, hashes, total = 0, {}, plan.size()
    for part in WEIGHTED_COMPONENTS:
        digest = hashlib.sha256()
        for planned, woven in _woven(plan, part):
            digest.update(_bytes(woven))
            done += planned.size * planned.dtype.itemsize
            if progress:
                progress(done, total)
        hashes[part] = digest.hexdigest()
    return hashes


def stored_hashes(export: Source, progress: Progress | None = None) -> dict[str, str]:
    """Hash what an export holds, per component; every byte is read, whatever was known of the file before.

    Args:
        export: what is on the disk, opened.
        progress: told (bytes read, bytes in all); raise in it to give up.

    Returns:
        Hex SHA-256 by component, as in `Component.sha256`.
    """
    done, hashes, total = 0, {}, sum(export.component(part).size for part in WEIGHTED_COMPONENTS)
    for part in WEIGHTED_COMPONENTS:
        component, digest = export.component(part), hashlib.sha256()
        for name, ref in component.tensors.items():
            tensor = component.read(name).contiguous()
            done += tensor.nbytes
            if is_merged(name, ref.dtype):
                digest.update(_bytes(tensor))
            if progress:
                progress(done, total)
        hashes[part] = digest.hexdigest()
    return hashes


def plan_in_precision_of(export: Source, recipe: Recipe, sources: Mapping[str, Source]) -> Plan:
    """Plan a recipe in the precision that an export has; in that of the host where none fits throughout.

    Raises:
        RecipeError: the sources are not the ones the recipe was made from.
    """
    for dtype in (None, *PRECISIONS.values()):
        plan = Plan(recipe, sources, dtype=dtype)
        if all(
            DTYPE_CODES[planned.dtype] == export.component(part).tensors[planned.name].stored
            for part in WEIGHTED_COMPONENTS
            for planned in _hashed_tensors(plan, part)
            if planned.name in export.component(part).tensors
        ):
            return plan
    return Plan(recipe, sources)


def _woven(plan: Plan, part: str) -> Iterator[tuple[TensorPlan, torch.Tensor]]:
    """Yield the tensors of a component in canonical order; the next one is woven while the caller looks at this one."""
    tensors = _hashed_tensors(plan, part)
    with one_torch_thread_each(), ThreadPoolExecutor(1) as beside:
        coming: Future[torch.Tensor] | None = None
        for number, planned in enumerate(tensors):
            woven = coming.result() if coming else plan.build_tensor(planned)
            if woven.dtype in FP8_DTYPES.values():  # which are read widened
                woven = woven.to(TORCH_DTYPES[WIDENED])
            coming = beside.submit(plan.build_tensor, tensors[number + 1]) if number + 1 < len(tensors) else None
            yield planned, woven


def _hashed_tensors(plan: Plan, part: str) -> list[TensorPlan]:
    """Return the planned tensors but `position_ids` and `logit_scale`, which only some forms of a checkpoint hold."""
    return [planned for planned in plan.tensor_plans(part) if is_merged(planned.name, DTYPE_CODES[planned.dtype])]


def _unexpected(plan: Plan, component: Component) -> list[str]:
    planned = {planned.name for planned in _hashed_tensors(plan, component.name)}
    return [name for name, ref in component.tensors.items() if is_merged(name, ref.dtype) and name not in planned]


def _same(woven: torch.Tensor, stored: torch.Tensor) -> bool:
    same_form = woven.shape == stored.shape and woven.dtype == stored.dtype
    return same_form and torch.equal(*(tensor.reshape(-1).view(torch.uint8) for tensor in (woven, stored)))


def _bytes(tensor: torch.Tensor) -> memoryview:
    return memoryview(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
