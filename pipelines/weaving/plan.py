"""Plan: what a recipe asks of its sources, tensor by tensor, and how a block of it is built.

Each element is a weighted sum of the sources' float32 values, rounded once to the dtype of the result. The sum is a
product and an addition at a time, never fused, so that the same recipe gives the same bytes on every machine. Memory
and disk are given the same blocks: what is judged is what is exported.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from pipelines.architectures.detection import Architecture
from pipelines.architectures.keys import WEIGHTED_COMPONENTS, fits_eight_bits
from pipelines.checkpoints.component import Component
from pipelines.checkpoints.sources import Source
from pipelines.checkpoints.widened import widened_to
from pipelines.errors import RecipeError
from pipelines.recipes.chromosome import WeightedSpan
from pipelines.recipes.merged import check_merged, lending_remedy, result_architecture
from pipelines.recipes.pinning import check_sources
from pipelines.recipes.recipe import Recipe
from pipelines.storage.finite import is_finite
from pipelines.storage.tensor_file import FP8_DTYPES, TORCH_DTYPES

from .scratch_buffers import SUMMED_ELEMENTS, ScratchBuffers


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


def overflow(tensor: TensorPlan) -> RecipeError:
    """Return the error of a tensor that has a value which its dtype does not hold."""
    return RecipeError(
        "Tensor {tensor} overflows {dtype}. Expected weights near a mean of the sources; "
        "lower the recipe's weights or export as float32.",
        tensor=tensor.name,
        dtype=tensor.dtype,
    )


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
            SourceError: what is merged of a source is not whole, or does not fit the others'.
        """
        if missing := next((named for named in recipe.sources if named.name not in sources), None):
            raise RecipeError(
                "The recipe's source {source!r} was not found. Expected it at {uri}.",
                source=missing.name,
                uri=missing.uri,
            )
        check_merged(recipe, sources)
        check_sources(recipe, sources)
        self.recipe = recipe
        self.sources = sources
        self.dtype = dtype
        self._source_components: dict[str, list[Component | None]] = {}
        self._tensor_plans: dict[str, tuple[TensorPlan, ...]] = {}

    def lender(self, part: str) -> Source:
        """Return the source that lends a component.

        Raises:
            RecipeError: that source has no such component, or one that is not whole.
        """
        source = self.sources[self.recipe.lender(part)]
        if problem := source.problem(part):
            raise RecipeError(
                "The host {source} {problem}. {remedy}",
                source=source.name,
                problem=problem,
                remedy=lending_remedy(part, self.sources.values()),
            )
        return source

    @functools.cached_property
    def architecture(self) -> Architecture:
        """What the result is: the UNet of its lender, which predicts what those predict that have weight in it."""
        return result_architecture(self.recipe, self.lender("unet"), self.sources)

    def scheduler_config(self) -> dict[str, Any]:
        """Return the configuration of the result's scheduler: its lender's, for what the merged UNets predict."""
        lender = self.lender("scheduler")
        config = lender.config("scheduler")
        if lender.name not in self.recipe.weighted_sources("unet") and "unet" in self.recipe.merged_components:
            config["prediction_type"] = self.architecture.prediction_type
            config["rescale_betas_zero_snr"] = self.architecture.zero_terminal_snr
        return config

    def source_components(self, component: str) -> list[Component | None]:
        """Return a merged component of every source, in the order of the recipe's weights; `None` for one without any.

        What reads fewer channels than the result is widened to them.
        """
        if component not in self._source_components:
            weighted = set(self.recipe.weighted_sources(component))
            host = self.lender(component).components[component]
            self._source_components[component] = [
                widened_to(host, self.sources[named.name].components[component]) if named.name in weighted else None
                for named in self.recipe.sources
            ]
        return self._source_components[component]

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
        if self.dtype is None:
            return None
        return self.dtype if fits_eight_bits(component, name, shape) else self.rest_dtype

    def build_into(self, out: torch.Tensor, tensor: TensorPlan, start: int, buffers: ScratchBuffers) -> None:
        """Build elements of one tensor from `start` on into `out`, as much at a time as the buffers hold.

        Args:
            out: contiguous [n], of any floating-point dtype and on any device.
            tensor: which tensor, and how.
            start: the first of its flattened elements.
            buffers: what to sum in.

        Raises:
            RecipeError: a value is not finite in the tensor's dtype.
        """
        direct = out.dtype == tensor.dtype and out.device == buffers.device
        for begin in range(0, out.numel(), buffers.block):
            piece = out[begin : begin + buffers.block]
            first = start + begin
            built = self.build_block(tensor, first, first + piece.numel(), buffers, out=piece if direct else None)
            if built is not piece:
                piece.copy_(built)

    def build_block(
        self, tensor: TensorPlan, start: int, stop: int, buffers: ScratchBuffers, *, out: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Build elements `start` to `stop` of one tensor.

        Args:
            tensor: which tensor, and how.
            start: the first of its flattened elements.
            stop: the exclusive end.
            buffers: what to sum in; they hold `stop - start` elements at least where the tensor is merged.
            out: [stop - start] in the tensor's dtype and on the buffers' device, which spares a copy: where values are
                rounded, they are rounded into it.

        Returns:
            [stop - start] in the tensor's dtype: `out`, or what holds until the buffers are used again.

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
        rounded = buffers.round_to(values, tensor.dtype, out)
        if not is_finite(rounded):
            raise overflow(tensor)
        return rounded

    def build_tensor(self, tensor: TensorPlan) -> torch.Tensor:
        """Build one whole tensor in its canonical shape, with memory of its own.

        Raises:
            RecipeError: a value is not finite in the tensor's dtype.
        """
        built = torch.empty(tensor.shape, dtype=tensor.dtype)
        self.build_into(built.view(-1), tensor, 0, ScratchBuffers(min(tensor.size, SUMMED_ELEMENTS)))
        return built
