"""Weighted sums on an NVIDIA GPU, one launch for all tensors: each source is read once, the result is written once.

The bytes are those of `ScratchBuffers.weighted_sum`: the kernel multiplies, adds and rounds in the same order, and
nothing is fused. That is tried out on a card before it is relied on; where it does not hold, or there is no Triton, or
it cannot compile, tensors are summed one operation after another as on any other device.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch

from pipelines.checkpoints.component import Component

from .plan import Plan, TensorPlan, overflow
from .sum_launch import DTYPES, ITEM_SIZES, Pieces, SumLauncher

logger = logging.getLogger(__name__)

_NUMBERS = {dtype: number for number, dtype in enumerate(DTYPES)}
_NOT_ASKED, _NOWHERE = 0, -1  # in place of the address of a source's tensor: is it on the device?


class DeviceWeaver:
    """Weaves, in one launch, what is a sum of tensors that are kept on the device.

    Where the sources' tensors lie is looked up once, for as long as they are kept there; where results lie each time,
    as offloading moves them.

    Attributes:
        device: an NVIDIA GPU.
    """

    def __init__(self, parameters: Mapping[str, torch.Tensor], device: torch.device) -> None:
        """Read nothing yet.

        Args:
            parameters: what is woven into, by name, on the device.
            device: an NVIDIA GPU.
        """
        self.device = device
        self._parameters = parameters
        self._rows = {name: number for number, name in enumerate(parameters)}
        self._names = list(parameters)
        self._kept: WeakKeyDictionary[Component, _Kept] = WeakKeyDictionary()
        self._launcher = SumLauncher(device)

    def weave(self, plan: Plan, tensors: Sequence[TensorPlan]) -> list[TensorPlan]:
        """Weave what of some tensors is a sum of what is on the device.

        Args:
            plan: what to build.
            tensors: which tensors of it, all of one component.

        Returns:
            The tensors that are left to be woven in another way: lent ones, and those of sources that are read from
            files or computed.

        Raises:
            RecipeError: a sum overflows.
        """
        merged = [tensor for tensor in tensors if tensor.spans is not None]
        if not merged or not is_usable(self.device):
            return list(tensors)
        spans = _Spans.of(merged)
        pieces, able = self._pieces(spans, merged, plan.source_components(merged[0].component))
        zero = able & (pieces.counts == 0)
        for number in np.flatnonzero(zero):
            start, stop = int(spans.starts[number]), int(spans.stops[number])
            self._parameters[merged[spans.owners[number]].name].data.view(-1)[start:stop].zero_()
        summed = np.flatnonzero(able & ~zero)
        if len(summed):
            broken = summed[self._launcher.run(pieces.rows(summed))]
            if len(broken):
                raise overflow(merged[spans.owners[broken[0]]])
        woven = {merged[owner].name for owner in np.unique(spans.owners[able])}
        return [tensor for tensor in tensors if tensor.name not in woven]

    def _pieces(
        self, spans: _Spans, merged: Sequence[TensorPlan], components: Sequence[Component | None]
    ) -> tuple[Pieces, np.ndarray]:
        """Return a piece for every span, and whether it can be summed here: all spans of its tensor, or none."""
        rows = np.fromiter((self._rows[tensor.name] for tensor in merged), np.int64, len(merged))
        outs = [self._parameters[tensor.name] for tensor in merged]
        results = np.fromiter((out.data_ptr() for out in outs), np.int64, len(outs))
        written = np.fromiter((_NUMBERS.get(out.dtype, -1) for out in outs), np.int64, len(outs))
        rounded = np.fromiter((_NUMBERS.get(tensor.dtype, -1) for tensor in merged), np.int64, len(outs))
        fit = (written >= 0) & (rounded >= 0)
        fit &= np.fromiter((out.is_contiguous() for out in outs), bool, len(outs))
        stored = np.full((len(spans.starts), len(components)), -1, dtype=np.int64)
        sources, weights = np.zeros_like(stored), np.zeros(stored.shape, dtype=np.float32)
        for mix, shares in enumerate(spans.mixes):
            own = np.flatnonzero(spans.mix == mix)
            for place, number in enumerate(np.flatnonzero(shares).tolist()):
                weights[own, place] = shares[number]
                if component := components[number]:
                    kept = self._kept_of(component)
                    sources[own, place], stored[own, place] = kept.look_up(
                        component, rows[spans.owners[own]], self._names, self.device
                    )
        counts = np.count_nonzero(spans.mixes, axis=1)[spans.mix]
        used = np.arange(stored.shape[1]) < counts[:, None]
        alike = ~(used & ((stored != stored[:, :1]) | (stored < 0))).any(axis=1)
        able = (np.bincount(spans.owners[~alike], minlength=len(merged)) == 0) & fit
        sources += np.where(used, (spans.starts * ITEM_SIZES[stored[:, 0]])[:, None], 0)
        pieces = Pieces(
            sizes=spans.stops - spans.starts,
            results=results[spans.owners] + spans.starts * ITEM_SIZES[written[spans.owners]],
            sources=sources,
            weights=weights,
            counts=counts,
            stored=stored[:, 0],
            rounded=rounded[spans.owners],
            written=written[spans.owners],
        )
        return pieces, able[spans.owners]

    def _kept_of(self, component: Component) -> _Kept:
        """Return what is known of a source's tensors on the device; anew where they are no longer where they were."""
        kept = self._kept.get(component)
        if kept is None or kept.keeping is not component.keeping:
            kept = self._kept[component] = _Kept(component.keeping, len(self._names))
        return kept


