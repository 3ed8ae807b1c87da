"""The weights of one component of a source, by canonical name: read in blocks, hashed once."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from pipelines.architectures.keys import MODEL, Layout, Patterns, canonical_order, chromosome_layouts, is_merged
from pipelines.errors import SourceError
from pipelines.storage.files import cache_dir, write_whole
from pipelines.storage.tensor_file import CAN_READ_INTO, TORCH_DTYPES, TensorFile


@dataclass(frozen=True)
class TensorRef:
    """Where a canonical tensor lies: file, key in it, safetensors dtype ("F16"), shape of the canonical tensor.

    `rows` are its rows of a packed tensor, `transposed` says that the file holds the transpose (both in single files).
    A tensor that is computed lies in no file.
    """

    file: TensorFile | None
    key: str
    dtype: str
    shape: tuple[int, ...]
    rows: tuple[int, int] | None = None
    transposed: bool = False


class Component:
    """The weights of one component, by canonical name and in canonical order; values are read only when asked for."""

    def __init__(self, name: str, place: str, tensors: Mapping[str, TensorRef]) -> None:
        """Take the tensors of a component.

        Args:
            name: `unet`, `text_encoder`, `text_encoder_2` or `vae`; `model` of any other network.
            place: where they lie, for messages.
            tensors: canonical name to reference.

        Raises:
            SourceError: a dtype that cannot be merged or lent (8-bit floats, quantised integers).
        """
        self.name = name
        self.place = place
        self.tensors: Mapping[str, TensorRef] = {key: tensors[key] for key in canonical_order(name, tensors)}
        self._held: dict[str, torch.Tensor] | None = None
        self._grouped: dict[str, dict[str, Layout]] = {}
        self._views: dict[str, torch.Tensor] = {}  # of memory-mapped files: looking one up costs as much as a block
        for key, ref in self.tensors.items():
            if ref.dtype not in TORCH_DTYPES:
                raise SourceError(
                    f"{place}: tensor {key} is stored as {ref.dtype}. Expected one of {', '.join(TORCH_DTYPES)}; use "
                    "the checkpoint in fp16, bf16 or fp32 that this one was quantised from."
                )

    @property
    def files(self) -> tuple[TensorFile, ...]:
        """The files that hold it."""
        return tuple(dict.fromkeys(ref.file for ref in self.tensors.values() if ref.file))

    @property
    def size(self) -> int:
        """Bytes of its tensors."""
        return sum(torch.Size(ref.shape).numel() * TORCH_DTYPES[ref.dtype].itemsize for ref in self.tensors.values())

    def read(self, name: str) -> torch.Tensor:
        """Return a tensor in its stored dtype and canonical shape."""
        ref = self.tensors[name]
        assert ref.file is not None, name
        tensor = ref.file.read(ref.key)
        if ref.rows:
            tensor = tensor[slice(*ref.rows)]
        if ref.transposed:
            tensor = tensor.t().contiguous()
        return tensor.reshape(ref.shape)

    def fill(self, name: str, start: int, out: torch.Tensor, *, scratch: torch.Tensor | None = None) -> None:
        """Copy elements `start` to `start + len(out)` of a flattened tensor into `out`, float32 [n] on any device.

        Where `scratch` is given, uint8 [8 n] or more, they are read from the file into it and not through the memory
        map, if that can be.
        """
        ref = self.tensors[name]
        if scratch is not None and CAN_READ_INTO and ref.file and not ref.transposed and out.device.type == "cpu":
            dtype = TORCH_DTYPES[ref.dtype]
            first = ref.rows[0] * (math.prod(ref.shape) // ref.shape[0]) if ref.rows else 0
            stored = scratch[: out.numel() * dtype.itemsize]
            ref.file.read_into(ref.key, (first + start) * dtype.itemsize, stored)
            out.copy_(stored.view(dtype))
            return
        flat = self._flat(name, out.device)
        out.copy_(flat[start : start + out.numel()])

    def hold(self, device: torch.device) -> None:
        """Keep what is read from now on in the memory of `device`, for blocks that are wanted there."""
        self._held = self._held or {} if device.type != "cpu" else None

    def _flat(self, name: str, device: torch.device) -> torch.Tensor:
        if device.type == "cpu":
            if name not in self._views:
                flat = self.read(name).reshape(-1)
                if self.tensors[name].transposed:
                    return flat  # a copy, not a view
                self._views[name] = flat
            return self._views[name]
        if self._held is not None and name in self._held:
            return self._held[name]
        flat = self.read(name).reshape(-1).to(device)
        if self._held is not None:
            self._held[name] = flat
        return flat

    @functools.cached_property
    def layouts(self) -> dict[str, Layout]:
        """The chromosomes of this component."""
        return self.grouped(None)

    def grouped(self, patterns: Patterns | None) -> dict[str, Layout]:
        """Return the chromosomes of this component where a recipe has patterns for them, worked out once.

        Raises:
            RecipeError: a pattern takes no tensor.
        """
        key = json.dumps(patterns and list(patterns.items()))
        if key not in self._grouped:
            tensors = {name: (ref.shape, ref.dtype) for name, ref in self.tensors.items()}
            self._grouped[key] = chromosome_layouts(self.name, tensors, patterns)
        return self._grouped[key]

    @functools.cached_property
    def sha256(self) -> str:
        """Hex SHA-256 over the raw little-endian tensor bytes in canonical order.

        Without `position_ids` and `logit_scale`, which are never merged and which only some forms of a checkpoint hold:
        the same weights have the same hash as a folder and as a single file. Any other network has one form: nothing of
        it is left out. Reads every byte once, and on the way refuses weights that are not finite; the answer is cached
        by path, size and time of change.

        Raises:
            SourceError: a tensor holds NaN or infinity.
        """
        return self.hashed()

    @property
    def is_hashed(self) -> bool:
        """Whether the hash is known already, so that asking for it reads no weights."""
        return not self.files or self._hash_entry.exists()

    def hashed(self, progress: Callable[[int], None] | None = None) -> str:
        """`sha256`, told on the way how many more bytes have been read; `progress` may raise to stop."""
        if self.files and self._hash_entry.exists():
            return self._hash_entry.read_text()
        digest = hashlib.sha256()
        with ThreadPoolExecutor(1) as beside:  # one core hashes, another looks for NaN
            for name in (key for key, ref in self.tensors.items() if self.name == MODEL or is_merged(key, ref.dtype)):
                tensor = self.read(name).contiguous()
                finite = beside.submit(is_finite, tensor)
                digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
                if not finite.result():
                    raise SourceError(
                        f"{self.place}: tensor {name} holds NaN or infinity. Expected finite weights; "
                        "the file is damaged or was saved from a diverged training: use another checkpoint."
                    )
                if progress:
                    progress(tensor.nbytes)
        if self.files:
            write_whole(self._hash_entry, digest.hexdigest().encode())
        return digest.hexdigest()

    @property
    def _hash_entry(self) -> Path:
        """Where the hash of these files, as they are now, is kept."""
        identity = json.dumps([self.name, [file.stamp for file in self.files]])
        return cache_dir() / "sha256" / hashlib.sha256(identity.encode()).hexdigest()

    def read_flat(self, layout: Layout, start: int, stop: int) -> torch.Tensor:
        """Return the elements `start` to `stop` of a flattened chromosome of this component: float32 [stop - start]."""
        flat = torch.empty(stop - start)
        self.fill_flat(layout, start, flat)
        return flat

    def fill_flat(self, layout: Layout, start: int, out: torch.Tensor) -> None:
        """Copy elements of a flattened chromosome, from `start` on, into `out`: float32 [n]."""
        index, done, stop = layout.tensor_at(start), start, start + out.numel()
        while done < stop:
            begin, end = layout.start(index), min(stop, int(layout.stops[index]))
            self.fill(layout.names[index], done - begin, out[done - start : end - start])
            done, index = end, index + 1


def difference(one: Component, other: Component) -> str | None:
    """Return the first tensor in which two components cannot be merged, as a sentence; `None` where there is none.

    What is never merged (`position_ids`, `logit_scale`) may be in one and not in the other.
    """
    ours, theirs = (
        {name: ref.shape for name, ref in part.tensors.items() if is_merged(name, ref.dtype)} for part in (one, other)
    )
    for name, shape in ours.items():
        if name not in theirs:
            return f"tensor {name} is missing."
        if theirs[name] != shape:
            return f"tensor {name} has shape {list(theirs[name])}, not {list(shape)}."
    extra = next((name for name in theirs if name not in ours), None)
    return f"tensor {extra} is unexpected." if extra else None


def is_finite(tensor: torch.Tensor) -> bool:
    """Return whether a tensor holds neither NaN nor infinity; a thirtieth of the time of `torch.isfinite` on a CPU."""
    if tensor.numel() == 0 or not tensor.is_floating_point():
        return True
    low, high = torch.aminmax(tensor)  # both are NaN where any value is
    return math.isfinite(low) and math.isfinite(high)
