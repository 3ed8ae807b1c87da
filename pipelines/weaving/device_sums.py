"""Weighted sums on an NVIDIA GPU, one launch for all tensors: each source is read once, the result is written once.

The bytes are those of `ScratchBuffers.weighted_sum`: the kernel multiplies, adds and rounds in the same order, and
nothing is fused. That is tried out on a card before it is relied on; where it does not hold, or there is no Triton, or
it cannot compile, tensors are summed one operation after another as on any other device.
"""

from __future__ import annotations

import functools
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch

from pipelines.recipes.chromosome import WeightedSpan

from .plan import Plan, TensorPlan, overflow

logger = logging.getLogger(__name__)

_ALIGNMENT = 16  # elements, and bytes of an address, that are read at once
_KERNEL_DTYPES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}


def weave_on_device(
    plan: Plan, tensors: Sequence[TensorPlan], parameters: Mapping[str, torch.Tensor], device: torch.device
) -> list[TensorPlan]:
    """Weave in one launch what is a sum of tensors that are kept on the device.

    Args:
        plan: what to build.
        tensors: which tensors of it.
        parameters: what they are woven into, by name, on the device.
        device: an NVIDIA GPU.

    Returns:
        The tensors that are left to be woven in another way: lent ones, and those of sources that are read from files
        or computed.

    Raises:
        RecipeError: a sum overflows.
    """
    if not is_usable(device):
        return list(tensors)
    sums, left = WeightedSums(device), []
    for tensor in tensors:
        out, sources = parameters[tensor.name].data, _kept_sources(plan, tensor, device)
        noted = False
        if sources is not None and tensor.spans is not None and out.is_contiguous():
            noted = sums.add(tensor.name, out.view(-1), tensor.dtype, sources, tensor.spans)
        if not noted:
            left.append(tensor)
    overflown = set(sums.run())
    if broken := next((tensor for tensor in tensors if tensor.name in overflown), None):
        raise overflow(broken)
    return left


def _kept_sources(plan: Plan, tensor: TensorPlan, device: torch.device) -> list[torch.Tensor | None] | None:
    """Return a tensor of every source from the device's memory, flattened; `None` where one is not kept there."""
    if tensor.spans is None:
        return None
    found: list[torch.Tensor | None] = []
    for number, component in enumerate(plan.source_components(tensor.component)):
        kept = None
        if any(span.weights[number] for span in tensor.spans):
            kept = component.kept_on(tensor.name, device) if component else None
            if kept is None:
                return None
        found.append(kept)
    return found


@functools.cache
def is_usable(device: torch.device) -> bool:
    """Return whether the kernel runs on a device and gives there, to the last bit, what torch's operations give."""
    if find_spec("triton") is None:
        return False
    generator = torch.Generator().manual_seed(0)
    values = [torch.randn(4099, generator=generator).mul_(10.0 ** -(3 * k)).half().to(device) for k in range(4)]
    weights = (0.3, -1.7, 1.0, 1e-3)  # the last source is tiny, and so subnormal
    expected = values[0].float() * weights[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        expected = expected + value.float() * weight
    equal = True
    try:
        for written in (torch.float16, torch.bfloat16):
            sums, out = WeightedSums(device), torch.empty(4099, dtype=written, device=device)
            sums.add("tried", out, torch.float16, values, (WeightedSpan(0, 4099, weights),))
            equal &= not sums.run()
            equal &= torch.equal(out.view(torch.int16), expected.half().to(written).view(torch.int16))
    except Exception as error:  # no compiler, a card that it does not know: whatever Triton raises
        logger.warning("weaving on %s in one launch is not possible: %s", device, " ".join(str(error).split())[:300])
        return False
    if not equal:
        logger.warning("weaving on %s in one launch gives other bytes, so it is done tensor by tensor", device)
    return equal


class _Kind(NamedTuple):
    """What pieces that share a launch have in common."""

    stored: torch.dtype
    rounded: torch.dtype
    written: torch.dtype
    aligned: bool


@dataclass
class _Pieces:
    """Pieces of tensors that share a launch: a row for each, and the tensor's name."""

    names: list[str] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)  # elements, sources, address of the result, of each source
    weights: list[list[float]] = field(default_factory=list)


