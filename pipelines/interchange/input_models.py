"""The models that a merge reads: checkpoints, or weighted sums of them, by the tensors that mergekit sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from pipelines.checkpoints.sources import Source
from pipelines.storage.tensor_file import TORCH_DTYPES

from .tensor_names import FileTensorName


@dataclass(frozen=True)
class InputModel:
    """One model that a merge reads.

    Attributes:
        sources: the checkpoints.
        rows: float64 [sources] by a tensor's name: how much of each checkpoint is in it.
    """

    sources: tuple[Source, ...]
    rows: Mapping[str, np.ndarray]

    def read(self, tensor: FileTensorName) -> torch.Tensor:
        """Return a tensor in the shape that a single file has it in, and in the dtype that the first checkpoint has.

        A weighted sum is summed in float32 and rounded once, as mergekit rounds what lies between two documents.
        """
        row = self.rows[tensor.name]
        used = np.flatnonzero(row != 0)
        if len(used) == 1 and row[used[0]] == 1.0:
            return file_tensor(self.sources[used[0]], tensor)
        total = torch.zeros(tensor.shape)
        for k in used:
            total += float(row[k]) * file_tensor(self.sources[k], tensor).float()
        return total.to(TORCH_DTYPES[self.sources[0].components[tensor.component].tensors[tensor.parts[0]].dtype])


def file_tensor(source: Source, tensor: FileTensorName) -> torch.Tensor:
    """Return a tensor of a checkpoint in the shape that a single file has it in."""
    component = source.components[tensor.component]
    whole = torch.cat([component.read(part) for part in tensor.parts]) if len(tensor.parts) > 1 else None
    values = component.read(tensor.parts[0]) if whole is None else whole
    return values.t().contiguous() if tensor.transposed else values.reshape(tensor.shape)
