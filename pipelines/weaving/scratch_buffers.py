"""Memory that blocks of tensors are summed and rounded in, allocated once for each worker."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Sequence

import torch

from pipelines.checkpoints.component import Component
from pipelines.recipes.chromosome import WeightedSpan

SUMMED_ELEMENTS = 1 << 18  # summed at a time on a CPU; what is read and summed, 2.5 MB, stays near the core


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
        self, components: Sequence[Component | None], name: str, spans: Iterable[WeightedSpan], start: int, stop: int
    ) -> torch.Tensor:
        """Sum `weights[k] * components[k]` over elements `start` to `stop` of one tensor.

        A product and an addition are two roundings here on purpose: a fused one differs between processors.

        Args:
            components: the merged component of each source, in the order of the weights; `None` where all are zero.
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
                assert component is not None, name
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

    def round_to(self, values: torch.Tensor, dtype: torch.dtype, out: torch.Tensor | None = None) -> torch.Tensor:
        """Round values to a dtype; give back the same memory where they have it already and no other is asked for.

        Args:
            values: at most `block` of them, on the buffers' device.
            dtype: what to round to.
            out: as many values of that dtype, on that device, to round into; the buffers' own memory if left out.

        Returns:
            The values in that dtype: `out`, or what holds until the next call.
        """
        if out is not None:
            return out.copy_(values)
        if values.dtype == dtype:
            return values
        if dtype not in self._rounded:
            self._rounded[dtype] = torch.empty(self.block, dtype=dtype, device=self.device)
        return self._rounded[dtype][: values.numel()].copy_(values)


class ThreadLocalBuffers(threading.local):
    """Scratch buffers of which every worker thread has its own, made when it first asks for them."""

    def __init__(self, block: int, device: torch.device | None = None) -> None:
        """Note what to allocate in each thread; arguments are those of `ScratchBuffers`."""
        self.buffers = ScratchBuffers(block, device)


class BlockPool:
    """Memory of woven blocks that wait for their turn, used again for one block after another.

    Fresh memory costs more than the sum that it takes: the system clears every page of it.
    """

    def __init__(self, size: int) -> None:
        """Note how large a block may be, in bytes."""
        self._size = size
        self._free: queue.LifoQueue[torch.Tensor] = queue.LifoQueue()  # what was used last may still be in the cache

    def take(self) -> torch.Tensor:
        """Return memory for a block, uint8 [size], which nobody else has until it is given back."""
        try:
            return self._free.get_nowait()
        except queue.Empty:
            return torch.empty(self._size, dtype=torch.uint8)

    def give_back(self, memory: torch.Tensor) -> None:
        """Take memory back for another block."""
        self._free.put(memory)