class WeightedSums:
    """Weighted sums that are noted one after another, and computed at once."""

    def __init__(self, device: torch.device) -> None:
        """Note nothing yet.

        Args:
            device: where all tensors lie.
        """
        self._device = device
        self._pieces: dict[_Kind, _Pieces] = defaultdict(_Pieces)

    def add(
        self,
        name: str,
        out: torch.Tensor,
        rounded: torch.dtype,
        sources: Sequence[torch.Tensor | None],
        spans: Sequence[WeightedSpan],
    ) -> bool:
        """Note a sum.

        Args:
            name: what `run` calls it.
            out: contiguous [n], for the result.
            rounded: the dtype that a sum is rounded to before it is written.
            sources: contiguous [n] each, in the order of the weights; `None` where all are zero.
            spans: the weights; they cover the elements.

        Returns:
            Whether it is noted; not where dtypes differ among the sources, or the kernel has no such dtype.
        """
        stored = {source.dtype for source in sources if source is not None}
        if len(stored) != 1 or not {*stored, rounded, out.dtype} <= _KERNEL_DTYPES.keys():
            return False
        (dtype,) = stored
        for begin, end, weights in spans:
            used = [(one, weight) for one, weight in zip(sources, weights, strict=True) if weight and one is not None]
            if not used:
                out[begin:end].zero_()
                continue
            results = out.data_ptr() + begin * out.itemsize
            addresses = [one.data_ptr() + begin * dtype.itemsize for one, _ in used]
            even = not any(address % _ALIGNMENT for address in (results, *addresses))
            whole = (end - begin) // _ALIGNMENT * _ALIGNMENT if even else 0
            for first, size in ((0, whole), (whole, end - begin - whole)):
                if size:
                    pieces = self._pieces[_Kind(dtype, rounded, out.dtype, aligned=first < whole)]
                    pieces.names.append(name)
                    pieces.rows.append(
                        [
                            size,
                            len(used),
                            results + first * out.itemsize,
                            *(one + first * dtype.itemsize for one in addresses),
                        ]
                    )
                    pieces.weights.append([weight for _, weight in used])
        return True

    def run(self) -> list[str]:
        """Compute what is noted.

        Returns:
            The names of those that have a value that is not finite.
        """
        launched = [(pieces.names, self._launch(kind, pieces)) for kind, pieces in self._pieces.items()]
        return [name for names, flags in launched for name, flag in zip(names, flags.tolist(), strict=True) if flag]

    def _launch(self, kind: _Kind, pieces: _Pieces) -> torch.Tensor:
        """Start the kernel; return the flags of the pieces that overflow."""
        from . import sum_kernel  # here, not above: not every machine has Triton

        most = max(map(len, pieces.weights))
        rows = np.array([[*row, *[0] * (3 + most - len(row))] for row in pieces.rows], dtype=np.int64)
        weights = np.array([[*row, *[0.0] * (most - len(row))] for row in pieces.weights], dtype=np.float32)
        counts = -(-rows[:, 0] // sum_kernel.CHUNK_ELEMENTS)
        firsts = np.cumsum(counts) - counts
        chunks = np.stack([np.repeat(np.arange(len(rows)), counts), np.arange(counts.sum())], axis=1)
        chunks[:, 1] -= firsts[chunks[:, 0]]
        flags = torch.zeros(len(rows), dtype=torch.int32, device=self._device)
        tables = (torch.from_numpy(table).to(self._device) for table in (rows, weights, chunks.astype(np.int32)))
        types: dict[str, Any] = {
            key.upper(): getattr(sum_kernel.tl, _KERNEL_DTYPES[getattr(kind, key)])
            for key in ("stored", "rounded", "written")
        }
        with torch.cuda.device(self._device if self._device.type == "cuda" else -1):
            sum_kernel.sum_chunks[(len(chunks),)](
                *tables,
                flags,
                most,
                **types,
                ALIGNED=kind.aligned,
                CHUNK=sum_kernel.CHUNK_ELEMENTS,
                BLOCK=sum_kernel.BLOCK_ELEMENTS,
                num_warps=sum_kernel.WARPS,
                enable_fp_fusion=False,  # a product and an addition are two roundings, on every machine
            )
        return flags
