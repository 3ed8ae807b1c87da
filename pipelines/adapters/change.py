"""How an adapter changes one tensor: what every kind has in common.

A change is a matrix that is added to the base, times a scale. For some kinds it depends on the base itself (DoRA, OFT,
IA3, GLoRA); the scale then multiplies the whole change, as ComfyUI and A1111 do: at 1 it is what was trained, at 0 the
base, between them the straight line.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from pipelines.storage.tensor_file import TensorFile

from .module import Shape

BaseRows = Callable[[int, int], torch.Tensor]  # first row and exclusive end to float64 [rows, columns]


@dataclass(frozen=True, eq=False)
class TensorChange(ABC):
    """What an adapter makes of one tensor of the base.

    The tensor is seen as a matrix: its first dimension are the rows, all others the columns; a vector has one column.

    Attributes:
        file: the adapter.
        keys: role to the file's key, of every factor that the change is made of.
        shape: canonical shape of the tensor.
        ratio: what the change is multiplied by, beside the scale; alpha / rank where there are such.
    """

    kind: ClassVar[str]  # what people call it
    file: TensorFile
    keys: Mapping[str, str]
    shape: Shape
    ratio: float = 1.0

    @abstractmethod
    def rows(self, first: int, last: int, base: BaseRows, prepared: Any, device: torch.device) -> torch.Tensor:
        """Compute rows of the change, without `ratio`.

        Args:
            first: the first row.
            last: the exclusive end.
            base: gives rows of the tensor that is changed.
            prepared: what `prepare` has given for this tensor.
            device: one that has float64.

        Returns:
            float64 [last - first, columns].
        """

    def prepare(self, base: BaseRows, device: torch.device) -> Any:
        """Compute what all rows have in common and what is too dear to do again for each block; nothing if left out."""
        return None

    @property
    def columns(self) -> int:
        """The number of columns of the tensor as a matrix."""
        return torch.Size(self.shape[1:]).numel()

    @property
    def identity(self) -> str:
        """What tells this change from others over the same factors, as the hash of a baked component has it."""
        return f"{self.kind} {self.ratio!r}"

    def factor(self, role: str, device: torch.device) -> torch.Tensor:
        """Read a factor: float64 in the shape that the file states."""
        return self.file.read(self.keys[role]).to(device, torch.float64)

    def matrix(self, role: str, device: torch.device) -> torch.Tensor:
        """Read a factor as a matrix: float64, its first dimension by all others."""
        tensor = self.factor(role, device)
        return tensor.reshape(tensor.shape[0], -1)
