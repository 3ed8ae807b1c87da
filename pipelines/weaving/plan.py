"""Plan: what a recipe asks of its sources, tensor by tensor, and how a block of it is built.

Each element is a weighted sum of the sources' float32 values, rounded once to the dtype of the result. The sum is a
product and an addition at a time, never fused, so that the same recipe gives the same bytes on every machine. Memory
and disk are given the same blocks: what is judged is what is exported.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from pipelines.architectures.keys import WEIGHTED_COMPONENTS, fits_eight_bits
from pipelines.checkpoints.component import Component, is_finite
from pipelines.checkpoints.sources import Source, check_mergeable
from pipelines.errors import RecipeError
from pipelines.recipes.pinning import check_sources
from pipelines.recipes.recipe import Recipe, WeightedSpan
from pipelines.storage.tensor_file import FP8_DTYPES, TORCH_DTYPES


@dataclass(frozen=True)
class TensorPlan:
    """One tensor of the result, and how it is built from the sources.

    Attributes:
        component: the component it belongs to, such as `unet`.
        name: its canonical name.
        shape: its canonical shape.
        dtype: what it is rounded to.
        spans: the weight of each source over its flattened elements, which these cover; `None` takes the lender's
            tensor as it is.
    """

    component: str
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    spans: tuple[WeightedSpan, ...] | None

    @property
    def size(self) -> int:
        """The number of its elements."""
        return torch.Size(self.shape).numel()


class ScratchBuffers:
    """Memory that one worker sums blocks in, allocated once and used for one block after another."""

    def __init__(self, block: int, device: torch.device | None = None) -> None:
        """Allocate the buffers.

        Args:
            block: the most elements that a block has.
            device: where to sum; the CPU if left out.
        """
        self.block = block
        self.device = device or torch.device("cpu")
        self._total = torch.empty(block, device=self.device)
        self._term = torch.empty(block, device=self.device)
        self._rounded: dict[torch.dtype, torch.Tensor] = {torch.float32: self._total}
        self._stored = torch.empty(8 * block, dtype=torch.uint8)  # as the files have them; only on a CPU it is touched

    def weighted_sum(
        self, components: Sequence[Component], name: str, spans: Iterable[WeightedSpan], start: int, stop: int
    ) -> torch.Tensor:
        """Sum `weights[k] * components[k]` over elements `start` to `stop` of one tensor.

        A product and an addition are two roundings here on purpose: a fused one differs between processors.

        Args:
            components: the merged component of each source, in the order of the weights.
            name: canonical name of the tensor.
            spans: its weights; they cover the elements asked for.
            start: the first element.
            stop: the exclusive end, at most `block` after `start`.

        Returns:
            float32 [stop - start], a view that holds until the next call.
        """
        for begin, end, weights in spans:
            begin, end = max(begin, start), min(end, stop)
            if begin >= end:
                continue
            total, term = self._total[begin - start : end - start], self._term[: end - begin]
            empty = True
            for component, weight in zip(components, weights, strict=True):
                if weight == 0.0:
                    continue
                values = total if empty else term
                component.fill(name, begin, values, scratch=self._stored)
                if weight != 1.0:
                    values.mul_(weight)
                if not empty:
                    total.add_(values)
                empty = False
            if empty:
                total.zero_()
        return self._total[: stop - start]

    def widened(self, component: Component, name: str, start: int, stop: int) -> torch.Tensor:
        """Return elements `start` to `stop` of one tensor as float32, a change that is baked into it not rounded yet.

        Args:
            component: the component that has the tensor.
            name: its canonical name.
            start: the first element.
            stop: the exclusive end, at most `block` after `start`.

        Returns:
            float32 [stop - start], a view that holds until the next call.
        """
        values = self._total[: stop - start]
        component.fill(name, start, values, scratch=self._stored)
        return values

    def round_to(self, values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Round values to a dtype; give back the same memory where they have it already.

        Args:
            values: at most `block` of them, on the buffers' device.
            dtype: what to round to.

        Returns:
            The values in that dtype, which hold until the next call.
        """
        if values.dtype == dtype:
            return values
        if dtype not in self._rounded:
            self._rounded[dtype] = torch.empty(self.block, dtype=dtype, device=self.device)
        return self._rounded[dtype][: values.numel()].copy_(values)


