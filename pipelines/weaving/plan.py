"""Plan: what a recipe asks of its sources, tensor by tensor, and how a block of it is built.

Each element is a weighted sum of the sources' float32 values, rounded once to the dtype of the result. The sum is a
product and an addition at a time, never fused, so that the same recipe gives the same bytes on every machine. Memory
and disk are given the same blocks: what is judged is what is exported.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from pipelines.architectures.keys import WEIGHTED
from pipelines.checkpoints.component import Component, is_finite
from pipelines.checkpoints.sources import Source, check_mergeable
from pipelines.errors import RecipeError
from pipelines.recipes.pinning import check_sources
from pipelines.recipes.recipe import Recipe
from pipelines.storage.tensor_file import DTYPES

Pieces = tuple[tuple[int, int, tuple[float, ...]], ...]  # (start, stop, a weight per source), elements of one tensor


@dataclass(frozen=True)
class Thread:
    """How one tensor comes about: pieces to sum over the sources, or `None` to take the lender's as it is."""

    component: str
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    pieces: Pieces | None

    @property
    def size(self) -> int:
        """Elements."""
        return torch.Size(self.shape).numel()


class Loom:
    """Scratch memory for one worker: blocks of at most `block` elements on `device`, used again and again.

    `once` says that every block of the sources is wanted a single time, so that memory maps have nothing to offer.
    """

    def __init__(self, block: int, device: torch.device | None = None, *, once: bool = False) -> None:
        self.block = block
        self.device = device or torch.device("cpu")
        self._total = torch.empty(block, device=self.device)
        self._term = torch.empty(block, device=self.device)
        self._rounded: dict[torch.dtype, torch.Tensor] = {torch.float32: self._total}
        self._stored = torch.empty(8 * block, dtype=torch.uint8) if once else None

    def sum(self, parts: list[Component], name: str, pieces: Pieces, start: int, stop: int) -> torch.Tensor:
        """`sum_k weights[k] * parts[k]` over elements `start` to `stop` of one tensor: float32 [stop - start].

        A product and an addition are two roundings here on purpose: a fused one differs between processors.
        """
        for begin, end, weights in pieces:
            begin, end = max(begin, start), min(end, stop)
            if begin >= end:
                continue
            total, term = self._total[begin - start : end - start], self._term[: end - begin]
            empty = True
            for part, weight in zip(parts, weights, strict=True):
                if weight == 0.0:
                    continue
                values = total if empty else term
                part.fill(name, begin, values, scratch=self._stored)
                if weight != 1.0:
                    values.mul_(weight)
                if not empty:
                    total.add_(values)
                empty = False
            if empty:
                total.zero_()
        return self._total[: stop - start]

    def round(self, values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """`values` in another dtype; the same memory where it is the same dtype."""
        if values.dtype == dtype:
            return values
        if dtype not in self._rounded:
            self._rounded[dtype] = torch.empty(self.block, dtype=dtype, device=self.device)
        return self._rounded[dtype][: values.numel()].copy_(values)


class Plan:
    """What a recipe asks of its sources, tensor by tensor, in canonical order; checked before anything is built."""

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
        self._threads: dict[str, tuple[Thread, ...]] = {}

    def lender(self, part: str) -> Source:
        """The source that lends a component.

        Raises:
            RecipeError: it has no such component.
        """
        source = self.sources[self.recipe.lender(part)]
        if not source.lends(part):
            able = [one.name for one in self.sources.values() if one.lends(part)]
            raise RecipeError(
                f"The host {source.name} has no {part} to lend. Name another source for it in the recipe's host, such "
                f'as {{"{part}": "{able[0] if able else "a full checkpoint"}"}}.'
            )
        return source

    def parts(self, component: str) -> list[Component]:
        """A merged component of every source, in the order of the recipe's weights."""
        return [source.components[component] for source in self._ordered]

    def threads(self, component: str) -> tuple[Thread, ...]:
        """The tensors of a component, merged or lent, in canonical order."""
        if component not in self._threads:
            self._threads[component] = tuple(self._lay_out(component))
        return self._threads[component]

    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(thread.size * thread.dtype.itemsize for part in WEIGHTED for thread in self.threads(part))

    def keeps_precision(self) -> bool:
        """Whether every tensor has the dtype that it has in the host's file."""
        return all(
            thread.dtype == DTYPES[self.lender(part).components[part].tensors[thread.name].dtype]
            for part in WEIGHTED
            for thread in self.threads(part)
        )

    def _lay_out(self, component: str) -> Iterator[Thread]:
        lender = self.lender(component).components[component]
        merged = lender.grouped(self.recipe.patterns) if component in self.recipe.merged_components else {}
        owners = {name: layout for layout in merged.values() for name in layout.names}
        for name, ref in lender.tensors.items():
            stored = DTYPES[ref.dtype]
            dtype = self.dtype if self.dtype and stored.is_floating_point else stored
            if name not in owners:
                yield Thread(component, name, ref.shape, dtype, None)
                continue
            chromosome = owners[name].chromosome
            start, stop = owners[name].spans[name]
            cut = self.recipe.chromosomes[chromosome].pieces(start, stop)
            pieces = tuple((begin - start, end - start, weights) for begin, end, weights in cut)
            yield Thread(component, name, ref.shape, dtype, pieces)

    def block(self, thread: Thread, start: int, stop: int, loom: Loom) -> torch.Tensor:
        """Elements `start` to `stop` of one tensor, in its dtype; holds until the loom is used again.

        Raises:
            RecipeError: a value is not finite in that dtype.
        """
        if thread.pieces is None:
            flat = self.lender(thread.component).components[thread.component].read(thread.name).reshape(-1)
            values = flat[start:stop].to(loom.device)
            if values.dtype == thread.dtype:
                return values
        else:
            values = loom.sum(self.parts(thread.component), thread.name, thread.pieces, start, stop)
        rounded = loom.round(values, thread.dtype)
        if not is_finite(rounded):
            raise RecipeError(
                f"Tensor {thread.name} overflows {thread.dtype}. Expected weights near a mean of the sources; "
                "lower the recipe's weights or export as float32."
            )
        return rounded

    def tensor(self, thread: Thread) -> torch.Tensor:
        """One whole tensor, with memory of its own."""
        loom = Loom(thread.size)
        return self.block(thread, 0, thread.size, loom).clone().reshape(thread.shape)


class Looms(threading.local):
    """A loom for every worker thread."""

    def __init__(self, block: int, device: torch.device | None = None, *, once: bool = False) -> None:
        self.loom = Loom(block, device, once=once)
