"""DoRA: a change whose result is scaled so that its rows or columns have norms that were trained (arXiv 2402.09353).

    W' = magnitude * (W + change) / norm(W + change)

peft and most LyCORIS files keep one norm for each row; older LyCORIS files one for each input channel, [1, in].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from .arithmetic import ordered_sum
from .change import BaseRows, TensorChange
from .module import AdapterModule

MAGNITUDES = frozenset({"dora_scale", "lora_magnitude_vector"})
_CHUNK = 256  # rows whose squares are summed at a time; part of what the sum is


@dataclass(frozen=True, eq=False)
class Decomposed(TensorChange):
    """DoRA over another change.

    Attributes:
        inner: that change, with its own ratio.
        by_row: whether the magnitudes belong to rows; else to input channels.
    """

    kind: ClassVar[str] = "DoRA"
    inner: TensorChange | None = None
    by_row: bool = True

    @classmethod
    def over(cls, inner: TensorChange, module: AdapterModule, role: str) -> Decomposed:
        """Take the magnitudes of a module over its change; raises `SourceError` where they do not fit."""
        shape, target = module.shape(role), inner.shape
        count = torch.Size(shape).numel()
        channels = target[1] if len(target) > 1 else 0
        by_row = role == "lora_magnitude_vector" or len(shape) == 1 or shape[0] != 1 or channels != count
        if count != (target[0] if by_row else channels) or max(shape, default=1) != count:
            module.refuse(cls.kind, f"{count} magnitudes {list(shape)}")
        keys = {**inner.keys, role: module.keys[role]}
        return cls(module.file, keys, target, inner=inner, by_row=by_row)

    @property
    def identity(self) -> str:
        """What tells this change from others over the same factors."""
        assert self.inner is not None
        return f"{self.kind} {'row' if self.by_row else 'channel'} {self.inner.identity}"

    def prepare(self, base: BaseRows, device: torch.device) -> Any:
        """Compute what the inner change prepares and, of norms over all rows, what each channel is multiplied by."""
        assert self.inner is not None
        prepared = self.inner.prepare(base, device)
        if self.by_row:
            return prepared, None
        sums = []
        for first in range(0, self.shape[0], _CHUNK):
            sums.append(
                ordered_sum(self._changed(first, min(first + _CHUNK, self.shape[0]), base, prepared, device) ** 2)
            )
        squares = ordered_sum(torch.stack(sums)).reshape(self.shape[1], -1)
        return prepared, self._magnitudes(device) / _norms(squares.t())

    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of the scaled result minus the base; see `TensorChange.rows`."""
        within, factors = prepared
        changed = self._changed(first, last, base, within, device)
        if factors is None:
            factors = self._magnitudes(device)[first:last] / _norms((changed * changed).t())
            return changed * factors[:, None] - base(first, last)
        scaled = changed.reshape(last - first, self.shape[1], -1) * factors[:, None]
        return scaled.reshape(changed.shape) - base(first, last)

    def _changed(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        assert self.inner is not None
        return base(first, last) + self.inner.rows(first, last, base, prepared, device) * self.inner.ratio

    def _magnitudes(self, device: torch.device) -> torch.Tensor:
        (role,) = MAGNITUDES & self.keys.keys()
        return self.factor(role, device).flatten()


def _norms(squares: torch.Tensor) -> torch.Tensor:
    """Return the root of the sum over the first dimension; never zero, so that a row of zeros stays one."""
    return torch.sqrt(ordered_sum(squares)).clamp_min(torch.finfo(torch.float64).tiny)