class _Spans(NamedTuple):
    """The spans of some tensors, one behind the other.

    Attributes:
        owners: int64 [spans], number of the tensor.
        starts: int64 [spans], first element in it.
        stops: int64 [spans], exclusive end.
        mix: int64 [spans], row in `mixes`.
        mixes: float64 [different weights, sources].
    """

    owners: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    mix: np.ndarray
    mixes: np.ndarray

    @classmethod
    def of(cls, tensors: Sequence[TensorPlan]) -> _Spans:
        """Return the spans of merged tensors."""
        mixes: dict[tuple[float, ...], int] = {}
        rows = [
            (owner, start, stop, mixes.setdefault(weights, len(mixes)))
            for owner, tensor in enumerate(tensors)
            for start, stop, weights in tensor.spans or ()
        ]
        owners, starts, stops, mix = np.array(rows, dtype=np.int64).T
        return cls(owners, starts, stops, mix, np.array(list(mixes)))


class _Kept:
    """Where the tensors of a source lie on the device, by their row; asked for when they are summed first.

    It holds addresses and no tensor, so that a source that is let go of takes no memory; they are good for as long as
    `Component.keeping` stays the same.
    """

    def __init__(self, keeping: object | None, rows: int) -> None:
        self.keeping = keeping
        self._addresses = np.full(rows, _NOT_ASKED, dtype=np.int64)
        self._dtypes = np.full(rows, -1, dtype=np.int64)

    def look_up(
        self, component: Component, rows: np.ndarray, names: Sequence[str], device: torch.device
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return addresses, and numbers of dtypes, -1 where a tensor is not on the device: int64 [rows] each."""
        for row in rows[self._addresses[rows] == _NOT_ASKED]:
            kept = component.kept_on(names[row], device)
            self._addresses[row] = _NOWHERE if kept is None else kept.data_ptr()
            self._dtypes[row] = -1 if kept is None else _NUMBERS.get(kept.dtype, -1)
        return self._addresses[rows], self._dtypes[rows]


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
            out = torch.empty(4099, dtype=written, device=device)
            broken = SumLauncher(device).run(
                Pieces(
                    sizes=np.array([4099]),
                    results=np.array([out.data_ptr()]),
                    sources=np.array([[value.data_ptr() for value in values]]),
                    weights=np.array([weights], dtype=np.float32),
                    counts=np.array([len(values)]),
                    stored=np.array([_NUMBERS[torch.float16]]),
                    rounded=np.array([_NUMBERS[torch.float16]]),
                    written=np.array([_NUMBERS[written]]),
                )
            )
            equal &= not broken.any()
            equal &= torch.equal(out.view(torch.int16), expected.half().to(written).view(torch.int16))
    except Exception as error:  # no compiler, a card that it does not know: whatever Triton raises
        logger.warning("weaving on %s in one launch is not possible: %s", device, " ".join(str(error).split())[:300])
        return False
    if not equal:
        logger.warning("weaving on %s in one launch gives other bytes, so it is done tensor by tensor", device)
    return equal