class Plan:
    """A recipe with its sources opened and checked: which tensors the result has, and how each of them is built.

    The preview, the live model and the export run the same plan.
    """

    def __init__(self, recipe: Recipe, sources: Mapping[str, Source], *, dtype: torch.dtype | None = None) -> None:
        """Check the recipe against its sources.

        Args:
            recipe: what to build.
            sources: opened sources by the recipe's names.
            dtype: of all floating-point tensors; merged ones take that of the host's file if left out, lent ones stay
                as they are.

        Raises:
            RecipeError: a source is missing or is not the one the recipe was made from, or the host does not have what
                it is to lend.
        """
        check_sources(recipe, sources)
        check_mergeable([sources[named.name] for named in recipe.sources])
        self.recipe = recipe
        self.sources = sources
        self.dtype = dtype
        self._ordered = [sources[named.name] for named in recipe.sources]
        self._tensor_plans: dict[str, tuple[TensorPlan, ...]] = {}

    def lender(self, part: str) -> Source:
        """Return the source that lends a component.

        Raises:
            RecipeError: that source has no such component.
        """
        source = self.sources[self.recipe.lender(part)]
        if not source.lends(part):
            able = [one.name for one in self.sources.values() if one.lends(part)]
            raise RecipeError(
                f"The host {source.name} has no {part} to lend. Name another source for it in the recipe's host, such "
                f'as {{"{part}": "{able[0] if able else "a full checkpoint"}"}}.'
            )
        return source

    def source_components(self, component: str) -> list[Component]:
        """Return a merged component of every source, in the order of the recipe's weights."""
        return [source.components[component] for source in self._ordered]

    def tensor_plans(self, component: str) -> tuple[TensorPlan, ...]:
        """Return the tensors of a component, merged or lent, in canonical order; planned at the first call.

        Raises:
            RecipeError: the host has no such component to lend.
        """
        if component not in self._tensor_plans:
            self._tensor_plans[component] = tuple(self._plan_tensors(component))
        return self._tensor_plans[component]

    def size(self) -> int:
        """Return the bytes that all tensors take."""
        return sum(
            tensor.size * tensor.dtype.itemsize for part in WEIGHTED_COMPONENTS for tensor in self.tensor_plans(part)
        )

    def keeps_precision(self) -> bool:
        """Return whether every tensor has the dtype that it has in the host's file."""
        return all(
            tensor.dtype == TORCH_DTYPES[self.lender(part).components[part].tensors[tensor.name].dtype]
            for part in WEIGHTED_COMPONENTS
            for tensor in self.tensor_plans(part)
        )

    def _plan_tensors(self, component: str) -> Iterator[TensorPlan]:
        lender = self.lender(component).components[component]
        merged = lender.grouped_layouts(self.recipe.patterns) if component in self.recipe.merged_components else {}
        owners = {name: layout for layout in merged.values() for name in layout.names}
        for name, ref in lender.tensors.items():
            stored = TORCH_DTYPES[ref.dtype]
            dtype = self._rounded_to(component, name, ref.shape) if stored.is_floating_point else None
            dtype = dtype or stored
            if name not in owners:
                yield TensorPlan(component, name, ref.shape, dtype, None)
                continue
            chromosome = owners[name].chromosome
            start, stop = owners[name].spans[name]
            spans = tuple(
                WeightedSpan(begin - start, end - start, weights)
                for begin, end, weights in self.recipe.chromosomes[chromosome].spans_within(start, stop)
            )
            yield TensorPlan(component, name, ref.shape, dtype, spans)

    @property
    def rest_dtype(self) -> torch.dtype | None:
        """The dtype of what is never rounded to eight bits; `None` where all stay as they are."""
        return torch.float16 if self.dtype in FP8_DTYPES.values() else self.dtype

    def _rounded_to(self, component: str, name: str, shape: tuple[int, ...]) -> torch.dtype | None:
        """Return the dtype that a floating-point tensor is asked for in; `None` where it stays as it is."""
        return self.dtype if fits_eight_bits(component, name, shape) else self.rest_dtype

    def build_block(self, tensor: TensorPlan, start: int, stop: int, buffers: ScratchBuffers) -> torch.Tensor:
        """Build elements `start` to `stop` of one tensor.

        Args:
            tensor: which tensor, and how.
            start: the first of its flattened elements.
            stop: the exclusive end.
            buffers: what to sum in; they hold `stop - start` elements at least where the tensor is merged.

        Returns:
            [stop - start] in the tensor's dtype, which holds until the buffers are used again.

        Raises:
            RecipeError: a value is not finite in that dtype.
        """
        if tensor.spans is None:
            lent = self.lender(tensor.component).components[tensor.component]
            if tensor.dtype == TORCH_DTYPES[lent.tensors[tensor.name].dtype]:
                return lent.read_elements(tensor.name, start, stop).to(buffers.device)
            values = buffers.widened(lent, tensor.name, start, stop)
        else:
            values = buffers.weighted_sum(
                self.source_components(tensor.component), tensor.name, tensor.spans, start, stop
            )
        rounded = buffers.round_to(values, tensor.dtype)
        if not is_finite(rounded):
            raise RecipeError(
                f"Tensor {tensor.name} overflows {tensor.dtype}. Expected weights near a mean of the sources; "
                "lower the recipe's weights or export as float32."
            )
        return rounded

    def build_tensor(self, tensor: TensorPlan) -> torch.Tensor:
        """Build one whole tensor in its canonical shape, with memory of its own.

        Raises:
            RecipeError: a value is not finite in the tensor's dtype.
        """
        buffers = ScratchBuffers(tensor.size)
        return self.build_block(tensor, 0, tensor.size, buffers).clone().reshape(tensor.shape)


class ThreadLocalBuffers(threading.local):
    """Scratch buffers of which every worker thread has its own, made when it first asks for them."""

    def __init__(self, block: int, device: torch.device | None = None) -> None:
        """Note what to allocate in each thread; arguments are those of `ScratchBuffers`."""
        self.buffers = ScratchBuffers(block, device)
