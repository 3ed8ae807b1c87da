"""A merge that is no weighted sum, as a component of a checkpoint: computed a tensor at a time when it is read.

So it is written like any other: the plan of a recipe that takes all of it is woven block by block. Blocks lie behind
one another, and what was computed last is kept, so each tensor is computed once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import threading
from collections.abc import Callable

import torch

from pipelines.checkpoints.component import Component
from pipelines.storage.tensor_file import TORCH_DTYPES

from .importing import WovenMerge
from .sparse_merging import merged_tensor
from .tensor_names import FileTensorName

_KEPT = 4  # tensors that were computed last


class MethodComponent(Component):
    """A component whose merged tensors a method of mergekit's computes; the others are the base's."""

    def __init__(self, base: Component, merge: WovenMerge, seed: int) -> None:
        """Put a merge on a component.

        Args:
            base: the component of the checkpoint that lends what is not merged.
            merge: what is computed.
            seed: of what the method draws; each tensor draws its own.
        """
        document = merge.document
        self._merge = merge
        self._seed = seed
        self._base = base
        self._places = {
            part: (tensor, number)
            for tensor in merge.tensors
            if tensor.component == base.name
            for number, part in enumerate(tensor.parts)
        }
        code = document.out_dtype or document.dtype
        refs = {  # what is computed is in eight bits nowhere, though the base's may be
            name: dataclasses.replace(ref, dtype=code or ref.dtype, packed=None) if name in self._places else ref
            for name, ref in base.tensors.items()
        }
        super().__init__(base.name, f"{document.method.name} of {document.where}", refs)
        self._computed: dict[str, torch.Tensor] = {}
        self._lock = threading.Lock()

    def read_elements(self, name: str, start: int, stop: int, *, scratch: torch.Tensor | None = None) -> torch.Tensor:
        """Return elements of a flattened tensor: merged by mergekit's rules, or the base's."""
        if name not in self._places:
            return self._base.read_elements(name, start, stop, scratch=scratch)
        tensor, number = self._places[name]
        shape = self.tensors[name].shape
        whole = self._whole(tensor)
        if tensor.transposed:
            return whole.t().reshape(-1)[start:stop]
        offset = number * math.prod(shape)
        return whole.reshape(-1)[offset + start : offset + stop]

    @property
    def is_hashed(self) -> bool:
        """Whether the hashes of all that it reads are known already."""
        return all(source.components[self.name].is_hashed for source in self._merge.sources)

    def compute_sha256(self, progress: Callable[[int], None] | None = None, *, reread: bool = False) -> str:
        """Compute what tells this merge from others: a SHA-256, in hex, over the document, the seed and what it reads.

        Arguments and errors are those of `Component.compute_sha256`.
        """
        read = [source.components[self.name].compute_sha256(progress, reread=reread) for source in self._merge.sources]
        said = json.dumps([repr(self._merge.document), self._seed, read])
        return hashlib.sha256(said.encode()).hexdigest()

    def _whole(self, tensor: FileTensorName) -> torch.Tensor:
        """Return a merged tensor in the shape that a single file has it in; computed one at a time."""
        with self._lock:
            if tensor.name not in self._computed:
                self._computed[tensor.name] = self._compute(tensor)
                while len(self._computed) > _KEPT:
                    del self._computed[next(iter(self._computed))]
            return self._computed[tensor.name]

    def _compute(self, tensor: FileTensorName) -> torch.Tensor:
        document = self._merge.document
        inputs = {
            model: _rounded(one.read(tensor), document.dtype)
            for model, one in zip(document.inputs, self._merge.inputs, strict=True)
        }
        drawn = torch.Generator().manual_seed(_seed_of(self._seed, tensor.name))
        merged = merged_tensor(document, tensor.name, inputs, drawn)
        return merged.to(TORCH_DTYPES[self.tensors[tensor.parts[0]].dtype])


def method_components(merge: WovenMerge, seed: int) -> dict[str, Component]:
    """Return the components of a checkpoint that holds a merge; what it does not merge is its base's."""
    return {
        part: MethodComponent(component, merge, seed)
        if any(one.component == part for one in merge.tensors)
        else component
        for part, component in merge.base.components.items()
    }


def _rounded(values: torch.Tensor, code: str | None) -> torch.Tensor:
    return values.to(TORCH_DTYPES[code]) if code else values


def _seed_of(seed: int, name: str) -> int:
    """Return a seed for one tensor, whatever the order in which tensors are computed."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "little") >> 1
